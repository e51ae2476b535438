"""Which stored documents a query or a feed may see, as SQL conditions.

By whole key, by the leading levels of a hierarchical key, by hash range, by physical partition, or
all of the container. Refuses a partition that does not exist with 410, as after a split.
"""

import sqlite3
from collections.abc import Iterable
from dataclasses import dataclass

from cell_devstack.cosmos.catalog import Container
from cell_devstack.cosmos.engine import Engine
from cell_devstack.cosmos.errors import PARTITION_RANGE_GONE, CosmosError
from cell_devstack.cosmos.exchange import Request
from cell_devstack.cosmos.sql_prefilter import Condition


@dataclass(frozen=True, slots=True)
class StoredRow:
    """A document as a query reads it."""

    number: int
    text: str


class Visibility:
    """Turns the scope of a request into conditions, and conditions into rows."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    def conditions(self, container: Container, request: Request) -> list[Condition]:
        """All conditions."""
        return [
            Condition("container=?", (container.number,)),
            *_by_key(container, request),
            *_by_place(request),
            *self._by_partition(request),
        ]

    def partition_of(self, request: Request) -> int | None:
        """The physical partition the request names, if it does."""
        name = request.headers.get("x-ms-documentdb-partitionkeyrangeid")
        if name is None:
            return None
        if name not in {str(one.number) for one in self._engine.ranges}:
            raise CosmosError(
                410, "The partition key range is gone.", sub_status=PARTITION_RANGE_GONE
            )
        return int(name)

    def select(
        self, columns: str, conditions: Iterable[Condition], order: str, limit: int = -1
    ) -> sqlite3.Cursor:
        """The columns of all documents that fulfil all conditions; -1 is no limit."""
        listed = list(conditions)
        where = " AND ".join(condition.sql for condition in listed)
        arguments = [argument for condition in listed for argument in condition.arguments]
        return self._engine.execute(
            f"SELECT {columns} FROM document WHERE {where} ORDER BY {order} LIMIT ?",  # noqa: S608 - only constants of this package; every value is an argument
            *arguments,
            limit,
        )

    def _by_partition(self, request: Request) -> list[Condition]:
        partition = self.partition_of(request)
        return [] if partition is None else [Condition("partition=?", (partition,))]


def is_scoped(request: Request) -> bool:
    """Whether the request is limited to a part of the container."""
    return not request.headers.keys().isdisjoint(
        {
            "x-ms-documentdb-partitionkey",
            "x-ms-documentdb-partitionkeyrangeid",
            "x-ms-start-epk",
        }
    )


def _by_key(container: Container, request: Request) -> list[Condition]:
    key = request.key(container)
    if key is None:
        return []
    if key.levels == len(container.key_paths):
        return [Condition("key=?", (key.text,))]
    return [Condition("place>=?", (key.place,)), Condition("place<?", (key.place + "FF",))]


def _by_place(request: Request) -> list[Condition]:
    low, high = request.headers.get("x-ms-start-epk"), request.headers.get("x-ms-end-epk")
    if low is None or high is None:
        return []
    if low == high:
        return [Condition("place=?", (low,))]
    return [Condition("place>=?", (low,)), Condition("place<?", (high,))]
