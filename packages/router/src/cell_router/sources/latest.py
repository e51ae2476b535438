"""What a source remembers of the snapshot it handed out last, so as not to hand it out again.

Refuses to trust it: the rev is what the bytes claim.
"""

from typing import Generic, TypeVar

from cell_core.wire.registry import RegistryRefused
from cell_core.wire.registry_seal import peek
from cell_core.wire.registry_snapshot import MAGIC

TRANSFER_S_MAX = 60.0
"""A snapshot that takes longer is given up: a source that drips is a source that is down."""

Stamp = TypeVar("Stamp")


class Latest(Generic[Stamp]):
    """The stamp of the last snapshot (an ETag, a file's times) and the rev that it claims."""

    def __init__(self) -> None:
        self.stamp: Stamp | None = None
        self._rev = -1

    def note(self, stamp: Stamp | None, data: bytes) -> None:
        """Remember that `data` was handed out."""
        self.stamp, self._rev = stamp, claimed_rev(data)

    def known(self, if_newer_than: int) -> Stamp | None:
        """Return the stamp under which there is nothing new for one who holds `if_newer_than`.

        None if what was handed out was not taken: it is handed out again.
        """
        return self.stamp if 0 <= self._rev <= if_newer_than else None


def claimed_rev(data: bytes) -> int:
    """Return the rev that a snapshot, or its beginning, claims; -1 if it is none."""
    try:
        return peek(data, MAGIC)[1]
    except RegistryRefused:
        return -1
