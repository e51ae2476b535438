"""`LakeTable` as a Delta table, written by delta-rs, in a folder or an object store by its URL.

Refuses to set `delta.setTransactionRetentionDuration`: a forgotten transaction id is a row twice.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import unquote

from deltalake import (
    CommitProperties,
    DeltaTable,
    PostCommitHookProperties,
    Schema,
    Transaction,
    WriterProperties,
    write_deltalake,
)
from deltalake.exceptions import TableNotFoundError

from cell_lake.arrow import batch_of_rows, schema_of
from cell_lake.delta_errors import translated
from cell_lake.domain.housekeeping import SMALL_BYTES, DateFiles
from cell_lake.domain.rows import Row
from cell_lake.domain.schema import EVENTS, INDEXED, PARTITION, Column, Kind, faults_of
from cell_lake.domain.shards import Stripe
from cell_lake.errors import LakeConflict, LakeSchemaDiffers
from cell_lake.ports import Compacted, LakeHandle

if TYPE_CHECKING:
    from arro3.core import RecordBatch

COMMIT_TRIES_MAX: Final = 20
"""Appends of other shards that may come between; each costs one more read of the log's end."""

FILE_BYTES: Final = 128 * 1024 * 1024
"""What compaction aims at."""

_KEY: Final = ("epoch", "seq", "index")
_LAST: Final = ("tenant_id", "stripe", "epoch", "seq", "chain")

_KINDS: Final[Mapping[str, Kind]] = {
    "string": "text",
    "integer": "int32",
    "long": "int64",
    "timestamp": "time",
    "date": "date",
}


@dataclass(frozen=True, slots=True)
class DeltaLakeTable:
    """The events' table at `url`; `options` are those of delta-rs's object stores.

    Safe to use from many threads; every call opens the table afresh.
    """

    url: str
    options: Mapping[str, str] | None = None

    def open(self, application: str) -> LakeHandle:
        """See `LakeTable.open`."""
        table = opened(self.url, EVENTS, partition=PARTITION, options=self.options)
        with translated("open"):
            version = table.transaction_version(application) or 0
        return _Handle(table, application, version)

    def compact(self, date: str) -> Compacted:
        """See `LakeTable.compact`."""
        table = self._opened()
        with translated("compact", writes="files"):
            done: dict[str, Any] = table.optimize.compact(
                partition_filters=[(PARTITION, "=", date)],
                target_size=FILE_BYTES,
                writer_properties=_properties(),
            )
        return Compacted(files_before=done["numFilesRemoved"], files_after=done["numFilesAdded"])

    def vacuum(self, older_than_h: int) -> int:
        """See `LakeTable.vacuum`; files of writers that died before their commit go too."""
        return vacuum(self._opened(), older_than_h)

    def erase(self, tenant: str) -> int:
        """See `LakeTable.erase`; each file that holds a row of the tenant is written anew."""
        table = self._opened()
        quoted = tenant.replace("'", "''")
        with translated("erase", writes="files"):
            done: dict[str, Any] = table.delete(f"tenant_id = '{quoted}'")
        return int(done["num_deleted_rows"])

    def dates(self) -> Sequence[DateFiles]:
        """See `LakeTable.dates`."""
        table = self._opened()
        with translated("dates"):
            found = table.get_add_actions(flatten=True)
            names = found[f"partition.{PARTITION}"].to_pylist()
            sizes = found["size_bytes"].to_pylist()
        by_date: dict[str, list[int]] = {}
        for name, size in zip(names, sizes, strict=True):
            by_date.setdefault(str(name), []).append(int(size))
        return [
            DateFiles(date=d, files=len(s), small=sum(size < SMALL_BYTES for size in s))
            for d, s in sorted(by_date.items())
        ]

    def files(self) -> Sequence[str]:
        """See `LakeTable.files`."""
        return files_of(self._opened())

    def is_there(self) -> bool:
        """Say whether there is a table; every other call makes one where there is none.

        Raises:
            LakeUnavailable: The store did not answer.
        """
        with translated("open"):
            return DeltaTable.is_deltatable(self.url, dict(self.options) if self.options else None)

    def last_rows(self, cell: str) -> Mapping[Stripe, tuple[int, int, str]]:
        """Return the last (epoch, seq, chain) that `cell` wrote of each stripe; reads all its rows.

        Raises:
            LakeUnavailable: The store did not answer.
        """
        table = self._opened()
        quoted = cell.replace("'", "''")
        last: dict[Stripe, tuple[int, int, str]] = {}
        with translated("last rows"):
            for batch in table.scan(columns=list(_LAST), predicate=f"cell = '{quoted}'"):
                columns = (batch[name].to_pylist() for name in _LAST)
                for tenant, number, *at in zip(*columns, strict=True):
                    stripe, place = Stripe(tenant, number), tuple(at)
                    last[stripe] = max(last.get(stripe, place), place)
        return last

    def _opened(self) -> DeltaTable:
        return opened(self.url, EVENTS, partition=PARTITION, options=self.options)


