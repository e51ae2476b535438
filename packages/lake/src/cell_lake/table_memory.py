"""The reference table: every promise of `LakeTable` in plain lists, the executable spec.

Refuses to be durable.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field

from cell_lake.domain.housekeeping import DateFiles
from cell_lake.domain.rows import Row
from cell_lake.domain.shards import Stripe
from cell_lake.errors import LakeConflict
from cell_lake.ports import Compacted, LakeHandle


@dataclass(slots=True)
class MemoryLakeTable:
    """`LakeTable` in memory.

    Attributes:
        rows: In the order of their commits.
        versions: The last append of each application.
    """

    rows: list[Row] = field(default_factory=list)
    versions: dict[str, int] = field(default_factory=dict)
    commits: int = 0

    def open(self, application: str) -> LakeHandle:
        """See `LakeTable.open`."""
        return _Handle(self, application, self.versions.get(application, 0))

    def compact(self, date: str) -> Compacted:
        """See `LakeTable.compact`; there are no files."""
        del date
        return Compacted(files_before=0, files_after=0)

    def vacuum(self, older_than_h: int) -> int:
        """See `LakeTable.vacuum`; there are no files."""
        del older_than_h
        return 0

    def erase(self, tenant: str) -> int:
        """See `LakeTable.erase`."""
        kept = [row for row in self.rows if row.tenant_id != tenant]
        erased = len(self.rows) - len(kept)
        self.rows = kept
        return erased

    def dates(self) -> Sequence[DateFiles]:
        """See `LakeTable.dates`; there are no files."""
        return ()

    def files(self) -> Sequence[str]:
        """See `LakeTable.files`; there are none."""
        return ()


@dataclass(frozen=True, slots=True)
class _Handle:
    table: MemoryLakeTable
    application: str
    version: int

    def append(self, n: int, rows: Sequence[Row]) -> None:
        if self.table.versions.get(self.application, 0) != self.version:
            raise LakeConflict
        self.table.versions[self.application] = n
        self.table.rows += rows
        self.table.commits += 1

    def held(self, stripe: Stripe, first: int, last: int) -> set[tuple[int, int, int]]:
        return {
            (row.epoch, row.seq, row.index)
            for row in self.table.rows
            if (row.tenant_id, row.stripe) == (stripe.tenant, stripe.number)
            and first <= row.seq <= last
        }
