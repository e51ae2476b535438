"""Rows as a table, CSV, JSON, Parquet or CloudEvents.

Refuses to write Parquet to a terminal, and characters into one that it would obey.
"""

import csv
import json
from collections.abc import Mapping, Sequence
from dataclasses import fields
from datetime import date, datetime
from decimal import Decimal
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, Literal, TextIO

from rich.console import Console
from rich.table import Table
from rich.text import Text

from cell_lake.domain.cloud_events import cloud_event
from cell_lake.domain.rows import Row
from cell_lake.domain.schema import EVENTS, PARTITION

if TYPE_CHECKING:
    import duckdb

Form = Literal["table", "csv", "json", "parquet", "cloudevents"]
FORMS: Final[Sequence[Form]] = ("table", "csv", "json", "parquet", "cloudevents")

PAGE: Final = 1000
TABLE_ROWS_MAX: Final = 1000
_PLAIN_COLUMNS: Final = 160
_TIMES: Final[Mapping[str, str]] = {"time": "time_ms", "ingest_time": "ingest_time_ms"}
"""Columns of the lake that a `Row` has in another form."""

_FIELDS: Final = frozenset(field.name for field in fields(Row))


class ColumnsMissing(Exception):
    """The query leaves out columns that an event is made of."""

    def __init__(self, names: Sequence[str]) -> None:
        super().__init__(*names)
        self.names = names


def write_rows(
    relation: "duckdb.DuckDBPyConnection", form: Form, out: TextIO, *, is_terminal: bool
) -> int:
    """Write what a query found in `form`, which is not Parquet; return how many rows.

    Raises:
        ColumnsMissing: `cloudevents` needs whole rows of the lake.
    """
    names = [column[0] for column in relation.description or ()]
    if form == "csv":
        return _csv(relation, names, out)
    if form == "json":
        return _json(relation, names, out)
    if form == "cloudevents":
        return _cloud_events(relation, names, out)
    rows = relation.fetchmany(TABLE_ROWS_MAX + 1)
    width = None if is_terminal else _PLAIN_COLUMNS
    console = Console(file=out, highlight=False, markup=False, emoji=False, width=width)
    console.print(_table(names, rows[:TABLE_ROWS_MAX]))
    if len(rows) > TABLE_ROWS_MAX:
        console.print(f"More than {TABLE_ROWS_MAX} rows: --format csv has them all.")
    return min(len(rows), TABLE_ROWS_MAX)


def write_parquet(connection: "duckdb.DuckDBPyConnection", sql: str, path: Path) -> int:
    """Write what `sql` finds to a Parquet file; return how many rows."""
    quoted = str(path).replace("'", "''")
    done = connection.execute(f"COPY ({sql}) TO '{quoted}' (FORMAT parquet)").fetchone()
    return int(done[0]) if done else 0


def _csv(relation: "duckdb.DuckDBPyConnection", names: Sequence[str], out: TextIO) -> int:
    writer = csv.writer(out, lineterminator="\n")
    writer.writerow(names)
    count = 0
    while rows := relation.fetchmany(PAGE):
        writer.writerows(["" if v is None else _plain(v) for v in row] for row in rows)
        count += len(rows)
    return count


def _json(relation: "duckdb.DuckDBPyConnection", names: Sequence[str], out: TextIO) -> int:
    """Write one JSON object a line."""
    count = 0
    while rows := relation.fetchmany(PAGE):
        for row in rows:
            document = dict(zip(names, map(_plain, row), strict=True))
            out.write(json.dumps(document, ensure_ascii=False) + "\n")
        count += len(rows)
    return count


def _cloud_events(relation: "duckdb.DuckDBPyConnection", names: Sequence[str], out: TextIO) -> int:
    """Write one CloudEvent a line, in the JSON format; a row without an event is none."""
    wanted = {column.name for column in EVENTS} - {PARTITION}
    if missing := sorted(wanted.difference(names)):
        raise ColumnsMissing(missing)
    count = 0
    while rows := relation.fetchmany(PAGE):
        for values in rows:
            row = _row(dict(zip(names, values, strict=True)))
            if row.type is not None:
                out.write(json.dumps(cloud_event(row), ensure_ascii=False) + "\n")
                count += 1
    return count


def _row(values: Mapping[str, Any]) -> Row:
    times = {
        name: None if values[column] is None else round(values[column].timestamp() * 1000)
        for column, name in _TIMES.items()
    }
    return Row(**{name: text for name, text in values.items() if name in _FIELDS} | times)


def _table(names: Sequence[str], rows: Sequence[Sequence[Any]]) -> Table:
    table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0), header_style="bold")
    for position, name in enumerate(names):
        is_number = bool(rows) and isinstance(rows[0][position], int | float | Decimal)
        table.add_column(name, justify="right" if is_number else "left", overflow="fold")
    for row in rows:
        table.add_row(*(Text(_printable("" if v is None else str(_plain(v)))) for v in row))
    return table


def _plain(value: Any) -> Any:  # noqa: ANN401 - whatever a column holds
    match value:
        case datetime() | date():
            return value.isoformat()
        case Decimal():
            return int(value) if value == value.to_integral_value() else str(value)
        case list() | tuple():
            return [_plain(each) for each in value]
        case dict():
            return {str(name): _plain(each) for name, each in value.items()}
        case None | bool() | int() | float() | str():
            return value
        case _:
            return str(value)


def _printable(text: str) -> str:
    return "".join(c if c.isprintable() else "?" for c in text)
