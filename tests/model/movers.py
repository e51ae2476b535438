"""What a mover decides from the record and the fences: protocol.md 6, each row as a predicate.

Level-triggered: nobody remembers anything, whoever looks may decide any action whose row holds. The
rows have no order here, so the order in which a mover tries them is proven not to matter.
"""

from collections.abc import Callable, Iterator
from typing import Final

from tests.model.recovery import adopt, fence_off, raise_epoch, truncate
from tests.model.scope import Fault, Scope
from tests.model.state import (
    ACTIVE,
    COPYING,
    CUTOVER,
    FROZEN,
    PLANNED,
    STANDBY,
    Action,
    Fence,
    State,
    all_are,
    cell_of,
    next_epoch,
    owner,
    with_fence,
)
from tests.model.steps import Step, deliver

Row = Callable[[State, Scope], Iterator[Action]]


def move(state: State, scope: Scope) -> Iterator[Step]:
    """Some mover decides an action of some row, and performs it now or later."""
    for row in ROWS[state.record.phase]:
        for action in row(state, scope):
            yield from deliver(state, action, scope, late=not scope.late_push)


def freeze(state: State, scope: Scope) -> Iterator[Action]:
    """Row "CUTOVER, F[source] active at E in any stripe": FREEZE, stripe by stripe."""
    epoch = state.record.epoch
    home = owner(epoch)
    if state.record.phase != CUTOVER and scope.fault is not Fault.FREEZE_WITHOUT_INTENT:
        return
    for stripe, fence in enumerate(cell_of(state, home)):
        skipped = scope.fault is Fault.FREEZE_ONE and stripe > 0
        if fence.role == ACTIVE and fence.epoch == epoch and not skipped:
            yield Action("freeze", home, stripe, epoch)


def prepare(state: State, scope: Scope) -> Iterator[Action]:
    """Row "CUTOVER, all frozen, dest not prepared": PREPARE at (S*, C*) for epoch E'."""
    epoch, source, dest = _cutover(state)
    promised = next_epoch(epoch, owner(epoch + 1))
    if state.fate.dark or not _stopped(source, epoch, scope.fault):
        return
    for stripe, (mine, theirs) in enumerate(zip(source, dest, strict=True)):
        if theirs.role == STANDBY and not _is_prepared(theirs, promised, scope.fault):
            yield Action("prepare", owner(promised), stripe, promised, (mine.log,))


def commit(state: State, scope: Scope) -> Iterator[Action]:
    """Row "CUTOVER, frozen, dest at (S*, C*) and prepared in every stripe": COMMIT."""
    epoch, source, dest = _cutover(state)
    promised = next_epoch(epoch, owner(epoch + 1))
    if state.fate.dark or not _stopped(source, epoch, scope.fault):
        return
    looked_at = 1 if scope.fault in _LOOKS_AT_ONE else len(source)
    pairs = list(zip(source, dest, strict=True))[:looked_at]
    if all(_is_ready(mine, theirs, promised, scope.fault) for mine, theirs in pairs):
        kind = "put" if scope.fault is Fault.BLIND_COMMIT else "commit"
        yield Action(kind, -1, -1, promised, tuple(fence.log for fence in source))


def activate(state: State, scope: Scope) -> Iterator[Action]:
    """Rows "F[home] standby, epoch < E": ACTIVATE at the base where planned, else as it stands.

    Does not wait for SEAL: the destination goes first, which keeps the freeze short.
    """
    record = state.record
    home = owner(record.epoch)
    unsealed = record.mode == PLANNED and any(f.role == FROZEN for f in cell_of(state, 1 - home))
    if scope.fault is Fault.SEAL_FIRST and unsealed and not state.fate.dark:
        return
    for stripe, fence in enumerate(cell_of(state, home)):
        if fence.role == STANDBY and fence.epoch < record.epoch:
            position = record.base[stripe : stripe + 1] if record.mode == PLANNED else ()
            yield Action("activate", home, stripe, record.epoch, position)


