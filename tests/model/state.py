"""What the model of the move protocol is about: one tenant, two cells, a registry, an edge.

Pure values, small and hashable. A journal stands for its own hash chain: equal logs are equal
positions. Refuses to know which steps there are.
"""

from collections.abc import Iterable
from functools import cache
from typing import Final, NamedTuple, TypeAlias

CELLS: Final = 2
CELL_NAMES: Final = "AB"

# Roles of a fence.
ACTIVE: Final = "active"
FROZEN: Final = "frozen"
STANDBY: Final = "standby"
QUARANTINE: Final = "quarantine"

# Phases of a record; a fence's ACTIVE is a record's too. COPYING is also CATCHING_UP: they differ
# in how far the copy is, which no safety depends on.
COPYING: Final = "copying"
CUTOVER: Final = "cutover"

# How an epoch began.
PROVISIONED: Final = "provisioned"
PLANNED: Final = "planned"
ROLLBACK: Final = "rollback"
FORCED: Final = "forced"
RECOVERED: Final = "recovered"

Log: TypeAlias = tuple[int, ...]
"""Entries in order; each is `entry_of(command, epoch)`."""


class Prepared(NamedTuple):
    """A standby's promise: for this epoch, at a log of this length, I may be activated."""

    epoch: int
    length: int


class Fence(NamedTuple):
    """One stripe at one cell: who may do what with it, and its log."""

    role: str
    epoch: int
    log: Log
    prepared: Prepared | None


Cell: TypeAlias = tuple[Fence, ...]
"""A cell's fences, one a stripe."""


class Record(NamedTuple):
    """The tenant in the registry. Its home is `owner(epoch)`.

    `base` is the final log of each stripe at the old home, where the epoch began as planned.
    """

    phase: str
    epoch: int
    mode: str
    base: tuple[Log, ...]


class Action(NamedTuple):
    """What a mover decided to do; performed at once, or later when everything may have changed.

    `log` is the position it goes by: where to prepare, activate or truncate, what to push.
    """

    kind: str
    cell: int
    stripe: int
    epoch: int
    log: tuple[Log, ...] = ()
    command: int = -1


class Clients(NamedTuple):
    """What clients were told. `pending` is a write between its check and its commit (a fault)."""

    acked: frozenset[int]
    synced: frozenset[int]
    pending: tuple[int, ...]


class Fate(NamedTuple):
    """What happened around the tenant, as far as it bounds what may still happen."""

    dark: bool
    forced: bool
    moves: int
    rollbacks: int
    lost: bool
    backup: Record | None


class State(NamedTuple):
    """Everything. `routers` are the epochs that routers believe in, `held` the late actions."""

    record: Record
    a: Cell
    b: Cell
    routers: tuple[int, ...]
    held: tuple[Action, ...]
    clients: Clients
    orphans: frozenset[int]
    fate: Fate


def owner(epoch: int) -> int:
    """Return the cell that an epoch names."""
    return epoch % CELLS


def next_epoch(epoch: int, cell: int) -> int:
    """Return the smallest larger epoch that names `cell`."""
    return epoch + 1 if (epoch + 1) % CELLS == cell else epoch + 2


def entry_of(command: int, epoch: int) -> int:
    """Return the journal entry of `command` executed at `epoch`, by the cell this names."""
    return epoch * 16 + command


def command_of(entry: int) -> int:
    """Return the command that an entry executed."""
    return entry % 16


def author_of(entry: int) -> int:
    """Return the cell that wrote an entry."""
    return owner(entry // 16)


@cache
def commands_in(log: Log) -> frozenset[int]:
    """Return the commands that a log has executed."""
    return frozenset(command_of(entry) for entry in log)


@cache
def common_length(one: Log, two: Log) -> int:
    """Return how many first entries two logs share."""
    length = 0
    for mine, theirs in zip(one, two, strict=False):
        if mine != theirs:
            break
        length += 1
    return length


def cell_of(state: State, cell: int) -> Cell:
    """Return the fences of a cell."""
    return state.b if cell else state.a


def with_fence(state: State, cell: int, stripe: int, fence: Fence) -> State:
    """Return `state` with one fence changed."""
    fences = cell_of(state, cell)
    changed = (*fences[:stripe], fence, *fences[stripe + 1 :])
    return state._replace(b=changed) if cell else state._replace(a=changed)


def with_record(state: State, record: Record) -> State:
    """Return `state` after a registry write; whoever decided on the old record has lost."""
    if not state.held:
        return state._replace(record=record)
    held = tuple(action for action in state.held if action.kind not in CONDITIONAL_WRITES)
    return state._replace(record=record, held=held)


CONDITIONAL_WRITES: Final = frozenset({"commit", "raise"})
"""Actions that are a compare-and-set of the record; the rest go to a cell."""


def with_held(state: State, action: Action) -> State:
    """Return `state` with one more late action; their order means nothing."""
    return state._replace(held=tuple(sorted((*state.held, action))))


def with_router(state: State, old: int, new: int) -> State:
    """Return `state` after a router that believed `old` learnt `new`; routers are alike."""
    routers = list(state.routers)
    routers.remove(old)
    return state._replace(routers=tuple(sorted((*routers, new))))


def told(state: State, command: int, *, synced: bool) -> State:
    """Return `state` after a client got the answer to `command`."""
    acked, before, pending = state.clients
    now = before | {command} if synced else before
    return state._replace(clients=Clients(acked | {command}, now, pending))


def all_are(cell: Iterable[Fence], role: str, epoch: int | None = None) -> bool:
    """Say whether each fence has this role, and this epoch where one is given."""
    return all(f.role == role and epoch in (None, f.epoch) for f in cell)


def healthy(state: State) -> bool:
    """Say whether all is as the record says: a home that serves, a standby, nothing under way."""
    record = state.record
    home = owner(record.epoch)
    return (
        record.phase == ACTIVE
        and not state.fate.dark
        and all_are(cell_of(state, home), ACTIVE, record.epoch)
        and all_are(cell_of(state, 1 - home), STANDBY)
    )
