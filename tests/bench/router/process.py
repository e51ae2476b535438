"""A program of the benchmark: started, measured and ended by its own process id.

It dies with the benchmark even when that is killed, and it gets a process group of its own, so
that Ctrl-C reaches the benchmark alone, which then ends its programs in order.
"""

import http.client
import os
import shutil
import socket
import subprocess
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final, Self

_TICKS_PER_S: Final = os.sysconf("SC_CLK_TCK")
_END_TIMEOUT_S: Final = 10.0
_LOG_TAIL_BYTES: Final = 600
_LEASH: Final = ("setpriv", "--pdeathsig", "TERM")
"""The kernel ends the program when the benchmark is gone."""


class DidNotStart(RuntimeError):
    """The program ended or did not listen in time; the message has the end of its log."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Program:
    """A command line, and the environment it gets beside PATH.

    Attributes:
        readiness_port: Answers `GET /readyz` with 200 once it may be asked; 0 if it listens only
            when it is ready.
    """

    argv: Sequence[str | Path]
    env: Mapping[str, str] = field(default_factory=dict)
    readiness_port: int = 0
    start_timeout_s: float = 60.0


class Running:
    """A started program; a context manager that ends it."""

    def __init__(self, program: Program, folder: Path, *, cores: str | None = None) -> None:
        """Start it in `folder`, on `cores` only (as taskset names them)."""
        self._log = folder / "log.txt"
        pinned = ("taskset", "--cpu-list", cores) if cores else ()
        with self._log.open("ab") as log:
            self._process = subprocess.Popen(
                [*_LEASH, *pinned, *map(str, program.argv)],
                cwd=folder,
                env={"PATH": os.environ["PATH"], "HOME": str(folder), **program.env},
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                process_group=0,
            )

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_exc: object) -> None:
        self.end()

    def wait_for_port(self, port: int, timeout_s: float) -> None:
        """Return once it accepts connections. Raises `DidNotStart`."""
        self._wait_until(lambda: _accepts(port), f"no port after {timeout_s:.0f} s", timeout_s)

    def wait_for_readiness(self, port: int, timeout_s: float) -> None:
        """Return once it says that it is ready. Raises `DidNotStart`."""
        self._wait_until(lambda: _is_ready(port), f"not ready after {timeout_s:.0f} s", timeout_s)

    def _wait_until(self, holds: Callable[[], bool], otherwise: str, timeout_s: float) -> None:
        deadline = time.monotonic() + timeout_s
        while not holds():
            if self._process.poll() is not None:
                raise DidNotStart(f"ended with {self._process.returncode}: {self.log_tail()}")
            if time.monotonic() > deadline:
                raise DidNotStart(f"{otherwise}: {self.log_tail()}")
            time.sleep(0.05)

    def pids(self) -> list[int]:
        """Return it and all its descendants."""
        return self._tree(_processes())

    def log_tail(self) -> str:
        """Return the end of what it printed."""
        return self._log.read_bytes()[-_LOG_TAIL_BYTES:].decode(errors="replace").strip()

    def cpu_s(self) -> float:
        """Return the CPU seconds of it and all its descendants, also of those that ended."""
        found = _processes()
        return sum(found[pid].cpu_ticks for pid in self._tree(found)) / _TICKS_PER_S

    def pss_bytes(self) -> int:
        """Return the memory of it and all its descendants; what they share counts once."""
        return sum(_pss_bytes(pid) for pid in self._tree(_processes()))

    def _tree(self, found: Mapping[int, "_Stat"]) -> list[int]:
        tree = [self._process.pid]
        for pid in tree:  # Grows while it is walked.
            tree += [child for child, stat in found.items() if stat.parent == pid]
        return [pid for pid in tree if pid in found]

    def end(self) -> None:
        """End it: SIGTERM, and SIGKILL to whatever is left of its tree."""
        tree = self._tree(_processes())
        if self._process.poll() is None:
            self._process.terminate()
        try:
            self._process.wait(_END_TIMEOUT_S)
        except subprocess.TimeoutExpired:
            for pid in reversed(tree):
                _kill(pid)
            self._process.wait()


def free_port() -> int:
    """Return a port of 127.0.0.1 that nobody listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def found(program: str) -> str | None:
    """Return the path of an installed program; servers lie in sbin, which users may not search."""
    return shutil.which(program, path=os.environ["PATH"] + ":/usr/sbin:/usr/local/sbin")


@dataclass(frozen=True, slots=True)
class _Stat:
    parent: int
    cpu_ticks: int


def _processes() -> dict[int, _Stat]:
    found_now = {}
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            try:
                text = (entry / "stat").read_text()
            except OSError:
                continue  # It has ended meanwhile.
            fields = text.rpartition(")")[2].split()  # The name may hold blanks.
            # proc(5): utime, stime, and both of children that ended and were waited for.
            found_now[int(entry.name)] = _Stat(int(fields[1]), sum(map(int, fields[11:15])))
    return found_now


def _pss_bytes(pid: int) -> int:
    try:
        text = Path(f"/proc/{pid}/smaps_rollup").read_text()
    except OSError:
        return 0
    [line] = [line for line in text.splitlines() if line.startswith("Pss:")]
    return int(line.split()[1]) * 1024


def _kill(pid: int) -> None:
    try:
        os.kill(pid, 9)
    except ProcessLookupError:
        return


def _is_ready(port: int) -> bool:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=1)
    try:
        connection.request("GET", "/readyz")
        return connection.getresponse().status == 200
    except (OSError, http.client.HTTPException):
        return False
    finally:
        connection.close()


def _accepts(port: int) -> bool:
    try:
        socket.create_connection(("127.0.0.1", port), timeout=1).close()
    except OSError:
        return False
    return True
