"""What brings a tenant back: forced failover, a cell that returns, a registry that forgot.

Protocol.md 7 and 9. Refuses to delete what it has not counted.
"""

from collections.abc import Iterator

from tests.model.scope import Fault, Scope
from tests.model.state import (
    ACTIVE,
    FORCED,
    FROZEN,
    PLANNED,
    QUARANTINE,
    STANDBY,
    Action,
    Record,
    State,
    all_are,
    cell_of,
    common_length,
    next_epoch,
    owner,
    with_record,
)
from tests.model.steps import Step


def go_dark(state: State, scope: Scope) -> Iterator[Step]:
    """Cell A is lost to the control plane, and not to routers, which is the worst case."""
    fate = state.fate
    if scope.forced and not fate.forced and not fate.dark:
        yield "A goes dark", state._replace(fate=fate._replace(dark=True))


def come_back(state: State, scope: Scope) -> Iterator[Step]:
    """Protocol.md 9.6, first part: the source returns."""
    if state.fate.dark:
        yield "A is back", state._replace(fate=state.fate._replace(dark=False))


def fail_over(state: State, scope: Scope) -> Iterator[Step]:
    """Protocol.md 9.2: one CAS to ACTIVE(E', standby, forced), whatever was under way."""
    record, fate = state.record, state.fate
    if not fate.dark or fate.forced or owner(record.epoch) != 0 or not all_are(state.b, STANDBY):
        return
    forced = Record(ACTIVE, next_epoch(record.epoch, 1), FORCED, ())
    after = with_record(state, forced)
    yield f"FORCED to {forced.epoch}", after._replace(fate=fate._replace(forced=True))


def fence_off(state: State, scope: Scope) -> Iterator[Action]:
    """Row "F[other] active, epoch < E": FENCE-OFF; a frozen one too unless it moved as planned.

    Only once the home is active at E in every stripe: else a restored registry can bring both cells
    into quarantine, and nothing is left that could be the home.
    """
    record = state.record
    serving = all_are(cell_of(state, owner(record.epoch)), ACTIVE, record.epoch)
    if not serving and scope.fault is not Fault.FENCE_OFF_FIRST:
        return
    other = 1 - owner(record.epoch)
    roles = (ACTIVE,) if record.mode == PLANNED else (ACTIVE, FROZEN)
    if scope.fault is Fault.RECOVER_UNFENCED:
        return
    if scope.fault is Fault.SEAL_AFTER_FORCED:
        roles = (ACTIVE,)
    for stripe, fence in enumerate(cell_of(state, other)):
        if fence.role in roles and fence.epoch < record.epoch:
            yield Action("fence_off", other, stripe, record.epoch)


def adopt(state: State, scope: Scope) -> Iterator[Action]:
    """Row "F[other] quarantine": copy the entries after the common prefix to the home."""
    for stripe, _, orphans in _returned(state, scope):
        if orphans - state.orphans:
            home = owner(state.record.epoch)
            yield Action("adopt", home, stripe, state.record.epoch, (tuple(sorted(orphans)),))


def truncate(state: State, scope: Scope) -> Iterator[Action]:
    """Row "F[other] quarantine", once all orphans are counted at the home: truncate, standby."""
    for stripe, common, orphans in _returned(state, scope):
        kept = orphans <= state.orphans or scope.fault is Fault.NO_QUARANTINE
        if scope.fault is Fault.RECOVER_UNFENCED:
            kept = bool(state.orphans)
        if kept:
            other = 1 - owner(state.record.epoch)
            fence = cell_of(state, other)[stripe]
            epoch = max(fence.epoch, state.record.epoch)
            asked = epoch if scope.fault is Fault.RECOVER_UNFENCED else fence.epoch
            yield Action("truncate", other, stripe, asked, (fence.log[:common],))


def _returned(state: State, scope: Scope) -> Iterator[tuple[int, int, frozenset[int]]]:
    """Yield each quarantined stripe of the other cell: its common prefix's length, its orphans."""
    if state.fate.dark:
        return
    record = state.record
    home = owner(record.epoch)
    unfenced = scope.fault is Fault.RECOVER_UNFENCED
    pairs = zip(cell_of(state, home), cell_of(state, 1 - home), strict=True)
    for stripe, (mine, theirs) in enumerate(pairs):
        late = unfenced and theirs.role in (ACTIVE, FROZEN) and theirs.epoch < record.epoch
        if mine.role != ACTIVE or not (theirs.role == QUARANTINE or late):
            continue
        common = common_length(mine.log, theirs.log)
        yield stripe, common, frozenset(theirs.log[common:])


def back_up(state: State, scope: Scope) -> Iterator[Step]:
    """The registry's revision of this moment is the one that a restore will bring back."""
    fate = state.fate
    if scope.restored and fate.backup is None and not fate.lost:
        yield "backup", state._replace(fate=fate._replace(backup=state.record))


def restore(state: State, scope: Scope) -> Iterator[Step]:
    """Protocol.md 7: the registry is restored from an older backup, once."""
    fate = state.fate
    if fate.backup is not None and fate.backup != state.record:
        after = with_record(state, fate.backup)
        label = f"registry restored: {fate.backup.phase} {fate.backup.epoch}"
        yield label, after._replace(fate=fate._replace(backup=None, lost=True))


def raise_epoch(state: State, scope: Scope) -> Iterator[Action]:
    """Row RAISE: a fence knows a larger epoch than the record; its owner is the home."""
    if scope.fault is Fault.RESTORE_WITHOUT_RAISE:
        return
    seen = state.b if state.fate.dark else (*state.a, *state.b)
    highest = max(fence.epoch for fence in seen)
    if highest > state.record.epoch:
        yield Action("raise", -1, -1, highest)
