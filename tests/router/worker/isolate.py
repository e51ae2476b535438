"""A Cloudflare isolate to test against: Pyodide under Node, driven by JSON lines.

The test itself answers the Worker's subrequests, so that it can be any cell, and a hostile one.
"""

import base64
import json
import queue
import subprocess
import threading
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

HERE = Path(__file__).parent
_BOOT_S_MAX = 180.0  # A busy machine compiles Pyodide slowly.
_ANSWER_S_MAX = 60.0


@dataclass(frozen=True, kw_only=True)
class Subrequest:
    """What the Worker asked for; header names are in lower case."""

    method: str
    url: str
    redirect: str
    headers: Mapping[str, str]
    body: bytes


@dataclass(frozen=True)
class Answered:
    """What a cell answers."""

    status: int
    body: bytes = b""
    headers: Sequence[tuple[str, str]] = ()


@dataclass(frozen=True)
class Broken:
    """The subrequest fails, as it does when a connection breaks."""

    error: str = "Network connection lost."


@dataclass(frozen=True)
class Silent:
    """The subrequest ends when the Worker waits no longer."""


Outcome = Answered | Broken | Silent
Cell = Callable[[Subrequest], Outcome]


@dataclass(frozen=True, kw_only=True)
class Reply:
    """What the Worker answered its client; header names are in lower case.

    Attributes:
        cpu_ms: What it cost Node, the test's own work as a cell not included.
        logged: The lines that the Worker wrote.
        sent: Its subrequests.
    """

    status: int
    headers: Mapping[str, str]
    body: bytes
    cpu_ms: float
    logged: list[str]
    sent: list[Subrequest] = field(default_factory=list)

    @property
    def json(self) -> Any:
        return json.loads(self.body)


def no_cell(_request: Subrequest) -> Outcome:
    raise AssertionError("no subrequest was expected")


class Isolate:
    """One Node process with one Pyodide. `begin` starts a new isolate in it.

    Its clocks stand still but for timers, silent cells and `move_on`.

    Attributes:
        boot_ms: Until Pyodide was there; not the Worker's to influence.
        import_ms: CPU time of importing the Worker, at the first `begin`; 0 before.
    """

    def __init__(self, *, node: str, pyodide: Path, bundle: Path) -> None:
        script = str(HERE / "isolate.mjs")
        self._process = subprocess.Popen(
            [node, script, str(pyodide), str(bundle)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            encoding="utf-8",
        )
        self._lines: queue.SimpleQueue[str] = queue.SimpleQueue()
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()
        ready = self._next(_BOOT_S_MAX)
        assert ready["kind"] == "ready", ready
        self.boot_ms: float = ready["boot_ms"]
        self.import_ms = 0.0

    def close(self) -> None:
        """End the process that this object started."""
        assert self._process.stdin is not None
        self._process.stdin.close()
        try:
            self._process.wait(timeout=10)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        self._reader.join()
        assert self._process.stdout is not None
        self._process.stdout.close()

    def begin(self, *, secrets: Mapping[str, str], values: Mapping[str, bytes]) -> None:
        """Start a new isolate, with nothing remembered but what KV holds."""
        done = self._do("begin", secrets=dict(secrets), values=_texts(values))
        self.import_ms = self.import_ms or float(done["import_ms"])

    def put(self, values: Mapping[str, bytes | None] | None = None, **more: Any) -> list[str]:
        """Change what KV holds (None removes); return the keys asked for since the last time."""
        done = self._do("put", values=_texts(values or {}), **more)
        return list(done["asked"])

    def set_clock(self, wall_s: int) -> None:
        """Let it be `wall_s`, seconds since 1970-01-01 UTC, until the next `begin`."""
        self._do("clock", wall_s=wall_s)

    def move_on(self, seconds: float) -> None:
        """Let time pass at once."""
        self._do("clock", ahead_s=seconds)

    def call(
        self,
        method: str,
        path: str,
        *,
        headers: Sequence[tuple[str, str]] = (),
        body: bytes | None = None,
        cell: Cell = no_cell,
    ) -> Reply:
        """Send one client request through the Worker; `cell` answers its subrequests."""
        encoded = None if body is None else _text(body)
        sent: list[Subrequest] = []
        done = self._do(
            "call",
            cell=lambda request: (sent.append(request), cell(request))[1],
            method=method,
            url=f"https://edge.example{path}",
            headers=list(headers),
            **({} if encoded is None else {"body": encoded}),
        )
        return Reply(
            status=done["status"],
            headers=dict(done["headers"]),
            body=base64.b64decode(done["body"]),
            cpu_ms=done["cpu_ms"],
            logged=done["logged"],
            sent=sent,
        )

    def run(self, code: str) -> Any:
        """Run `code` inside, and return its last value."""
        return self._do("run", code=code)["result"]

    def _do(self, kind: str, *, cell: Cell = no_cell, **fields: Any) -> dict[str, Any]:
        self._say({"kind": kind, **fields})
        while (line := self._next())["kind"] == "subrequest":
            self._answer(line, cell)
        assert line["kind"] == "done", line
        return line

    def _answer(self, line: dict[str, Any], cell: Cell) -> None:
        request = Subrequest(
            method=line["method"],
            url=line["url"],
            redirect=line["redirect"],
            headers=dict(line["headers"]),
            body=base64.b64decode(line["body"]),
        )
        outcome = cell(request)
        if isinstance(outcome, Silent):
            self._say({"kind": "subrequest", "call": line["call"], "silent": True})
            return
        if isinstance(outcome, Broken):
            self._say({"kind": "subrequest", "call": line["call"], "error": outcome.error})
            return
        self._say(
            {
                "kind": "subrequest",
                "call": line["call"],
                "status": outcome.status,
                "headers": list(outcome.headers),
                "body": _text(outcome.body),
            }
        )

    def _say(self, line: dict[str, Any]) -> None:
        assert self._process.stdin is not None
        self._process.stdin.write(json.dumps(line) + "\n")
        self._process.stdin.flush()

    def _next(self, wait_s: float = _ANSWER_S_MAX) -> dict[str, Any]:
        try:
            line = self._lines.get(timeout=wait_s)
        except queue.Empty:
            raise AssertionError("the isolate answers nothing") from None
        assert line, "the isolate has ended"
        found: dict[str, Any] = json.loads(line)
        return found

    def _read(self) -> None:
        assert self._process.stdout is not None
        for line in self._process.stdout:
            self._lines.put(line)
        self._lines.put("")


def _text(value: bytes) -> str:
    return base64.b64encode(value).decode()


def _texts(values: Mapping[str, bytes | None]) -> dict[str, str | None]:
    return {key: None if value is None else _text(value) for key, value in values.items()}
