"""Items as stored: find, store and remove one document inside the running transaction.

Whoever opens the transaction calls `expire` first, so that nothing below meets an expired item.

Refuses documents the service would refuse: bad ids, a key that is not the request's, bad ttl,
more than 2 MB, a unique key taken. It knows nothing of preconditions.
"""

import json
import re
import struct
from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import Final, cast

from cell_devstack.cosmos.catalog import Container
from cell_devstack.cosmos.engine import (
    Engine,
    PartitionRange,
    new_etag,
    raw_resource_id,
    resource_id,
)
from cell_devstack.cosmos.errors import PARTITION_KEY_MISMATCH, CosmosError
from cell_devstack.cosmos.hashing import effective_partition_key
from cell_devstack.cosmos.values import UNDEFINED, Kind, dump_json, kind_of, parse_json

ITEM_BYTES_MAX: Final = 2 * 1024 * 1024

_BAD_ID = re.compile(r"[/\\?#]")
_SYSTEM = {"_rid", "_self", "_etag", "_ts", "_attachments", "_lsn"}


@dataclass(frozen=True, slots=True)
class LogicalKey:
    """A whole partition key, or the leading levels of a hierarchical one."""

    text: str
    """Its canonical JSON, the same for 1 and 1.0."""
    place: str
    """Where it hashes to."""
    levels: int


@dataclass(frozen=True, slots=True)
class Stored:
    """A stored version of an item."""

    number: int
    etag: str
    text: str

    @property
    def size_bytes(self) -> int:
        """The length of its JSON in UTF-8."""
        return len(self.text.encode())

    def fields(self) -> dict[str, object]:
        """Its parsed JSON, a fresh copy each time."""
        return cast("dict[str, object]", json.loads(self.text))


@lru_cache(maxsize=8192)
def parse_key(header: str, *, hierarchical: bool) -> LogicalKey:
    """The key in a `x-ms-documentdb-partitionkey` header, else 400."""
    values = parse_json(header)
    if not isinstance(values, list) or not values:
        raise CosmosError(400, "The partition key header is not a JSON array.")
    if any(kind_of(value) > Kind.STRING and value != {} for value in values):
        raise CosmosError(
            400, "A partition key is made of primitives.", sub_status=PARTITION_KEY_MISMATCH
        )
    place = effective_partition_key(values, hierarchical=hierarchical)
    return LogicalKey(_canonical(values), place, len(values))


