"""The columns of the lake's tables, and how they may change: a column that may be empty is added.

Refuses everything else. A name, a type and a meaning are for good: three engines and two clouds
read them, and rows of the first day stand beside those of the last.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final, Literal, TypeAlias

Kind: TypeAlias = Literal["text", "int32", "int64", "time", "date"]
"""`time` is microseconds since 1970-01-01 UTC."""


@dataclass(frozen=True, slots=True)
class Column:
    """One column; `optional` ones may be empty, and only those may be added later."""

    name: str
    kind: Kind
    optional: bool = False


EVENTS: Final = (
    Column("tenant_id", "text"),
    Column("domain", "text", optional=True),
    Column("stream", "text", optional=True),
    Column("stripe", "int32"),
    Column("seq", "int64"),
    Column("index", "int32"),
    Column("epoch", "int64"),
    Column("events", "int32"),
    Column("outcome", "text"),
    Column("code", "text"),
    Column("type", "text", optional=True),
    Column("time", "time", optional=True),
    Column("ingest_time", "time"),
    Column("cell", "text"),
    Column("cloud", "text"),
    Column("command_id", "text", optional=True),
    Column("traceparent", "text"),
    Column("data", "text", optional=True),
    Column("chain", "text"),
    Column("ingest_date", "date"),
)

PARTITION: Final = "ingest_date"
"""What files are laid out by: it only grows, so that a closed date is compacted once."""

INDEXED: Final = ("tenant_id", "stripe", "seq", "epoch", "type", "time")
"""Columns whose least and greatest value each file's entry in the log tells."""

LINEAGE: Final = (
    Column("tenant_id", "text"),
    Column("epoch", "int64"),
    Column("stripe", "int32"),
    Column("rev", "int64"),
    Column("home", "text"),
    Column("mode", "text"),
    Column("source", "text"),
    Column("source_epoch", "int64"),
    Column("base_seq", "int64", optional=True),
    Column("base_chain", "text", optional=True),
    Column("time", "time"),
    Column("decided_by", "text"),
)


def faults_of(held: Mapping[str, str], wanted: Sequence[Column]) -> list[str]:
    """Return why rows of `wanted` may not be written to a table that holds `held`.

    Columns that are held and not wanted are fine: a newer writer added them, and they stay empty.
    """
    faults = []
    for column in wanted:
        kind = held.get(column.name)
        if kind is None and not column.optional:
            faults.append(f"{column.name} is new and not optional")
        if kind is not None and kind != column.kind:
            faults.append(f"{column.name} is {kind}, not {column.kind}")
    return faults
