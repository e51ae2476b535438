"""What the lake needs from the world: one table that takes each append once.

Refuses to name a format. Each promise is a test of the tables' suite.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from cell_lake.domain.housekeeping import DateFiles
from cell_lake.domain.rows import Row
from cell_lake.domain.shards import Stripe


class LakeHandle(Protocol):
    """The table as it was when it was opened, and an application's place in it.

    Attributes:
        version: Of the application's last append in that state; 0 before the first.
    """

    @property
    def version(self) -> int:
        """See above."""

    def append(self, n: int, rows: Sequence[Row]) -> None:
        """Append `rows` and set the application's version to `n`, in one commit.

        Where the version was looked up and what is written belong together: a second append of
        the same application since then is noticed, whoever made it.

        Raises:
            LakeConflict: The application appended since the handle was opened, which may be this
                very append with its answer lost, or others kept coming between.
            LakeUnavailable: Nothing was written.
            LakeOutcomeUnknown: It may have been written.
            LakeSchemaDiffers: The table cannot take these columns. Nothing was written.
        """

    def held(self, stripe: Stripe, first: int, last: int) -> set[tuple[int, int, int]]:
        """Return the (epoch, seq, index) of a stripe's rows from seq `first` to `last`.

        Reads rows, which a relay never does; it may not be allowed to.

        Raises:
            LakeUnavailable: The store did not answer.
        """


@dataclass(frozen=True, slots=True, kw_only=True)
class Compacted:
    """What a compaction did."""

    files_before: int
    files_after: int


class LakeTable(Protocol):
    """One append-only table of rows, in an object store that others read at any moment."""

    def open(self, application: str) -> LakeHandle:
        """Return a fresh handle for `application`; makes the table if there is none.

        Raises:
            LakeUnavailable: The store did not answer.
            LakeSchemaDiffers: What is there is no table of this code.
        """

    def compact(self, date: str) -> Compacted:
        """Join the small files of one ingest date (`YYYY-MM-DD`); rows stay what they are.

        Raises:
            LakeConflict, LakeUnavailable, LakeOutcomeUnknown: As `append`; doing it again is safe.
        """

    def vacuum(self, older_than_h: int) -> int:
        """Remove files that belong to no state of the last `older_than_h` hours; say how many.

        Raises:
            LakeUnavailable: Some may be left; doing it again is safe.
        """

    def erase(self, tenant: str) -> int:
        """Remove a tenant's rows from the current state; return how many.

        Older states, and files, hold them until those are vacuumed.

        Raises:
            LakeConflict, LakeUnavailable, LakeOutcomeUnknown: As `append`; doing it again is safe.
        """

    def dates(self) -> Sequence[DateFiles]:
        """Return how many files each ingest date has in the current state.

        Raises:
            LakeUnavailable: The store did not answer.
        """

    def files(self) -> Sequence[str]:
        """Return where the current state's files are, as paths or URLs.

        Raises:
            LakeUnavailable: The store did not answer.
        """
