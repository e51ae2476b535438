"""Keep the lake quick to read: join small files.

One caller at a time saves work; two at once cost a conflict, never a row.
"""

from dataclasses import dataclass

from cell_core.domain.errors import BackendError, Conflict
from cell_lake.arrow import date_of
from cell_lake.domain.housekeeping import dates_due
from cell_lake.ports import LakeTable


@dataclass(slots=True)
class Kept:
    """What one round did.

    Attributes:
        failed: Dates whose compaction another writer or the store stopped; the next round tries.
    """

    compacted: int = 0
    files_before: int = 0
    files_after: int = 0
    failed: int = 0


def compact_due(table: LakeTable, now_ms: int) -> Kept:
    """Compact each date that is worth it.

    Raises:
        LakeUnavailable: The files could not be listed.
    """
    kept = Kept()
    for date in dates_due(table.dates(), date_of(now_ms)):
        try:
            done = table.compact(date)
        except (Conflict, BackendError):
            kept.failed += 1
            continue
        kept.compacted += 1
        kept.files_before += done.files_before
        kept.files_after += done.files_after
    return kept
