"""Ask the lake in SQL: a DuckDB with the tables and views ready.

Refuses to load extensions: they would be downloaded. So files in a folder are read in place, and a
table in an object store is read through delta-rs into DuckDB's memory, once per connection.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import duckdb
from deltalake import DeltaTable

from cell_lake.delta_errors import translated
from cell_lake.domain.schema import EVENTS, LINEAGE, PARTITION, Column, Kind
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
    for name in ("events", "lineage"):
        parts = [f"{name}_{number}" for number in range(len(places))]
        for part, place in zip(parts, places, strict=True):
            url = place.events_url if name == "events" else place.lineage_url
            _offer(connection, part, url, place.options)
        union = " UNION ALL BY NAME ".join(f"SELECT * FROM {part}" for part in parts)  # noqa: S608 - names of ours
        connection.execute(f"CREATE VIEW {name} AS {union}")
    for name, sql in VIEWS.items():
        connection.execute(f"CREATE VIEW {name} AS {sql}")
    return connection


def _offer(
    connection: duckdb.DuckDBPyConnection,
    name: str,
    url: str,
    options: Mapping[str, str] | None,
) -> None:
    is_events = name.startswith("events")
    columns, partition = (EVENTS, PARTITION) if is_events else (LINEAGE, None)
    with translated("open"):
        is_there = DeltaTable.is_deltatable(url, dict(options) if options else None)
    table = opened(url, columns, partition=partition, options=options) if is_there else None
    files = files_of(table) if table else []
    if not table or not files:
        connection.execute(f"CREATE TABLE {name} ({_definitions(columns)})")
    elif "://" in files[0]:
        with translated("read"):
            reader = table.scan()
            connection.register("reader", reader)
            sql = f"CREATE TABLE {name} AS SELECT * FROM reader"  # noqa: S608 - a name of ours
            connection.execute(sql)
            connection.unregister("reader")
    else:
        quoted = ", ".join("'" + file.replace("'", "''") + "'" for file in files)
        source = f"read_parquet([{quoted}], hive_partitioning = true, union_by_name = true)"
        sql = f"CREATE VIEW {name} AS SELECT * FROM {source}"  # noqa: S608 - quoted, and ours
        connection.execute(sql)


def _definitions(columns: "Sequence[Column]") -> str:
    return ", ".join(f'"{column.name}" {_SQL_TYPES[column.kind]}' for column in columns)
