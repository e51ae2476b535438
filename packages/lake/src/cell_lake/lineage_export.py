"""Bring the registry's lineage into the lake, as a second small table beside the events.

Refuses to read the registry: records come as values, with the rev at which each became what it is.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Final

from cell_lake.arrow import batch_of_lineage
from cell_lake.delta_errors import translated
from cell_lake.domain.housekeeping import LIVE_FILES_MAX
from cell_lake.domain.lineage import LineageRecord, rows_of_lineage
from cell_lake.domain.schema import LINEAGE
from cell_lake.table_delta import append, files_of, opened, vacuum

APPLICATION: Final = "lineage"


@dataclass(frozen=True, slots=True)
class LineageTable:
    """The table at `url`; its transaction version is the last rev that was exported."""

    url: str
    options: Mapping[str, str] | None = None

    def exported(self) -> int:
        """Return the rev up to which lineage is in the lake; 0 for nothing.

        Raises:
            LakeUnavailable, LakeSchemaDiffers: As `LakeTable.open`.
        """
        table = opened(self.url, LINEAGE, partition=None, options=self.options)
        with translated("open"):
            return table.transaction_version(APPLICATION) or 0

    def export(self, records: Iterable[LineageRecord], rev: int) -> int:
        """Append what of `records` changed since the last export; return how many rows.

        `records` hold every record that changed after `exported()` and up to `rev`; more do no
        harm. Two exports at once write each record once.

        Raises:
            LakeConflict: Another export came between; nothing was written.
            LakeUnavailable, LakeOutcomeUnknown, LakeSchemaDiffers: As `LakeHandle.append`.
        """
        table = opened(self.url, LINEAGE, partition=None, options=self.options)
        with translated("open"):
            done = table.transaction_version(APPLICATION) or 0
        rows = [
            row for record in records if done < record.rev <= rev for row in rows_of_lineage(record)
        ]
        if rev > done and rows:
            append(table, batch_of_lineage(rows), APPLICATION, rev)
            return len(rows)
        return 0

    def tidy(self, keep_h: int) -> None:
        """Join the table's files once they are many, and remove those unneeded for `keep_h` hours.

        Raises:
            LakeConflict, LakeUnavailable, LakeOutcomeUnknown: As `LakeTable.compact`.
        """
        table = opened(self.url, LINEAGE, partition=None, options=self.options)
        if len(files_of(table)) >= LIVE_FILES_MAX:
            with translated("compact", writes="files"):
                table.optimize.compact()
        vacuum(table, keep_h)
