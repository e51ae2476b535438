"""The registry from a file that its writer replaces atomically; watched by its times and its inode.

There is no feed of changes in a file: waiting for one ends with `SourceGone` as soon as the file is
another one, which makes the caller read it whole.
"""

import os
import time
from collections.abc import Callable
from pathlib import Path
from typing import Final

from cell_core.wire.registry_snapshot import SNAPSHOT_BYTES_MAX
from cell_router.ports import SourceGone, SourceUnavailable
from cell_router.sources.latest import Latest

GLANCE_S: Final = 0.2
"""Between two looks at the file's times; one system call each."""

_Stamp = tuple[int, int, int]


class FileSource:
    """A `RegistrySource` over one file."""

    def __init__(self, path: Path, *, pause: Callable[[float], object] = time.sleep) -> None:
        self._path = path
        self._pause = pause
        self._latest = Latest[_Stamp]()

    def snapshot(self, if_newer_than: int) -> bytes | None:
        """Return the file's content, unless it is the one last returned and taken."""
        try:
            with self._path.open("rb") as file:
                stamp = _stamp(os.fstat(file.fileno()))
                if stamp == self._latest.known(if_newer_than):
                    return None
                data = file.read(SNAPSHOT_BYTES_MAX + 1)
        except OSError as error:
            raise _unavailable(error) from None
        if len(data) > SNAPSHOT_BYTES_MAX:
            raise SourceUnavailable("source_too_large")
        self._latest.note(stamp, data)
        return data

    def changes(self, after: int, wait_s: float) -> bytes:  # noqa: ARG002 - a file has no feed
        """Wait for another file; return nothing if none came.

        Raises:
            SourceGone: The file is another one than was last read.
        """
        for _ in range(max(1, round(wait_s / GLANCE_S))):
            if self._now() != self._latest.stamp:
                raise SourceGone("file_replaced")
            self._pause(GLANCE_S)
        return b""

    def find(self, tenant: str) -> None:  # noqa: ARG002 - the snapshot holds everyone
        """Return None: who is not in the file is nowhere."""
        return

    def _now(self) -> _Stamp:
        try:
            return _stamp(self._path.stat())
        except OSError as error:
            raise _unavailable(error) from None


def _stamp(found: os.stat_result) -> _Stamp:
    return found.st_mtime_ns, found.st_ino, found.st_size


def _unavailable(error: OSError) -> SourceUnavailable:
    if isinstance(error, FileNotFoundError):
        return SourceUnavailable("source_missing")
    if isinstance(error, PermissionError):
        return SourceUnavailable("source_denied")
    return SourceUnavailable("source_unreachable")