class Documents:
    """The items of all containers; every method runs inside a transaction."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    def range_of(self, place: str) -> PartitionRange:
        """The physical partition at a hash place."""
        return next(one for one in self._engine.ranges if one.low <= place < one.high)

    def expire(self, container: Container) -> None:
        """Remove what has outlived its ttl; an indexed probe, and none without a default ttl."""
        if container.default_ttl_s is not None:
            self._engine.execute(
                "DELETE FROM document WHERE container = ? AND expires <= ?",
                container.number,
                self._engine.seconds(),
            )

    def find(self, container: Container, key: LogicalKey, item_id: str) -> Stored | None:
        """The item, if there is one."""
        row = self._engine.execute(
            "SELECT number, etag, body FROM document WHERE container = ? AND key = ? AND id = ?",
            container.number,
            key.text,
            item_id,
        ).fetchone()
        return None if row is None else Stored(*row)

    def store(
        self,
        container: Container,
        key: LogicalKey,
        fields: Mapping[str, object],
        old: Stored | None,
    ) -> Stored:
        """Create the item, or write its next version over `old`."""
        item_id, ttl_s = _checked_id(fields), _checked_ttl(fields)
        if _key_of(container, fields) != key.text:
            raise CosmosError(
                400,
                "PartitionKey extracted from document doesn't match the one specified in the "
                "header.",
                sub_status=PARTITION_KEY_MISMATCH,
            )
        self._check_unique_keys(container, key, fields)
        number = self._engine.next_number("document") if old is None else old.number
        rid = resource_id(raw_resource_id(container.rid) + struct.pack("<Q", number))
        timestamp_s = self._engine.seconds()
        etag = new_etag()
        text = dump_json(
            {name: value for name, value in fields.items() if name not in _SYSTEM}
            | {
                "_rid": rid,
                "_self": f"{container.body['_self']}docs/{rid}/",
                "_etag": etag,
                "_attachments": "attachments/",
                "_ts": timestamp_s,
            }
        )
        stored = Stored(number, etag, text)
        if stored.size_bytes > ITEM_BYTES_MAX:
            raise CosmosError(413, "Request size is too large.")
        partition = self.range_of(key.place).number
        self._engine.execute(
            "INSERT INTO document VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)"
            " ON CONFLICT (container, key, id) DO UPDATE SET lsn = excluded.lsn, ts = excluded.ts,"
            " ttl = excluded.ttl, expires = excluded.expires, etag = excluded.etag,"
            " body = excluded.body",
            number,
            container.number,
            key.text,
            item_id,
            key.place,
            partition,
            self._next_lsn(container, partition),
            timestamp_s,
            ttl_s,
            _expiry(container.default_ttl_s, ttl_s, timestamp_s),
            etag,
            text,
        )
        return stored

    def remove(self, container: Container, key: LogicalKey, old: Stored) -> None:
        """Delete the item; the partition's log moves on, although its feed shows nothing."""
        self._engine.execute("DELETE FROM document WHERE number = ?", old.number)
        self._next_lsn(container, self.range_of(key.place).number)

    def lsns(self, container: Container) -> dict[int, int]:
        """The last log sequence number of each partition."""
        rows = self._engine.execute(
            "SELECT partition, lsn FROM partition WHERE container = ?", container.number
        )
        return dict(rows.fetchall())

    def session_token(self, container: Container, *partitions: int) -> str:
        """The token of these partitions, or of all, as the SDK keeps it."""
        lsns = sorted(self.lsns(container).items())
        return ",".join(
            f"{number}:-1#{lsn}" for number, lsn in lsns if not partitions or number in partitions
        )

    def _next_lsn(self, container: Container, partition: int) -> int:
        row = self._engine.execute(
            "UPDATE partition SET lsn = lsn + 1 WHERE container = ? AND partition = ?"
            " RETURNING lsn",
            container.number,
            partition,
        ).fetchone()
        return int(row[0])

    def _check_unique_keys(
        self, container: Container, key: LogicalKey, fields: Mapping[str, object]
    ) -> None:
        """Compare with every item of the logical partition: meant for few items."""
        for paths in container.unique_keys:
            mine = _unique_value(fields, paths)
            others = self._engine.execute(
                "SELECT body FROM document WHERE container = ? AND key = ? AND id <> ?",
                container.number,
                key.text,
                fields["id"],
            )
            if any(_unique_value(json.loads(body), paths) == mine for (body,) in others):
                raise CosmosError(409, "Unique index constraint violation.")


def _checked_id(fields: Mapping[str, object]) -> str:
    item_id = fields.get("id")
    if not isinstance(item_id, str) or not 0 < len(item_id) <= 255 or _BAD_ID.search(item_id):
        raise CosmosError(
            400,
            "The input content is invalid because the required property 'id' is missing, too "
            "long or has illegal characters.",
        )
    return item_id


def _checked_ttl(fields: Mapping[str, object]) -> int | None:
    ttl_s = fields.get("ttl")
    if ttl_s is None:
        return None
    if type(ttl_s) is not int or (ttl_s < 1 and ttl_s != -1):
        raise CosmosError(400, "The input ttl is not a positive integer or -1.")
    return ttl_s


def _expiry(default_ttl_s: int | None, ttl_s: int | None, timestamp_s: int) -> int | None:
    """When the item expires: its own ttl counts only in a container that has a default."""
    if default_ttl_s is None:
        return None
    effective_s = default_ttl_s if ttl_s is None else ttl_s
    return timestamp_s + effective_s if effective_s > 0 else None


def _at_path(fields: object, path: str) -> object:
    value = fields
    for step in path.strip("/").split("/"):
        value = value.get(step.strip('"'), UNDEFINED) if isinstance(value, dict) else UNDEFINED
    return value


def _key_of(container: Container, fields: Mapping[str, object]) -> str:
    values = [_at_path(fields, path) for path in container.key_paths]
    return _canonical([{} if value is UNDEFINED else value for value in values])


def _unique_value(fields: object, paths: list[str]) -> str:
    """A missing property counts as null here."""
    values = [_at_path(fields, path) for path in paths]
    return json.dumps([None if value is UNDEFINED else value for value in values], sort_keys=True)


def _canonical(values: list[object]) -> str:
    return json.dumps(
        [
            int(value) if isinstance(value, float) and value.is_integer() else value
            for value in values
        ]
    )
