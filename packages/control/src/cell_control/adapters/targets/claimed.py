"""Which rev the bytes at a target claim: nobody verifies them here, they only say what to keep."""

from typing import Final

from cell_core.wire.registry import RegistryRefused
from cell_core.wire.registry_seal import HEAD_PEEK_BYTES, peek
from cell_core.wire.registry_snapshot import MAGIC

BEGINNING_BYTES: Final = HEAD_PEEK_BYTES


def claimed_rev(beginning: bytes) -> int:
    """Return the rev that a snapshot, or its beginning, claims; -1 if it is none."""
    try:
        return peek(beginning, MAGIC)[1]
    except RegistryRefused:
        return -1
