"""What is decided in the registry alone: a move begins, enters its cut-over, is given up.

Each is one compare-and-set whose condition is in the record, or in what only a later record could
change: when it was decided does not matter.
"""

from collections.abc import Iterator

from tests.model.scope import Fault, Scope
from tests.model.state import (
    ACTIVE,
    COPYING,
    CUTOVER,
    FROZEN,
    PLANNED,
    QUARANTINE,
    RECOVERED,
    ROLLBACK,
    STANDBY,
    Fence,
    Record,
    State,
    all_are,
    cell_of,
    healthy,
    next_epoch,
    owner,
    with_record,
)
from tests.model.steps import Step


def begin(state: State, scope: Scope) -> Iterator[Step]:
    """An operation asks for a move; every fence is as the record says (settled)."""
    if state.record.phase == ACTIVE and state.fate.moves < scope.moves and healthy(state):
        begun = with_record(state, state.record._replace(phase=COPYING))
        yield "move begins", begun._replace(fate=state.fate._replace(moves=state.fate.moves + 1))


def enter_cutover(state: State, scope: Scope) -> Iterator[Step]:
    """Row "digests equal, dest healthy": CAS to CUTOVER, the intent that precedes FREEZE.

    Asks that the home is un-frozen after an earlier attempt, and that the destination is a standby;
    how far the copy is is left open.
    """
    record = state.record
    if record.phase != COPYING or state.fate.dark:
        return
    home = owner(record.epoch)
    dest_is_fit = all_are(cell_of(state, 1 - home), STANDBY)
    if dest_is_fit and all_are(cell_of(state, home), ACTIVE, record.epoch):
        yield "to CUTOVER", with_record(state, record._replace(phase=CUTOVER))


def roll_back(state: State, scope: Scope) -> Iterator[Step]:
    """Row "deadline or error budget exceeded": for good, or to try again; never with a freeze kept.

    Before CUTOVER nothing can have been frozen at this epoch, so it may stay.
    """
    record, fate = state.record, state.fate
    if record.phase == COPYING:
        yield "move given up", with_record(state, record._replace(phase=ACTIVE))
    if record.phase != CUTOVER:
        return
    within_budget = fate.rollbacks < scope.rollbacks
    if not within_budget and _may_go_on(state):
        return
    epoch = next_epoch(record.epoch, owner(record.epoch))
    if scope.fault is Fault.ROLLBACK_SAME_EPOCH:
        epoch = record.epoch
    rolled = Record(ACTIVE, epoch, ROLLBACK, ())
    counted = fate._replace(rollbacks=min(fate.rollbacks + 1, scope.rollbacks))
    yield f"ROLLBACK to {rolled.epoch}", with_record(state, rolled)._replace(fate=counted)
    if within_budget:
        epoch = record.epoch if scope.fault is Fault.RETRY_SAME_EPOCH else epoch
        again = with_record(state, Record(COPYING, epoch, ROLLBACK, ()))
        yield f"ROLLBACK to {epoch}, to try again", again._replace(fate=counted)


def _may_go_on(state: State) -> bool:
    """Say whether the cut-over can still succeed, so that the bound on rollbacks may forbid one."""
    dest = cell_of(state, 1 - owner(state.record.epoch))
    return state.fate.dark or all_are(dest, STANDBY)


def find_home_in_quarantine(state: State, scope: Scope) -> Iterator[Step]:
    """Row "F[home] quarantine": it cannot come back by itself, so the other cell becomes the home.

    Only a restored registry can name such a home: it forgot the failover that fenced it off.
    """
    epoch = state.record.epoch
    home = owner(epoch)
    if home == 0 and state.fate.dark:
        return
    if any(fence.role == QUARANTINE for fence in cell_of(state, home)):
        record = Record(ACTIVE, next_epoch(epoch, 1 - home), RECOVERED, ())
        yield f"home in quarantine: to {record.epoch}", with_record(state, record)


def find_freeze_without_intent(state: State, scope: Scope) -> Iterator[Step]:
    """Row "home frozen at epoch == E, no move": the registry lost its intent.

    Both cells must be seen. If the destination is ready COMMIT may have been made, and the edge may
    know: the move is committed again. Else the home goes on at its next epoch.
    """
    record = state.record
    home = owner(record.epoch)
    mine, theirs = cell_of(state, home), cell_of(state, 1 - home)
    if record.phase == CUTOVER or state.fate.dark:
        return
    if not any(f.role == FROZEN and f.epoch == record.epoch for f in mine):
        return
    promised = next_epoch(record.epoch, 1 - home)
    pairs = zip(mine, theirs, strict=True)
    if all_are(mine, FROZEN, record.epoch) and all(is_ready(a, b, promised) for a, b in pairs):
        moved = Record(ACTIVE, promised, PLANNED, tuple(f.log for f in mine))
        yield f"lost intent: COMMIT {promised} again", with_record(state, moved)
        return
    epoch = next_epoch(record.epoch, home)
    yield f"lost intent: to {epoch}", with_record(state, Record(ACTIVE, epoch, RECOVERED, ()))


def is_ready(source: Fence, dest: Fence, epoch: int) -> bool:
    """Say whether a standby is where the frozen source stopped, and prepared for `epoch`."""
    prepared = dest.prepared is not None and dest.prepared.epoch == epoch
    return dest.role == STANDBY and dest.log == source.log and prepared
