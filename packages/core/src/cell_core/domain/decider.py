"""Where business logic lives: commands in, events out, state as their fold (cell.md 1).

A domain is one class that satisfies `Decider`. It does no I/O and asks no clock: time, ids and the
tenant come in `Context`. `execute` and `fold` are the only two ways this package runs a domain.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol, TypeAlias, runtime_checkable

from cell_core.domain.canonical import canonical, size_bytes
from cell_core.domain.errors import DomainRejected, InvariantBroken
from cell_core.domain.ids import is_entity_id
from cell_core.domain.limits import (
    BATCH_EVENTS_MAX,
    COMMAND_EVENTS_MAX,
    ENTITY_BYTES_MAX,
)

EntityKey: TypeAlias = str
Body: TypeAlias = Mapping[str, Any]
Entities: TypeAlias = Mapping[EntityKey, Body]


@dataclass(frozen=True, slots=True)
class Command:
    """A request to a domain: `data` is an instance of the model registered for `name`."""

    name: str
    data: Any


@dataclass(frozen=True, slots=True)
class Event:
    """A fact: `type` carries its version (`transferred.v1`), `data` is JSON."""

    type: str
    data: Mapping[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class Context:
    """What a decision may know beside the entities."""

    tenant: str
    stream: str
    command_id: str
    time_ms: int
    seq: int


class Decider(Protocol):
    """A domain.

    Attributes:
        name: Lower case; the `domain` of an envelope.
        commands: The closed, strict pydantic model of each command's data.
        rejections: The HTTP status of each code that `decide` may reject with.
    """

    @property
    def name(self) -> str:
        """The domain's name."""

    @property
    def commands(self) -> Mapping[str, type[Any]]:
        """The model of each command."""

    @property
    def rejections(self) -> Mapping[str, int]:
        """The status of each rejection."""

    def touches(self, command: Command) -> Sequence[EntityKey]:
        """Return the entities that `command` reads or changes, at most 10."""

    def decide(self, entities: Entities, command: Command, context: Context) -> Sequence[Event]:
        """Return what happens, at most 10 events.

        Raises:
            DomainRejected: With one of `rejections`.
        """

    def evolve(self, entities: Entities, event: Event) -> Mapping[EntityKey, Body | None]:
        """Return only the entities that `event` changes; None deletes. Total: never rejects."""


@runtime_checkable
class Checked(Protocol):
    """A domain that can say what must hold across a change; asked in production too."""

    def check(self, before: Entities, after: Entities) -> None:
        """Raise `InvariantBroken` if going from `before` to `after` is impossible."""


@runtime_checkable
class Viewed(Protocol):
    """A domain with answers that are computed from all entities of a stream."""

    @property
    def views(self) -> Mapping[str, "View"]:
        """The views by name."""


class View(Protocol):
    """A pure fold over the entities of one stream."""

    def __call__(self, entities: Iterable[tuple[EntityKey, Body]]) -> dict[str, Any]:
        """Return the answer as JSON."""


@runtime_checkable
class Swept(Protocol):
    """A domain in which time passes: a sweep turns what is due into ordinary commands."""

    def due(self, key: EntityKey, body: Body, time_ms: int) -> tuple[str, Command] | None:
        """Return a stable id and the command that is due for this entity, or None."""


@dataclass(frozen=True, slots=True)
class Rejection:
    """Why a command was rejected: `index` is its place in a batch."""

    code: str
    index: int
    fields: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Outcome:
    """What a list of commands comes to: either a rejection and nothing else, or events.

    `changes` is the fold of `events` over the entities given and nothing but that: the canonical
    text of each changed entity, or None where it was deleted.
    """

    events: tuple[Event, ...]
    changes: Mapping[EntityKey, str | None]
    state: Entities
    rejection: Rejection | None = None


def execute(
    decider: Decider, entities: Entities, commands: Sequence[Command], context: Context
) -> Outcome:
    """Run `commands` in order, all or nothing.

    Raises:
        InvariantBroken: The domain is wrong; nothing may be written.
    """
    state = dict(entities)
    changes: dict[EntityKey, str | None] = {}
    events: list[Event] = []
    for index, command in enumerate(commands):
        try:
            decided = _decide(decider, state, command, context, room=BATCH_EVENTS_MAX - len(events))
            events.extend(decided)
            for event in decided:
                changed = _evolve(decider, state, event, decider.touches(command))
                changes.update({key: _text(body) for key, body in changed.items()})
        except DomainRejected as no:
            return Outcome((), {}, entities, Rejection(no.code, index, no.fields))
    if isinstance(decider, Checked):
        decider.check(entities, state)
    return Outcome(tuple(events), changes, state)


def fold(
    decider: Decider, events: Iterable[Event], onto: dict[EntityKey, Body] | None = None
) -> dict[EntityKey, Body]:
    """Return the entities that `events`, from the first one on, amount to.

    With `onto`, which is changed and returned, they go on from what earlier events amounted to.
    """
    state: dict[EntityKey, Body] = {} if onto is None else onto
    for event in events:
        _evolve(decider, state, event, None)
    return state


def _decide(
    decider: Decider, state: Entities, command: Command, context: Context, *, room: int
) -> Sequence[Event]:
    try:
        events = decider.decide(state, command, context)
    except DomainRejected as no:
        if no.code not in decider.rejections:
            raise InvariantBroken(problem="undeclared rejection", rejection=no.code) from no
        raise
    if len(events) > COMMAND_EVENTS_MAX:
        raise InvariantBroken(problem="too many events", command=command.name)
    if len(events) > room:
        raise DomainRejected("batch_too_large")
    return events


def _evolve(
    decider: Decider,
    state: dict[EntityKey, Body],
    event: Event,
    allowed: Sequence[EntityKey] | None,
) -> Mapping[EntityKey, Body | None]:
    changed = decider.evolve(state, event)
    for key, body in changed.items():
        if (allowed is not None and key not in allowed) or not is_entity_id(key):
            raise InvariantBroken(problem="changed what it did not touch", event=event.type)
        if body is None:
            state.pop(key, None)
        else:
            state[key] = body
    return changed


def _text(body: Body | None) -> str | None:
    if body is None:
        return None
    text = canonical(body)
    if size_bytes(text) > ENTITY_BYTES_MAX:
        raise DomainRejected("entity_too_large")
    return text
