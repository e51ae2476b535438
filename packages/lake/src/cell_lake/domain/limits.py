"""What bounds a relay; every figure is one of a flush unless it says otherwise."""

from dataclasses import dataclass
from typing import Final

RANGES_MAX: Final = 40
"""Stripes of one flush: their cursors, the intent and the dead letters go into one write of 89."""

DEAD_MAX: Final = 20
"""Dead letters of one flush; a journal with more goes on in the next one."""

PROBES_MAX: Final = 60
"""Reads of one search for a place in a journal; 2^53 entries take 53."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """What one flush takes at most, and how long rows may wait for one.

    Attributes:
        rows_max: Of one append; one entry more may exceed it by its own rows.
        bytes_max: Of journal entries held in memory.
        entries_max: Read of one stripe, those of other cells among them.
        page_entries: Read at a time.
        wait_ms: How long a stripe waits for more to be published with it.
    """

    rows_max: int = 1000
    bytes_max: int = 8_000_000
    entries_max: int = 5000
    page_entries: int = 500
    wait_ms: int = 5000
