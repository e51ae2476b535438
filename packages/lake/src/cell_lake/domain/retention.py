"""How long a journal is kept for the lake's sake: until confirmed there, and a week at least.

Refuses to delete anything. Whoever does keeps the entry at the cursor too: it proves that the
journal was not cut back below it.
"""

from collections.abc import Iterable
from typing import Final

from cell_core.domain.fence import Fence
from cell_core.domain.journal import Entry
from cell_lake.domain.state import Cursor

KEPT_MS: Final = 7 * 24 * 3600 * 1000


def is_behind(cursor: Cursor, fence: Fence) -> bool:
    """Say whether a stripe may hold entries that were not dealt with.

    While this holds, the stripe must not be dropped, nor its quarantined tail be cut off.
    """
    return cursor.seq != fence.seq or cursor.chain not in ("", fence.chain)


def kept_from(cursor: Cursor, oldest: Iterable[Entry], now_ms: int) -> int:
    """Return the first seq that must be kept, given the oldest entries of a journal in order."""
    kept = 1
    for entry in oldest:
        kept = entry.seq
        if entry.seq >= cursor.seq or entry.time_ms > now_ms - KEPT_MS:
            break
    return kept
