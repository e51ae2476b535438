"""Rows as Arrow, in the columns of `domain.schema`; the only module that knows both.

Uses arro3, which deltalake brings along: pyarrow would be 130 MB more in every relay.
"""

from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any, Final

from arro3.core import Array, DataType, Field, RecordBatch, Schema

from cell_lake.domain.lineage import LineageRow
from cell_lake.domain.rows import Row
from cell_lake.domain.schema import EVENTS, LINEAGE, Column, Kind

_DAY_MS: Final = 86_400_000

_TYPES: Final[Mapping[Kind, Callable[[], DataType]]] = {
    "text": DataType.utf8,
    "int32": DataType.int32,
    "int64": DataType.int64,
    "time": lambda: DataType.timestamp("us", tz="UTC"),
    "date": DataType.date32,
}

# How a value is put in before it gets its type: times and dates are counted from 1970.
_STORED: Final[Mapping[Kind, Callable[[], DataType]]] = {
    **_TYPES,
    "time": DataType.int64,
    "date": DataType.int32,
}


def schema_of(columns: Sequence[Column]) -> Schema:
    """Return `columns` as an Arrow schema."""
    return Schema([Field(c.name, _TYPES[c.kind](), nullable=c.optional) for c in columns])


def batch_of_rows(rows: Sequence[Row]) -> RecordBatch:
    """Return events as one batch; an empty one for none."""
    return _batch(EVENTS, [_event_values(row) for row in rows])


def batch_of_lineage(rows: Sequence[LineageRow]) -> RecordBatch:
    """Return lineage as one batch."""
    return _batch(LINEAGE, [_lineage_values(row) for row in rows])


def date_of(time_ms: int) -> str:
    """Return the UTC date of a time, as `YYYY-MM-DD`."""
    return datetime.fromtimestamp(time_ms / 1000, UTC).date().isoformat()


def _batch(columns: Sequence[Column], values: Sequence[tuple[Any, ...]]) -> RecordBatch:
    by_column = zip(*values, strict=True) if values else [()] * len(columns)
    arrays = [
        Array(list(column_values), type=_STORED[column.kind]()).cast(_TYPES[column.kind]())
        for column, column_values in zip(columns, by_column, strict=True)
    ]
    return RecordBatch.from_arrays(arrays, schema=schema_of(columns))


def _event_values(row: Row) -> tuple[Any, ...]:
    # In the order of `schema.EVENTS`; a test compares the names.
    return (
        row.tenant_id,
        row.domain,
        row.stream,
        row.stripe,
        row.seq,
        row.index,
        row.epoch,
        row.events,
        row.outcome,
        row.code,
        row.type,
        None if row.time_ms is None else row.time_ms * 1000,
        row.ingest_time_ms * 1000,
        row.cell,
        row.cloud,
        row.command_id,
        row.traceparent,
        row.data,
        row.chain,
        row.ingest_time_ms // _DAY_MS,
    )


def _lineage_values(row: LineageRow) -> tuple[Any, ...]:
    return (
        row.tenant_id,
        row.epoch,
        row.stripe,
        row.rev,
        row.home,
        row.mode,
        row.source,
        row.source_epoch,
        row.base_seq,
        row.base_chain,
        row.time_ms * 1000,
        row.decided_by,
    )
