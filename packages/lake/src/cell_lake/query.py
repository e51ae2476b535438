"""Ask the lake in SQL: a DuckDB with the tables and views ready.

Refuses to load extensions: they would be downloaded. So files in a folder are read in place, and a
table in an object store is read through delta-rs into DuckDB's memory, once per connection.
"""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Final

import duckdb

from cell_lake.delta_errors import translated
from cell_lake.domain.schema import EVENTS, LINEAGE, PARTITION, Column, Kind
from cell_lake.table_delta import files_of, opened
from cell_lake.views import VIEWS

if TYPE_CHECKING:
    from collections.abc import Sequence

    from deltalake import DeltaTable

_SQL_TYPES: Final[Mapping[Kind, str]] = {
    "text": "VARCHAR",
    "int32": "INTEGER",
    "int64": "BIGINT",
    "time": "TIMESTAMPTZ",
    "date": "DATE",
}


def connect(
    events_url: str, lineage_url: str, options: Mapping[str, str] | None = None
) -> duckdb.DuckDBPyConnection:
    """Return a connection with `events`, `lineage` and the views, as the lake is now.

    Raises:
        LakeUnavailable: The store did not answer.
        LakeSchemaDiffers: A table is none of this code's.
    """
    connection = duckdb.connect(
        config={"autoinstall_known_extensions": False, "autoload_known_extensions": False}
    )
    connection.execute("SET TimeZone = 'UTC'")
    _offer(connection, "events", opened(events_url, EVENTS, partition=PARTITION, options=options))
    _offer(connection, "lineage", opened(lineage_url, LINEAGE, partition=None, options=options))
    for name, sql in VIEWS.items():
        connection.execute(f"CREATE VIEW {name} AS {sql}")
    return connection


def _offer(connection: duckdb.DuckDBPyConnection, name: str, table: "DeltaTable") -> None:
    columns = EVENTS if name == "events" else LINEAGE
    files = files_of(table)
    if not files:
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
