"""A partition's items in the order of their sort keys: what a Query of a range reads, no more.

Strings compare by code point, which is DynamoDB's order too (the bytes of UTF-8). It refuses to
guess: a request of another form than the cells' is nobody's range.
"""

import copy
import threading
from bisect import bisect_left, bisect_right, insort
from collections.abc import Iterable, Mapping
from typing import Any, Final, NamedTuple, Self

Item = dict[str, Any]

_RANGE: Final = "pk = :pk AND sk BETWEEN :low AND :high"
_UNREAD: Final = frozenset({"IndexName", "ExclusiveStartKey", "ScanIndexForward"})


class Range(NamedTuple):
    """What a Query asks for: sort keys from `low` to `high`, both included, `limit` at most."""

    partition: str
    low: str
    high: str
    limit: int


def range_of(request: Mapping[str, Any]) -> Range | None:
    """Return the range that `request` reads, or None where it is of another form."""
    if request.get("KeyConditionExpression") != _RANGE or not _UNREAD.isdisjoint(request):
        return None
    values, limit = request.get("ExpressionAttributeValues"), request.get("Limit")
    if not isinstance(values, Mapping) or not isinstance(limit, int):
        return None
    partition, low, high = (_string(values.get(name)) for name in (":pk", ":low", ":high"))
    if partition is None or low is None or high is None:
        return None
    return Range(partition, low, high, limit)


class OrderedItems(dict[str, Item]):
    """The items of one partition by sort key, which knows their order while it changes.

    It changes through `[]`, `del` and `pop`, one thread after the other. Its copy is a plain dict.
    """

    _changing: Final = threading.Lock()

    def __init__(self, items: Iterable[tuple[str, Item]] = ()) -> None:
        super().__init__(items)
        self._keys = sorted(self)

    def __setitem__(self, key: str, item: Item) -> None:
        with self._changing:
            if key not in self:
                insort(self._keys, key)
            super().__setitem__(key, item)

    def __delitem__(self, key: str) -> None:
        with self._changing:
            super().__delitem__(key)
            del self._keys[bisect_left(self._keys, key)]

    def pop(self, key: str, default: Item | None = None) -> Item | None:  # type: ignore[override]  # what ministack calls
        """Remove `key` and return its item, or `default` where there is none."""
        item = self.get(key, default)
        if key in self:
            del self[key]
        return item

    def __deepcopy__(self, memo: dict[int, Any]) -> dict[str, Item]:
        return copy.deepcopy(dict(self), memo)

    def between(self, low: str, high: str, limit: int) -> dict[str, Item]:
        """Return the first `limit` items from `low` to `high`, in order."""
        with self._changing:
            begin = bisect_left(self._keys, low)
            end = min(bisect_right(self._keys, high), begin + limit)
            return {key: self[key] for key in self._keys[begin:end]}


class OrderedTable(dict[str, OrderedItems]):
    """Every partition of a table; one that is read by `[]` and is not there begins empty."""

    @classmethod
    def of(cls, items: Mapping[str, Mapping[str, Item]]) -> Self:
        """Return `items`, in order."""
        return cls((name, OrderedItems(partition.items())) for name, partition in items.items())

    def __missing__(self, partition: str) -> OrderedItems:
        begun = self[partition] = OrderedItems()
        return begun


def _string(value: object) -> str | None:
    text = value.get("S") if isinstance(value, Mapping) else None
    return text if isinstance(text, str) else None