@dataclass(frozen=True, slots=True)
class _Handle:
    table: DeltaTable
    application: str
    version: int

    def append(self, n: int, rows: Sequence[Row]) -> None:
        append(self.table, batch_of_rows(rows), self.application, n)

    def held(self, stripe: Stripe, first: int, last: int) -> set[tuple[int, int, int]]:
        tenant = stripe.tenant.replace("'", "''")
        wanted = (
            f"tenant_id = '{tenant}' AND stripe = {stripe.number}"
            f" AND seq BETWEEN {first} AND {last}"
        )
        found: set[tuple[int, int, int]] = set()
        with translated("held"):
            for batch in self.table.scan(columns=list(_KEY), predicate=wanted):
                found.update(zip(*(batch[name].to_pylist() for name in _KEY), strict=True))
        return found


def append(table: DeltaTable, batch: "RecordBatch", application: str, n: int) -> None:
    """Append `batch` to `table`, as it was opened, as number `n` of `application`.

    Raises:
        As `LakeHandle.append`.
    """
    with translated("append", writes="commit"):
        write_deltalake(
            table,
            batch,
            mode="append",
            # Columns that a newer writer added stay, and ours are added.
            schema_mode="merge",
            writer_properties=_properties(),
            commit_properties=CommitProperties(
                app_transactions=[Transaction(application, n)],
                custom_metadata={"application": application, "n": str(n)},
                max_commit_retries=COMMIT_TRIES_MAX,
            ),
            # A relay may not delete; old commits go with the vacuum.
            post_commithook_properties=PostCommitHookProperties(cleanup_expired_logs=False),
        )


def opened(
    url: str,
    columns: Sequence[Column],
    *,
    partition: str | None,
    options: Mapping[str, str] | None,
) -> DeltaTable:
    """Return the table at `url` as it is now, made with `columns` if there is none.

    Raises:
        LakeUnavailable: The store did not answer.
        LakeSchemaDiffers: Its columns are others.
    """
    given = dict(options) if options else None
    with translated("open"):
        try:
            table = DeltaTable(url, storage_options=given)
        except TableNotFoundError:
            table = _created(url, columns, partition, given)
        held = {f.name: _kind(f.type) for f in table.schema().fields}
    faults = faults_of(held, columns)
    if faults:
        raise LakeSchemaDiffers(faults=faults)
    return table


def vacuum(table: DeltaTable, older_than_h: int) -> int:
    """Remove files of `table` as `LakeTable.vacuum` does; return how many.

    Raises:
        LakeUnavailable: Some may be left.
    """
    with translated("vacuum"):
        gone = table.vacuum(
            retention_hours=older_than_h,
            dry_run=False,
            enforce_retention_duration=False,
            full=True,
        )
        table.cleanup_metadata()
    return len(gone)


def files_of(table: DeltaTable) -> list[str]:
    """Return where the files of a table's state are: URLs, or paths where it is in a folder.

    Raises:
        LakeUnavailable: The store did not answer.
    """
    with translated("files"):
        uris = table.file_uris()
    # Paths come escaped as URLs are.
    return [uri if "://" in uri else unquote(uri) for uri in uris]


def _created(
    url: str,
    columns: Sequence[Column],
    partition: str | None,
    options: dict[str, str] | None,
) -> DeltaTable:
    try:
        with translated("create", writes="commit"):
            return DeltaTable.create(
                url,
                Schema.from_arrow(schema_of(columns)),
                mode="error",
                partition_by=partition,
                storage_options=options,
                configuration={"delta.dataSkippingStatsColumns": ",".join(INDEXED)},
            )
    except LakeConflict:  # Another one made it.
        return DeltaTable(url, storage_options=options)


def _kind(delta_type: object) -> str:
    name = str(getattr(delta_type, "type", "nested"))
    return _KINDS.get(name, name)


def _properties() -> WriterProperties:
    return WriterProperties(compression="ZSTD", compression_level=3)
