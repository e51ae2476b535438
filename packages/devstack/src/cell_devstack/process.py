"""Starts, watches and ends one Python program by its own process id.

It refuses to signal a process it did not start, and never leaves one behind: a child dies with
this process even when this process is killed.
"""

import json
import os
import signal
import socket
import subprocess
import sys
import threading
import time
import urllib.request
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final, Self, TypeVar

_Ready = TypeVar("_Ready")

_CHILD_MAIN: Final = Path(__file__).with_name("child_main.py")
_POLL_S: Final = 0.01
_LOG_TAIL_BYTES_MAX: Final = 4096


class ChildDidNotStart(RuntimeError):
    """The child ended, or was not ready in time. `log_tail` is the last of what it printed."""

    def __init__(self, program: str, reason: str, log_tail: str) -> None:
        super().__init__(f"{program}: {reason}\n{log_tail}")
        self.program = program
        self.reason = reason
        self.log_tail = log_tail


@dataclass(frozen=True, slots=True, kw_only=True)
class PythonProgram:
    """A module to run as a program, and all it may import beside the standard library.

    Attributes:
        module: Name of the module, run as `__main__`; or path of a folder with a `__main__.py`.
        arguments: What the module finds in `sys.argv[1:]`.
        python: The interpreter; it ignores `PYTHON*` variables and the user's site folder.
        site_packages: Whether the interpreter's own packages can be imported.
        import_paths: Folders (or zips) that come before everything else.
        lent: Top-level packages that come after everything else, each with the folder it lies in;
            nothing else in that folder can be imported.
    """

    module: str
    arguments: Sequence[str] = ()
    python: str = sys.executable
    site_packages: bool = False
    import_paths: Sequence[Path] = ()
    lent: Mapping[str, Path] = field(default_factory=dict)

    def argv(self, leash_fd: int) -> list[str]:
        """Return the command line of a child whose life hangs on `leash_fd`."""
        plan = {
            "module": self.module,
            "import_paths": [str(path) for path in self.import_paths],
            "lent": {name: str(folder) for name, folder in self.lent.items()},
        }
        isolation = ["-I", "-u"] if self.site_packages else ["-I", "-u", "-S"]
        return [
            self.python,
            *isolation,
            str(_CHILD_MAIN),
            str(leash_fd),
            json.dumps(plan),
            *self.arguments,
        ]