def bump(state: State, scope: Scope) -> Iterator[Action]:
    """Row "F[home] active or frozen, epoch < E": also in COPYING, for a cut-over tried again."""
    record = state.record
    home = owner(record.epoch)
    equal_too = scope.fault is Fault.ROLLBACK_SAME_EPOCH
    for stripe, fence in enumerate(cell_of(state, home)):
        older = fence.epoch < record.epoch
        if fence.role in (ACTIVE, FROZEN) and (older or (equal_too and fence.role == FROZEN)):
            yield Action("bump", home, stripe, record.epoch)


def seal(state: State, scope: Scope) -> Iterator[Action]:
    """Row "F[other] frozen, epoch < E": SEAL, after a planned move only.

    After a forced failover what is frozen may hold entries that the new home lacks.
    """
    record = state.record
    other = 1 - owner(record.epoch)
    if record.mode != PLANNED and scope.fault is not Fault.SEAL_AFTER_FORCED:
        return
    for stripe, fence in enumerate(cell_of(state, other)):
        if fence.role == FROZEN and fence.epoch < record.epoch:
            yield Action("seal", other, stripe, record.epoch)


def activate_early(state: State, scope: Scope) -> Iterator[Step]:
    """Only with `ACTIVATE_EARLY`: the destination serves before the registry says so."""
    if scope.fault is not Fault.ACTIVATE_EARLY or state.record.phase != CUTOVER:
        return
    for ready in commit(state, scope):
        for stripe, fence in enumerate(cell_of(state, owner(ready.epoch))):
            active = Fence(ACTIVE, ready.epoch, fence.log, None)
            yield "activated early", with_fence(state, owner(ready.epoch), stripe, active)


def _cutover(state: State) -> tuple[int, tuple[Fence, ...], tuple[Fence, ...]]:
    """Return the epoch, the source's fences and the destination's."""
    epoch = state.record.epoch
    home = owner(epoch)
    return epoch, cell_of(state, home), cell_of(state, 1 - home)


def _stopped(source: tuple[Fence, ...], epoch: int, fault: Fault) -> bool:
    """Say whether the source is frozen at the record's epoch, in every stripe."""
    looked_at = source[:1] if fault is Fault.FREEZE_ONE else source
    return all_are(looked_at, FROZEN, epoch)


_LOOKS_AT_ONE: Final = frozenset({Fault.COMMIT_ONE_BEHIND, Fault.ACTIVATE_ONE_SHORT})

_TRUSTS_PREPARED: Final = frozenset({
    Fault.COMMIT_WITHOUT_VIEW,
    Fault.PREPARED_WITHOUT_POSITION,
    Fault.PREPARED_WITHOUT_EPOCH,
})  # fmt: skip


def _is_prepared(fence: Fence, epoch: int, fault: Fault) -> bool:
    """Say whether a destination is prepared for `epoch` as it stands."""
    if fence.prepared is None or fence.prepared.length != len(fence.log):
        return False
    return fence.prepared.epoch == epoch or fault is Fault.PREPARED_WITHOUT_EPOCH


def _is_ready(mine: Fence, theirs: Fence, epoch: int, fault: Fault) -> bool:
    """Say whether a stripe may be handed over: the destination is where the source stopped."""
    if theirs.role != STANDBY:
        return False
    if fault in (Fault.LAZY_WITHOUT_PREPARED, Fault.NO_BASE_CHECK):
        return True
    if fault not in _TRUSTS_PREPARED and mine.log != theirs.log:
        return False
    return _is_prepared(theirs, epoch, fault)


ROWS: Final[dict[str, tuple[Row, ...]]] = {
    ACTIVE: (activate, bump, seal, fence_off, adopt, truncate, raise_epoch, freeze),
    COPYING: (bump, raise_epoch),
    CUTOVER: (freeze, prepare, commit, raise_epoch),
}
"""Which rows can hold in which phase; `freeze` stands under ACTIVE for its mutation."""
