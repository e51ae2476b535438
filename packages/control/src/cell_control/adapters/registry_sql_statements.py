"""What a registry asks of an SQL database, statement by statement, in no dialect.

Each function needs a connection in the right kind of transaction (`SqlDatabase`); none commits.
Prepared once, so that SQLAlchemy compiles each a single time.
"""

from collections.abc import Iterable, Sequence
from itertools import islice
from typing import Any, Final, cast

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from cell_control.adapters.registry_rules import ABOVE_ALL_KEYS, WRITES_MAX, Name, record_of
from cell_control.adapters.registry_sql_schema import (
    HEAD,
    IS_DELETED,
    IS_LIVE,
    RECORDS,
    name_of,
)
from cell_control.domain.records import Kind
from cell_control.ports import Key, Record, Write

_C = RECORDS.c
_COLUMNS = (_C.kind, _C.name, _C.rev, _C.body, _C.edge, _C.tag, _C.deleted)
_IS_NAMED = _C.name.in_(sa.bindparam("names", expanding=True))
_IS_KIND = _C.kind == sa.bindparam("kind")
_HAS_TAG = _C.tag == sa.bindparam("tag")

_REV: Final = sa.select(HEAD.c.rev)
_HEAD: Final = sa.select(HEAD.c.rev, HEAD.c.forgotten)
_ADVANCE: Final = sa.update(HEAD).values(rev=HEAD.c.rev + sa.bindparam("by")).returning(HEAD.c.rev)
_SET_HEAD: Final = sa.update(HEAD).values(
    rev=sa.bindparam("new_rev"), forgotten=sa.bindparam("new_forgotten")
)
_GET: Final = sa.select(*_COLUMNS).where(_IS_NAMED, IS_LIVE)
_FOUND: Final = sa.select(_C.name, _C.rev, _C.deleted).where(_IS_NAMED)
_PAGE: Final = (
    sa.select(*_COLUMNS)
    .where(IS_LIVE, _C.name > sa.bindparam("after"), _C.name >= sa.bindparam("first"))
    .where(_C.name < sa.bindparam("end"))
    .order_by(_C.name)
    .limit(sa.bindparam("most"))
)
_PAGE_OF_TAG: Final = _PAGE.where(_IS_KIND, _HAS_TAG)
_COUNT: Final = sa.select(sa.func.count()).select_from(RECORDS).where(_IS_KIND, IS_LIVE)
_COUNT_OF_TAG: Final = _COUNT.where(_HAS_TAG)
# In a function, so that no index by kind is thought of: SQLite would sort all of a kind each time.
_IS_OF_KINDS = sa.func.coalesce(_C.kind, "").in_(sa.bindparam("kinds", expanding=True))
_CHANGES: Final = (
    sa.select(*_COLUMNS)
    .where(_C.rev > sa.bindparam("after"), _IS_OF_KINDS)
    .order_by(_C.rev)
    .limit(sa.bindparam("most"))
)
_INSERT: Final = sa.insert(RECORDS)
_UPDATE: Final = sa.update(RECORDS).where(_C.name == sa.bindparam("named"))
_OLD = sa.and_(IS_DELETED, _C.rev <= sa.bindparam("up_to"))
_LAST_OLD: Final = sa.select(sa.func.max(_C.rev)).where(_OLD)
_DELETE_OLD: Final = sa.delete(RECORDS).where(
    _C.rev.in_(sa.select(_C.rev).where(_OLD).order_by(_C.rev).limit(WRITES_MAX))
)


def rev(connection: Connection) -> int:
    """Return the rev of the last commit."""
    return int(connection.execute(_REV).scalar_one())


def head(connection: Connection) -> tuple[int, int]:
    """Return the rev of the last commit, and up to which tombstones may be gone."""
    found = connection.execute(_HEAD).one()
    return int(found.rev), int(found.forgotten)


def get(connection: Connection, keys: Sequence[Key]) -> list[Record | None]:
    """Return the live records at `keys`."""
    names = [name_of(key.kind, key.key) for key in keys]
    rows = connection.execute(_GET, {"names": names}) if names else ()
    found = {(record.kind, record.key): record for record in map(_record, rows)}
    return [found.get((key.kind, key.key)) for key in keys]


