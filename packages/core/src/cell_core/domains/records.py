"""Versioned JSON documents: put, patch and delete, each on condition of a revision if asked.

Refuses to know what a document means. A record's `rev` is the position of its last change in the
stripe's log: it grows across a delete and a new put too, so an old revision never fits again.
"""

from collections.abc import Callable, Mapping, Sequence
from typing import Any, ClassVar

from pydantic import JsonValue

from cell_core.domain.decider import Body, Command, Context, Entities, EntityKey, Event
from cell_core.domain.errors import DomainRejected
from cell_core.schema import Id, Rev, Strict


class Put(Strict):
    """Write a record whole; `if_rev` 0 means that it must not exist."""

    id: Id
    value: JsonValue
    if_rev: Rev | None = None


class Patch(Strict):
    """Change parts of a record as RFC 7396 says: null removes a member, a list is replaced."""

    id: Id
    patch: JsonValue
    if_rev: Rev | None = None


class Delete(Strict):
    """Remove a record."""

    id: Id
    if_rev: Rev | None = None


class Records:
    """The records of one stream, as a `Decider`."""

    name = "records"
    commands: ClassVar[Mapping[str, type[Strict]]] = {
        "put": Put,
        "patch": Patch,
        "delete": Delete,
    }
    rejections: ClassVar[Mapping[str, int]] = {"record_not_found": 404, "rev_mismatch": 412}

    def touches(self, command: Command) -> Sequence[EntityKey]:
        """Return the one record."""
        return [record_key(command.data.id)]

    def decide(self, entities: Entities, command: Command, context: Context) -> Sequence[Event]:
        """Return the one event of `command`; what is not there is said before what differs."""
        asked: Put | Patch | Delete = command.data
        found = entities.get(record_key(asked.id))
        if found is None and not isinstance(asked, Put):
            raise DomainRejected("record_not_found", id=asked.id)
        rev = 0 if found is None else found["rev"]
        if asked.if_rev not in (None, rev):
            raise DomainRejected("rev_mismatch", id=asked.id, rev=rev)
        return [_event(asked, context.seq)]

    def evolve(self, entities: Entities, event: Event) -> Mapping[EntityKey, Body | None]:
        """Return the record as `event` leaves it."""
        key = record_key(event.data["id"])
        return {key: _CHANGES[event.type](entities.get(key), event.data)}


def record_key(record: str) -> EntityKey:
    """Return the key of the record with the id `record`."""
    return f"record.{record}"


def merged(target: Any, patch: Any) -> Any:  # noqa: ANN401 - any JSON value
    """Return `target` with `patch` merged into it (RFC 7396, section 2); neither is changed."""
    if not isinstance(patch, dict):
        return patch
    result = dict(target) if isinstance(target, dict) else {}
    for name, value in patch.items():
        if value is None:
            result.pop(name, None)
        else:
            result[name] = merged(result.get(name), value)
    return result


def _event(asked: Put | Patch | Delete, seq: int) -> Event:
    match asked:
        case Put():
            return Event("record_put.v1", {"id": asked.id, "rev": seq, "value": asked.value})
        case Patch():
            return Event("record_patched.v1", {"id": asked.id, "rev": seq, "patch": asked.patch})
        case Delete():
            return Event("record_deleted.v1", {"id": asked.id, "rev": seq})


def _put(_found: Body | None, data: Body) -> Body:
    return {"rev": data["rev"], "value": data["value"]}


def _patched(found: Body | None, data: Body) -> Body:
    value = None if found is None else found["value"]
    return {"rev": data["rev"], "value": merged(value, data["patch"])}


def _deleted(_found: Body | None, _data: Body) -> None:
    return None


_CHANGES: Mapping[str, Callable[[Body | None, Body], Body | None]] = {
    "record_put.v1": _put,
    "record_patched.v1": _patched,
    "record_deleted.v1": _deleted,
}
