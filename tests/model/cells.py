"""What a cell does when it is asked: every control action as a condition and a change.

Mirrors `cell_core.domain.transitions` and the standby's `apply`. A condition is on the fence alone,
for that is all a cell knows; refuses by returning None, and then nothing changed.
"""

from collections.abc import Callable
from typing import Final

from tests.model.scope import Fault, Scope
from tests.model.state import (
    ACTIVE,
    FROZEN,
    PLANNED,
    QUARANTINE,
    RECOVERED,
    STANDBY,
    Action,
    Fence,
    Prepared,
    Record,
    State,
    cell_of,
    common_length,
    told,
    with_fence,
    with_record,
)


def freeze(fence: Fence, action: Action, fault: Fault) -> Fence | None:
    """FREEZE (protocol.md 6, CUTOVER): an active fence of exactly this epoch stops.

    An operation's id is not needed here: one epoch sees at most one cut-over.
    """
    right_epoch = fence.epoch == action.epoch or fault is Fault.FREEZE_WITHOUT_EPOCH
    return fence._replace(role=FROZEN) if fence.role == ACTIVE and right_epoch else None


def prepare(fence: Fence, action: Action, fault: Fault) -> Fence | None:
    """PREPARE (CUTOVER, dest drained): a standby at (S*, C*) may later be activated at E'."""
    anywhere = fault in (Fault.PREPARED_WITHOUT_POSITION, Fault.NO_BASE_CHECK)
    if fence.role != STANDBY or action.epoch <= fence.epoch:
        return None
    if fence.log != action.log[0] and not anywhere:
        return None
    return fence._replace(prepared=Prepared(action.epoch, len(fence.log)))


def activate(fence: Fence, action: Action, fault: Fault) -> Fence | None:
    """ACTIVATE (ACTIVE(E), home standby): at a larger epoch, where planned at (S*, C*) only."""
    growing = fence.epoch < action.epoch or fault is Fault.ACTIVATE_WITHOUT_EPOCH
    if not growing or fence.role == QUARANTINE:
        return None
    unchecked = fault is Fault.NO_BASE_CHECK or (
        fault is Fault.ACTIVATE_ONE_SHORT and action.stripe > 0
    )
    if fence.role == STANDBY and action.log and fence.log != action.log[0] and not unchecked:
        return None
    return Fence(ACTIVE, action.epoch, fence.log, None)


def bump(fence: Fence, action: Action, fault: Fault) -> Fence | None:
    """Row "F[home] active or frozen, epoch < E": un-freeze, by a strictly larger epoch only."""
    equal_too = fault in (Fault.UNFREEZE_EQUAL, Fault.ROLLBACK_SAME_EPOCH)
    growing = fence.epoch < action.epoch or (equal_too and fence.epoch == action.epoch)
    if fence.role not in (ACTIVE, FROZEN) or not growing:
        return None
    return Fence(ACTIVE, action.epoch, fence.log, None)


def seal(fence: Fence, action: Action, fault: Fault) -> Fence | None:
    """SEAL (ACTIVE(E), other frozen): the old home follows the new one."""
    if fence.role != FROZEN or fence.epoch >= action.epoch:
        return None
    return Fence(STANDBY, action.epoch, fence.log, None)


def fence_off(fence: Fence, action: Action, fault: Fault) -> Fence | None:
    """FENCE-OFF (ACTIVE(E), other active): nothing is written here any more, the tail is kept."""
    if fence.role not in (ACTIVE, FROZEN) or fence.epoch >= action.epoch:
        return None
    return Fence(QUARANTINE, action.epoch, fence.log, None)


def truncate(fence: Fence, action: Action, fault: Fault) -> Fence | None:
    """Row "F[other] quarantine", last part: undo the tail down to the common prefix."""
    unfenced = fault is Fault.RECOVER_UNFENCED and fence.role in (ACTIVE, FROZEN)
    if not unfenced and (fence.role != QUARANTINE or fence.epoch != action.epoch):
        return None
    return Fence(STANDBY, action.epoch, action.log[0], None)


def append(fence: Fence, action: Action, fault: Fault) -> Fence | None:
    """Apply (protocol.md 5): a standby takes entries that continue its log.

    A larger epoch than its own raises its own, a smaller one is refused; what it has already is
    acknowledged, what contradicts it is not.
    """
    if fence.role != STANDBY:
        return None
    if action.epoch < fence.epoch and fault is not Fault.PUSH_WITHOUT_EPOCH:
        return None
    log = action.log[0]
    epoch = max(fence.epoch, action.epoch)
    if fault is Fault.APPLY_WITHOUT_CHAIN:
        return None if log[-1] in fence.log else fence._replace(log=(*fence.log, log[-1]))
    if common_length(fence.log, log) < min(len(fence.log), len(log)):
        return None
    return fence if len(log) <= len(fence.log) else fence._replace(log=log, epoch=epoch)


_CHANGES: Final[dict[str, Callable[[Fence, Action, Fault], Fence | None]]] = {
    "freeze": freeze,
    "prepare": prepare,
    "activate": activate,
    "bump": bump,
    "seal": seal,
    "fence_off": fence_off,
    "truncate": truncate,
    "push": append,
}


def perform(state: State, action: Action, scope: Scope) -> State | None:
    """Return `state` after `action` took effect, or None if it was refused.

    A `commit` or `raise` that is still held has its record unchanged, so it succeeds. A `put` is
    the commit of a registry without compare-and-set.
    """
    if action.kind in ("commit", "put"):
        return with_record(state, Record(ACTIVE, action.epoch, PLANNED, action.log))
    if action.kind == "raise":
        return with_record(state, Record(ACTIVE, action.epoch, RECOVERED, ()))
    if action.kind == "adopt":
        return _adopt(state, action)
    fence = cell_of(state, action.cell)[action.stripe]
    changed = _CHANGES[action.kind](fence, action, scope.fault)
    if changed is None:
        return None
    after = state if changed is fence else with_fence(state, action.cell, action.stripe, changed)
    return after if action.command < 0 else told(after, action.command, synced=True)


def _adopt(state: State, action: Action) -> State | None:
    """Row "F[other] quarantine", first part: the home keeps the orphans it is given."""
    if cell_of(state, action.cell)[action.stripe].role != ACTIVE:
        return None
    return state._replace(orphans=state.orphans | frozenset(action.log[0]))