def page(
    connection: Connection, kind: Kind, tag: str | None, prefix: str, after: str, limit: int
) -> list[Record]:
    """Return live records of `kind` in the order of their keys."""
    bounds = {
        "after": name_of(kind, after),
        "first": name_of(kind, prefix),
        "end": name_of(kind, prefix + ABOVE_ALL_KEYS),
        "most": limit,
    }
    if tag is None:
        return [_record(row) for row in connection.execute(_PAGE, bounds)]
    rows = connection.execute(_PAGE_OF_TAG, {**bounds, "kind": kind, "tag": tag})
    return [_record(row) for row in rows]


def count(connection: Connection, kind: Kind, tag: str | None) -> int:
    """Return how many live records of `kind` there are, with `tag` if given."""
    if tag is None:
        return int(connection.execute(_COUNT, {"kind": kind}).scalar_one())
    return int(connection.execute(_COUNT_OF_TAG, {"kind": kind, "tag": tag}).scalar_one())


def changes(
    connection: Connection, after: int, kinds: Sequence[Kind], limit: int
) -> tuple[Record, ...]:
    """Return records whose rev is above `after`, tombstones included, in the order of revs."""
    bounds = {"after": after, "kinds": list(kinds), "most": limit}
    return tuple(map(_record, connection.execute(_CHANGES, bounds)))


def advance(connection: Connection, by: int) -> int:
    """Take the next `by` revs and return the last; no other commit comes between until the end."""
    return int(connection.execute(_ADVANCE, {"by": by}).scalar_one())


def found_revs(
    connection: Connection, writes: Sequence[Write]
) -> tuple[dict[Name, int], set[Name]]:
    """Return the revs of those of the records that live, and the names of all, tombstones too."""
    names: dict[bytes, Name] = {name_of(w.kind, w.key): (w.kind, w.key) for w in writes}
    rows = connection.execute(_FOUND, {"names": list(names)}).all()
    live = {names[bytes(name)]: at for name, at, deleted in rows if not deleted}
    return live, {names[bytes(name)] for name, _at, _deleted in rows}


def put(connection: Connection, writes: Sequence[Write], last_rev: int, held: set[Name]) -> None:
    """Do `writes` under the revs up to `last_rev`; `held` names the records there are."""
    inserts: list[dict[str, Any]] = []
    updates: list[dict[str, Any]] = []
    for rev_of_write, write in enumerate(writes, last_rev - len(writes) + 1):
        row = _row(record_of(write, rev_of_write))
        if (write.kind, write.key) in held:
            updates.append({"named": row.pop("name"), **row})
        else:
            inserts.append(row)
    if updates:
        connection.execute(_UPDATE, updates)
    if inserts:
        connection.execute(_INSERT, inserts)


def insert_all(connection: Connection, records: Iterable[Record]) -> None:
    """Insert `records` as they are, a thousand at a time."""
    rows = map(_row, records)
    while some := list(islice(rows, WRITES_MAX)):
        connection.execute(_INSERT, some)


def set_head(connection: Connection, *, rev: int, forgotten: int) -> None:
    """Put both counters where they are told to be."""
    connection.execute(_SET_HEAD, {"new_rev": rev, "new_forgotten": forgotten})


def last_tombstone(connection: Connection, up_to: int) -> int:
    """Return the highest rev of a tombstone that is at most `up_to`; 0 if there is none."""
    return int(connection.execute(_LAST_OLD, {"up_to": up_to}).scalar() or 0)


def delete_tombstones(connection: Connection, up_to: int) -> int:
    """Delete at most a thousand tombstones, oldest first, and return how many."""
    return int(connection.execute(_DELETE_OLD, {"up_to": up_to}).rowcount)


def _record(row: Sequence[Any]) -> Record:
    kind, name, at, body, edge, tag, deleted = row
    return Record(
        kind=cast("Kind", kind),
        key=bytes(name)[len(kind) + 1 :].decode(),
        rev=at,
        body=body,
        edge=edge,
        tag=tag,
        deleted=deleted,
    )


def _row(record: Record) -> dict[str, Any]:
    return {
        "name": name_of(record.kind, record.key),
        "kind": record.kind,
        "rev": record.rev,
        "body": record.body,
        "edge": record.edge,
        "tag": record.tag,
        "deleted": record.deleted,
    }
