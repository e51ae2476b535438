"""The process that is DynamoDB: ministack, which finds the range of a Query by its order.

Ministack reads, sorts and tests the whole partition for every page: 16 ms for each 1,000 items
(measured with 1.4.21), so that a tenant of 60,000 documents could not be copied within a cell's
time. Only the items that are looked at change: the answer to each request is ministack's own.
"""

import gc
from collections.abc import Callable
from typing import Any, Final

from ministack import app
from ministack.services import dynamodb

from cell_devstack.dynamodb_order import OrderedTable, range_of

Answer = tuple[int, dict[str, str], bytes]

_ITEMS: Final = "items"
_COLLECTED: Final = (2_000, 20, 100_000)
"""Its items live as long as it does: to look through a million of them stops it for a second."""


def ordered(query: Callable[[dict[str, Any]], Answer]) -> Callable[[dict[str, Any]], Answer]:
    """Return ministack's `query`, which is shown only the range that a request reads."""

    def answer(request: dict[str, Any]) -> Answer:
        table = dynamodb._tables.get(request.get("TableName"))
        wanted = range_of(request)
        if table is None or wanted is None:
            return query(request)
        everything = table[_ITEMS]
        if not isinstance(everything, OrderedTable):  # The table is new, or was read from disk.
            everything = table[_ITEMS] = OrderedTable.of(everything)
        partition = everything.get(wanted.partition)
        shown = partition.between(wanted.low, wanted.high, wanted.limit) if partition else {}
        # Requests take turns on one thread; ministack's expiry, on another, holds this lock.
        with dynamodb._lock:
            table[_ITEMS] = {wanted.partition: shown}
            try:
                return query(request)
            finally:
                table[_ITEMS] = everything

    return answer


def main() -> None:
    """Serve until the process is ended; ministack reads its settings from the environment."""
    gc.set_threshold(*_COLLECTED)
    dynamodb._query = ordered(dynamodb._query)
    app.main()


if __name__ == "__main__":
    main()
