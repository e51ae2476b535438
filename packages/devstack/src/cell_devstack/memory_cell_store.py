"""A memory store that survives its process: each commit is in a file before it is acknowledged.

It outlives SIGKILL, not a power cut: nothing is flushed to the disk. Refuses to be fast to open;
it does every commit again.
"""

import os
import pickle
import struct
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Final

from cell_core.domain.documents import Batch, Page, Snapshot
from cell_core.memory import MemoryCellStore

_LENGTH: Final = struct.Struct("<I")


class KeptStore:
    """`CellStore` of one process; see the module."""

    def __init__(self, path: Path) -> None:
        """Recall what the file at `path` holds; a commit that was cut off was never answered."""
        self._inner = MemoryCellStore()
        self._file = os.open(path, os.O_RDWR | os.O_CREAT | os.O_APPEND, 0o600)
        self.commits = 0
        whole_bytes = 0
        for batch, whole_bytes in _batches(path.read_bytes()):  # noqa: B007 - the last one counts
            self._inner.commit(batch)
            self.commits += 1
        os.ftruncate(self._file, whole_bytes)

    def read(self, partition: str, keys: Sequence[str]) -> Snapshot:
        """See `CellStore.read`."""
        return self._inner.read(partition, keys)

    def page(self, partition: str, prefix: str, *, after: str | None, limit: int) -> Page:
        """See `CellStore.page`."""
        return self._inner.page(partition, prefix, after=after, limit=limit)

    def commit(self, batch: Batch) -> None:
        """See `CellStore.commit`."""
        self._inner.commit(batch)
        raw = pickle.dumps(batch, pickle.HIGHEST_PROTOCOL)
        # One write of O_APPEND: a kill leaves all of it, none, or a tail that opening cuts off.
        os.write(self._file, _LENGTH.pack(len(raw)) + raw)
        self.commits += 1

    def ping(self) -> None:
        """See `CellStore.ping`."""

    def close(self) -> None:
        """Give the file back."""
        os.close(self._file)


def _batches(raw: bytes) -> Iterator[tuple[Batch, int]]:
    """Yield each whole commit, and where it ends."""
    at = 0
    while at + _LENGTH.size <= len(raw):
        end = at + _LENGTH.size + _LENGTH.unpack_from(raw, at)[0]
        if end > len(raw):
            return
        # Its own file, in a folder of its own: nobody else writes there.
        yield pickle.loads(raw[at + _LENGTH.size : end]), end  # noqa: S301 - see above
        at = end
