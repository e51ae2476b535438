"""Which dates of the lake are worth compacting: closed ones once, the live one now and then.

Refuses to look at rows: files and their sizes are enough.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

SMALL_BYTES: Final = 32 * 1024 * 1024
"""Smaller files are joined; a compaction aims at four times as much."""

LIVE_FILES_MAX: Final = 60
"""Small files of the live date before they are joined: a minute of flushes each second."""

KEPT_H: Final = 7 * 24
"""How long files are kept that the current state does not need: readers may still be in them."""


@dataclass(frozen=True, slots=True, kw_only=True)
class DateFiles:
    """The files of one ingest date."""

    date: str
    files: int
    small: int


def dates_due(dates: Iterable[DateFiles], today: str) -> list[str]:
    """Return the dates to compact, oldest first."""
    return sorted(
        found.date
        for found in dates
        if found.small >= (LIVE_FILES_MAX if found.date >= today else 2)
    )
