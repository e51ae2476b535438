"""One JSON line a request: always for a failure, for a sample of the successes.

A line holds no header's value and no body. It is queued in memory and written by the worker's
tick; where nobody takes the lines, the newest are dropped and counted, and no request waits.
"""

import select
import zlib
from collections import deque
from collections.abc import Callable
from typing import Final

import msgspec

from cell_router.server.access_line import Line

CHUNK_BYTES_MAX: Final = select.PIPE_BUF
"""What a pipe that is ready for writing takes at once and in one piece (POSIX): so a write never
blocks, and lines of several workers never mix."""

LINES_MAX: Final = 10_000
_TEXT_LETTERS_MAX: Final = 112


class AccessLog:
    """The queue of one worker."""

    def __init__(
        self,
        success_sample: float,
        *,
        writable: Callable[[], bool],
        write: Callable[[bytes], object],
        lines_max: int = LINES_MAX,
    ) -> None:
        """Take where lines go.

        Args:
            success_sample: The share of the successes that is logged, 0 to 1.
            writable: Whether `CHUNK_BYTES_MAX` bytes can be written without waiting.
            write: Writes one chunk of whole lines.
            lines_max: What is queued at most.
        """
        self._below = round(success_sample * 2**32)
        self._writable = writable
        self._write = write
        self._lines_max = lines_max
        self._lines: deque[Line] = deque()
        self._encode = msgspec.json.Encoder().encode
        self.dropped = 0

    def wants(self, request_id: str, status: int) -> bool:
        """Say whether a request is logged: the same for one id in every worker and at each hop."""
        if status >= 400:
            return True
        return self._below > 0 and zlib.crc32(request_id.encode()) < self._below

    def record(self, line: Line) -> None:
        """Queue a line that `wants` has asked for."""
        if len(self._lines) >= self._lines_max:
            self.dropped += 1
        else:
            self._lines.append(line)

    def tick(self) -> None:
        """Write as much as can be written without waiting."""
        while self._lines and self._writable():
            self._write(self._chunk())

    def take_dropped(self) -> int:
        """Return how many lines were dropped since the last call."""
        dropped, self.dropped = self.dropped, 0
        return dropped

    def _chunk(self) -> bytes:
        chunk = bytearray()
        while self._lines:
            line = self._encode(_cut(self._lines[0])) + b"\n"
            if chunk and len(chunk) + len(line) > CHUNK_BYTES_MAX:
                break
            chunk += line
            self._lines.popleft()
        return bytes(chunk)


def log_to(fd: int, success_sample: float, write: Callable[[int, bytes], int]) -> AccessLog:
    """Return a log onto the descriptor `fd`, a file or a pipe; `write` is `os.write`."""
    poll = select.poll()
    poll.register(fd, select.POLLOUT)

    def writable() -> bool:
        return any(events & select.POLLOUT for _, events in poll.poll(0))

    return AccessLog(success_sample, writable=writable, write=lambda chunk: write(fd, chunk))


def _cut(line: Line) -> Line:
    """Bound every text, so that a line fits in a chunk even if each letter is escaped."""
    texts = (line.request, line.reason, line.tenant, line.principal, line.trace)
    if max(map(len, texts)) <= _TEXT_LETTERS_MAX:
        return line
    request, reason, tenant, principal, trace = (text[:_TEXT_LETTERS_MAX] for text in texts)
    return msgspec.structs.replace(
        line, request=request, reason=reason, tenant=tenant, principal=principal, trace=trace
    )
