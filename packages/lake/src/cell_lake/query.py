"""Ask the lake in SQL: a DuckDB with the tables and views ready.

Files are read in place, in a folder and in an object store. Refuses to load extensions: they would
be downloaded.
"""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import duckdb
from deltalake import DeltaTable

from cell_lake.delta_errors import translated
from cell_lake.domain.schema import EVENTS, LINEAGE, PARTITION, Column, Kind
from cell_lake.errors import LakeUnavailable
from cell_lake.store_files import StoreFiles, StoreSilent
from cell_lake.table_delta import files_of, opened
from cell_lake.views import VIEWS

if TYPE_CHECKING:
    from collections.abc import Sequence

_SQL_TYPES: Final[Mapping[Kind, str]] = {
    "text": "VARCHAR",
    "int32": "INTEGER",
    "int64": "BIGINT",
    "time": "TIMESTAMPTZ",
    "date": "DATE",
}


@dataclass(frozen=True, slots=True)
class Place:
    """Where a lake's two tables are; `options` are those of delta-rs's object stores."""

    events_url: str
    lineage_url: str
    options: Mapping[str, str] | None = None


def connect(
    events_url: str, lineage_url: str, options: Mapping[str, str] | None = None
) -> duckdb.DuckDBPyConnection:
    """Return a connection with `events`, `lineage` and the views, as the lake is now.

    Raises:
        As `connect_all`.
    """
    return connect_all([Place(events_url, lineage_url, options)])


def connect_all(places: "Sequence[Place]") -> duckdb.DuckDBPyConnection:
    """Return a connection to several lakes as to one: each cell may have its own in its cloud.

    A table that is not there yet is an empty one; nothing is made.

    Raises:
        LakeUnavailable: A store did not answer.
        LakeSchemaDiffers: A table is none of this code's.
    """
    connection = duckdb.connect(
        config={"autoinstall_known_extensions": False, "autoload_known_extensions": False}
    )
    connection.execute("SET TimeZone = 'UTC'")
    in_stores = StoreFiles()
    connection.register_filesystem(in_stores)
    for name in ("events", "lineage"):
        parts = [f"{name}_{number}" for number in range(len(places))]
        for part, place in zip(parts, places, strict=True):
            url = place.events_url if name == "events" else place.lineage_url
            _offer(connection, part, url, place.options, in_stores)
        union = " UNION ALL BY NAME ".join(f"SELECT * FROM {part}" for part in parts)  # noqa: S608 - names of ours
        connection.execute(f"CREATE VIEW {name} AS {union}")
    for name, sql in VIEWS.items():
        connection.execute(f"CREATE VIEW {name} AS {sql}")
    return connection


def is_silence(fault: duckdb.Error) -> bool:
    """Say whether DuckDB failed as a store did not give it a file."""
    return str(fault).startswith(StoreSilent.__name__)


@contextmanager
def silence_told() -> Iterator[None]:
    """Turn DuckDB's error about a file that a store did not give into one of ours.

    Raises:
        LakeUnavailable: A store did not answer.
        duckdb.Error: Any other.
    """
    try:
        yield
    except duckdb.Error as fault:
        if is_silence(fault):
            raise LakeUnavailable("read") from None
        raise


def _offer(
    connection: duckdb.DuckDBPyConnection,
    name: str,
    url: str,
    options: Mapping[str, str] | None,
    in_stores: StoreFiles,
) -> None:
    is_events = name.startswith("events")
    columns, partition = (EVENTS, PARTITION) if is_events else (LINEAGE, None)
    with translated("open"):
        is_there = DeltaTable.is_deltatable(url, dict(options) if options else None)
    table = opened(url, columns, partition=partition, options=options) if is_there else None
    files = files_of(table) if table else []
    if not table or not files:
        connection.execute(f"CREATE TABLE {name} ({_definitions(columns)})")
        return
    if not _is_in_its_files(table):
        with translated("read"):
            connection.register("reader", table.scan())
            connection.execute(f"CREATE TABLE {name} AS SELECT * FROM reader")  # noqa: S608 - ours
            connection.unregister("reader")
        return
    if "://" in files[0]:
        with translated("open"):
            files = in_stores.add(table, options)
    quoted = ", ".join("'" + file.replace("'", "''") + "'" for file in files)
    source = f"read_parquet([{quoted}], hive_partitioning = true, union_by_name = true)"
    sql = f"CREATE VIEW {name} AS SELECT * FROM {source}"  # noqa: S608 - quoted, and ours
    with silence_told():
        connection.execute(sql)


def _is_in_its_files(table: DeltaTable) -> bool:
    """Say whether the files alone tell what the table holds, as those that we write do.

    Another engine may have marked rows as deleted, or called columns otherwise. Then delta-rs reads
    it, into DuckDB's memory.
    """
    protocol = table.protocol()
    features = set(protocol.reader_features or ())
    return protocol.min_reader_version != 2 and not features & {"deletionVectors", "columnMapping"}


def _definitions(columns: "Sequence[Column]") -> str:
    return ", ".join(f'"{column.name}" {_SQL_TYPES[column.kind]}' for column in columns)