class ChildProcess:
    """One running program in a process group of its own; a context manager that ends it.

    Ctrl-C reaches only this process (the terminal signals its foreground group), which then ends
    its children in order. A child that starts processes has to end them itself on SIGTERM.
    """

    def __init__(
        self, program: PythonProgram, *, env: Mapping[str, str], cwd: Path, log_path: Path
    ) -> None:
        """Start `program` with exactly `env`; all it prints is appended to `log_path`."""
        self.program = program
        self.log_path = log_path
        self._lock = threading.Lock()
        leash_fd, self._leash = os.pipe()
        try:
            with log_path.open("ab") as log:
                self._log_start_bytes = log.tell()
                self._process = subprocess.Popen(
                    program.argv(leash_fd),
                    env=dict(env),
                    cwd=cwd,
                    stdin=subprocess.DEVNULL,
                    stdout=log,
                    stderr=subprocess.STDOUT,
                    pass_fds=[leash_fd],
                    process_group=0,
                )
        except BaseException:
            os.close(self._leash)
            raise
        finally:
            os.close(leash_fd)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_exc: object) -> None:
        self.terminate()

    @property
    def pid(self) -> int:
        """The child's process id, which is also its group's."""
        return self._process.pid

    @property
    def exit_code(self) -> int | None:
        """None while it runs; afterwards its exit code, negative if a signal ended it."""
        with self._lock:
            return self._process.poll()

    @property
    def running(self) -> bool:
        """Whether the process exists; a stopped process does."""
        return self.exit_code is None

    def wait_for_port(self, port: int, *, timeout_s: float) -> None:
        """Return once 127.0.0.1:`port` accepts a connection.

        Raises:
            ChildDidNotStart: It ended, or does not listen after `timeout_s`.
        """
        self._wait_until(lambda: _accepts(port) or None, f"port {port}", timeout_s)

    def wait_for_line(self, prefix: str, *, timeout_s: float) -> str:
        """Return what follows `prefix` in the first line of the log that begins with it.

        Raises:
            ChildDidNotStart: It ended, or no such line was printed after `timeout_s`.
        """
        return self._wait_until(lambda: self._line(prefix), f"line {prefix!r}", timeout_s)

    def wait_for_answer(self, url: str, *, timeout_s: float) -> None:
        """Return once a GET of `url`, on this machine, is answered with 200.

        Raises:
            ChildDidNotStart: It ended, or does not answer so after `timeout_s`.
        """
        self._wait_until(lambda: _answers(url) or None, f"answer at {url}", timeout_s)

    def wait_for_exit(self, *, timeout_s: float) -> bool:
        """Return whether the process has ended, after waiting for it at most `timeout_s`."""
        deadline = time.monotonic() + timeout_s
        while self.running and time.monotonic() < deadline:
            time.sleep(_POLL_S)
        return not self.running

    def terminate(self, *, grace_s: float = 5.0) -> None:
        """End it: SIGTERM, and SIGKILL if it is still there after `grace_s`."""
        self._signal(signal.SIGTERM)
        self._signal(signal.SIGCONT)  # A stopped process would keep the SIGTERM pending.
        if not self.wait_for_exit(timeout_s=grace_s):
            self._signal(signal.SIGKILL)
        self._reap()

    def kill(self) -> None:
        """End it as a power cut would: SIGKILL, no goodbye."""
        self._signal(signal.SIGKILL)
        self._reap()

    def stop(self) -> None:
        """Freeze it (SIGSTOP): its ports still accept connections, and nothing answers."""
        self._signal(signal.SIGSTOP)
        # Returns once it stands still: until then it may answer, and if this process died now,
        # the kernel would not end a child of which it does not yet know that it is stopped.
        with suppress(ChildProcessError):
            os.waitid(os.P_PID, self.pid, os.WSTOPPED | os.WEXITED | os.WNOWAIT)

    def resume(self) -> None:
        """Let a frozen process go on."""
        self._signal(signal.SIGCONT)

    def log_tail(self) -> str:
        """Return the last few kilobytes of what it printed."""
        printed = self._printed()
        return printed[-_LOG_TAIL_BYTES_MAX:].decode(errors="replace")

    def _signal(self, number: signal.Signals) -> None:
        # Under the lock nobody can reap the child between the check and the signal, so the
        # process id cannot have been given to somebody else.
        with self._lock:
            if self._process.poll() is None:
                os.killpg(self._process.pid, number)

    def _reap(self) -> None:
        # Nothing survives SIGKILL; the bound is for a kernel stuck in a file system.
        self._process.wait(timeout=10)
        with self._lock:
            if self._leash >= 0:
                os.close(self._leash)
                self._leash = -1

    def _wait_until(
        self, ready: Callable[[], _Ready | None], awaited: str, timeout_s: float
    ) -> _Ready:
        deadline = time.monotonic() + timeout_s
        while time.monotonic() < deadline:
            alive = self.running  # Asked first: a last word printed before the end still counts.
            found = ready()
            if found is not None:
                return found
            if not alive:
                reason = f"ended with exit code {self.exit_code} before {awaited}"
                raise ChildDidNotStart(self.program.module, reason, self.log_tail())
            time.sleep(_POLL_S)
        reason = f"no {awaited} within {timeout_s} s"
        raise ChildDidNotStart(self.program.module, reason, self.log_tail())

    def _printed(self) -> bytes:
        with self.log_path.open("rb") as log:
            log.seek(self._log_start_bytes)
            return log.read()

    def _line(self, prefix: str) -> str | None:
        start = prefix.encode()
        *complete, _unfinished = self._printed().split(b"\n")
        line = next((line for line in complete if line.startswith(start)), None)
        return None if line is None else line.removeprefix(start).strip().decode()


def _answers(url: str) -> bool:
    try:
        with urllib.request.urlopen(url, timeout=2) as answer:  # noqa: S310 - loopback
            return bool(answer.status == 200)
    except OSError:
        return False


def _accepts(port: int) -> bool:
    try:
        with socket.create_connection(("127.0.0.1", port), timeout=1):
            return True
    except OSError:
        return False
