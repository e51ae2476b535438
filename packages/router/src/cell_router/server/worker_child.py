"""One worker as the supervisor holds it: its process, its end of the socket pair, its end.

The child lives as long as its link: when the supervisor is gone, however it went, the kernel has
closed the other end and the worker ends itself. Refuses to signal a process it did not start.
"""

import asyncio
import socket
from asyncio.subprocess import PIPE, Process
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import Final

from cell_router.server.link import Link, supervisor_link
from cell_router.server.report import FromWorker, ToWorker

CANNOT_START: Final = 127
_LAST_WORDS_S: Final = 1.0


@dataclass(frozen=True, slots=True, kw_only=True)
class WorkerStart:
    """What a worker process is started with.

    Attributes:
        command: Makes the command line; it gets the descriptors of the listening socket and of the
            worker's end of the pair.
        text: The configuration, which the worker reads from its standard input.
        environment: All of it.
        listener: Returns its listening socket when the process is started.
    """

    command: Callable[[int, int], Sequence[str]]
    text: str
    environment: Mapping[str, str]
    listener: Callable[[], socket.socket]


class WorkerChild:
    """A worker; `run` it as a task."""

    def __init__(
        self,
        start: WorkerStart,
        *,
        received: Callable[[FromWorker], None],
        refused: Callable[[str], None],
    ) -> None:
        """Start nothing yet; `refused` is told why the worker's messages could not be read."""
        self._start = start
        self._received = received
        self._refused = refused
        self._process: Process | None = None
        self._link: Link[FromWorker] | None = None
        self._link_gone = asyncio.Event()
        self._doomed = False

    @property
    def pid(self) -> int | None:
        """The process id, None before the start."""
        return self._process.pid if self._process else None

    async def run(self) -> int:
        """Start the process and return its exit code, negative if a signal ended it."""
        ours, theirs = socket.socketpair()
        try:
            self._process = await self._spawn(theirs)
        except OSError:
            ours.close()
            return CANNOT_START
        finally:
            theirs.close()
        try:
            self._link = await supervisor_link(ours, self._received, self._on_gone)
            if self._doomed:
                self.kill()
            self._give(self._process)
            exit_code = await self._process.wait()
            with suppress(TimeoutError):  # What it said last may still be on its way.
                await asyncio.wait_for(self._link_gone.wait(), _LAST_WORDS_S)
            return exit_code
        finally:
            self.kill()
            if self._link is not None:
                self._link.close()

    def send(self, message: ToWorker) -> None:
        """Tell the worker something; lost if it is gone."""
        if self._link is not None:
            self._link.send(message)

    def kill(self) -> None:
        """End the process now, also one that is just being started."""
        self._doomed = True
        if self._process is not None and self._process.returncode is None:
            with suppress(ProcessLookupError):
                self._process.kill()

    async def _spawn(self, theirs: socket.socket) -> Process:
        listen_fd = self._start.listener().fileno()
        command = self._start.command(listen_fd, theirs.fileno())
        return await asyncio.create_subprocess_exec(
            *command,
            stdin=PIPE,
            env=dict(self._start.environment),
            pass_fds=(listen_fd, theirs.fileno()),
            process_group=0,  # Ctrl-C is for the supervisor, which ends its workers in order.
        )

    def _give(self, process: Process) -> None:
        """Hand over the configuration; it fits into the pipe, so nothing waits."""
        if process.stdin is not None:
            process.stdin.write(self._start.text.encode())
            process.stdin.close()

    def _on_gone(self, reason: str) -> None:
        self._link_gone.set()
        if reason:
            self._refused(reason)
            self.kill()
