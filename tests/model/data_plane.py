"""What clients, routers and serving cells do: write, answer, learn where a tenant is.

Reads change nothing and are therefore no steps; `invariants` asks what each would see.
"""

from collections.abc import Iterator

from tests.model.scope import Fault, Scope
from tests.model.state import (
    ACTIVE,
    CELL_NAMES,
    FROZEN,
    STANDBY,
    Action,
    Fence,
    State,
    author_of,
    cell_of,
    command_of,
    commands_in,
    entry_of,
    owner,
    told,
    with_fence,
    with_router,
)
from tests.model.steps import Step, deliver


def serve(state: State, scope: Scope) -> Iterator[Step]:
    """Protocol.md 4 and 8: each router may send each command that has no answer yet."""
    for epoch in dict.fromkeys(state.routers):
        cell = owner(epoch)
        fences = cell_of(state, cell)
        for command in range(scope.commands):
            fence = fences[command % scope.stripes]
            if command in state.clients.acked or not _writes(fence, epoch, scope.fault):
                continue
            if _is_its_turn(state, command, scope):
                yield from _process(state, scope, epoch, command)


def _writes(fence: Fence, epoch: int, fault: Fault) -> bool:
    """Row "active, epoch equal": say whether a cell executes a request routed at `epoch`."""
    if fault is Fault.NO_FENCE:
        return fence.role in (ACTIVE, FROZEN)
    return fence.role == ACTIVE and fence.epoch == epoch


def _is_its_turn(state: State, command: int, scope: Scope) -> bool:
    """Say whether the command before it in its stripe was ever executed.

    Commands of one stripe are interchangeable, so nothing is lost by numbering them in the order
    in which they appear.
    """
    before = command - scope.stripes
    if before < 0 or before in state.clients.acked or before in state.clients.pending[:1]:
        return True
    stripe = command % scope.stripes
    return (
        before in commands_in(state.a[stripe].log)
        or before in commands_in(state.b[stripe].log)
        or any(command_of(entry) == before for entry in state.orphans)
    )


def _process(state: State, scope: Scope, epoch: int, command: int) -> Iterator[Step]:
    """Protocol.md 4 and 5: execute once, recognise after that, answer as the policy says."""
    cell, stripe = owner(epoch), command % scope.stripes
    fence = cell_of(state, cell)[stripe]
    name = f"{command} at {CELL_NAMES[cell]}({fence.epoch})"
    known = _recognises(fence, cell, command, scope.fault)
    if scope.fault is Fault.CHECK_THEN_WRITE:
        if not known and not state.clients.pending:
            pending = state.clients._replace(pending=(command, cell))
            yield f"check for command {name}", state._replace(clients=pending)
        return
    after = state
    if not known:
        log = (*fence.log, entry_of(command, fence.epoch))
        after = with_fence(state, cell, stripe, fence._replace(log=log))
        yield f"command {name}, answer lost", after
    if scope.ack != "refuse":
        yield f"command {name}, answered", told(after, command, synced=False)
    if scope.ack != "local":
        yield from _answer_synced(state, after, scope, epoch, command)


def _recognises(fence: Fence, cell: int, command: int, fault: Fault) -> bool:
    """I4: say whether the home knows that it, or who was home before, executed the command."""
    if fault is Fault.IDEM_LOCAL:
        return any(command_of(e) == command and author_of(e) == cell for e in fence.log)
    return command in commands_in(fence.log)


def _answer_synced(
    before: State, after: State, scope: Scope, epoch: int, command: int
) -> Iterator[Step]:
    """Protocol.md 5, ack=standby: push the journal up to the command's entry, then answer.

    The push carries the epoch of the request that it belongs to and may arrive late.
    """
    cell, stripe = owner(epoch), command % scope.stripes
    log = cell_of(after, cell)[stripe].log
    if scope.fault is Fault.ANSWER_BEFORE_PUSH or (
        scope.fault is Fault.REPLAY_WITHOUT_PUSH and after is before
    ):
        yield f"command {command} answered without a push", told(after, command, synced=True)
        return
    length = 1 + next(n for n, entry in enumerate(log) if command_of(entry) == command)
    push = Action("push", 1 - cell, stripe, epoch, (log[:length],), command)
    yield from deliver(after, push, scope, late=True)


def yield_to_larger_epoch(state: State, scope: Scope) -> Iterator[Step]:
    """Protocol.md 7: a home whose push is refused for a larger epoch fences itself off.

    Only for an epoch that names another cell: a standby may hear of its home's own next epoch
    before the home does.
    """
    if scope.ack == "local":
        return
    for cell, fences in enumerate((state.a, state.b)):
        for stripe, fence in enumerate(fences):
            seen = cell_of(state, 1 - cell)[stripe].epoch
            foreign = owner(seen) != cell or scope.fault is Fault.YIELD_TO_OWN_EPOCH
            if fence.role == ACTIVE and seen > fence.epoch and foreign:
                action = Action("fence_off", cell, stripe, seen)
                yield from deliver(state, action, scope, late=False, from_cell=True)


def write_late(state: State, scope: Scope) -> Iterator[Step]:
    """Only with `CHECK_THEN_WRITE`: the second half of a write."""
    if state.clients.pending:
        command, cell = state.clients.pending
        stripe = command % scope.stripes
        fence = cell_of(state, cell)[stripe]
        log = (*fence.log, entry_of(command, fence.epoch))
        done = state._replace(clients=state.clients._replace(pending=()))
        done = with_fence(done, cell, stripe, fence._replace(log=log))
        yield f"late write of {command} at {CELL_NAMES[cell]}", told(done, command, synced=False)


def learn(state: State, scope: Scope) -> Iterator[Step]:
    """Protocol.md 8: a router goes forward in epoch, by a cell's `moved` or by the registry."""
    for epoch in dict.fromkeys(state.routers):
        cell = owner(epoch)
        there = max(fence.epoch for fence in cell_of(state, cell))
        if there > epoch:
            label = f"router {epoch} hears {there} from {CELL_NAMES[cell]}"
            yield label, with_router(state, epoch, there)
        known = state.record.epoch
        if known > epoch:
            yield f"router {epoch} reads {known}", with_router(state, epoch, known)


def activate_lazily(state: State, scope: Scope) -> Iterator[Step]:
    """Protocol.md 8, row "request epoch newer": a prepared standby activates itself.

    The edge signs an epoch only after COMMIT, and what is prepared binds epoch and position.
    """
    for epoch in dict.fromkeys(state.routers):
        cell = owner(epoch)
        for stripe, fence in enumerate(cell_of(state, cell)):
            if fence.role == STANDBY and epoch > fence.epoch and _may(fence, epoch, scope.fault):
                label = f"{CELL_NAMES[cell]}/{stripe} activates itself at {epoch}"
                active = Fence(ACTIVE, epoch, fence.log, None)
                yield label, with_fence(state, cell, stripe, active)


def _may(fence: Fence, epoch: int, fault: Fault) -> bool:
    """Say whether a standby is prepared to be activated at `epoch` as it stands."""
    if fault in (Fault.LAZY_WITHOUT_PREPARED, Fault.LAZY_ALONE):
        return True
    if fence.prepared is None or fence.prepared.length != len(fence.log):
        return False
    return fence.prepared.epoch == epoch or fault is Fault.PREPARED_WITHOUT_EPOCH


def unfreeze_by_timer(state: State, scope: Scope) -> Iterator[Step]:
    """Only with `UNFREEZE_TIMER`: rule iv of protocol.md 6, broken."""
    if scope.fault is not Fault.UNFREEZE_TIMER:
        return
    for cell, fences in enumerate((state.a, state.b)):
        for stripe, fence in enumerate(fences):
            if fence.role == FROZEN:
                label = f"{CELL_NAMES[cell]}/{stripe} un-freezes itself"
                yield label, with_fence(state, cell, stripe, fence._replace(role=ACTIVE))


def reads_here(fence: Fence, epoch: int, fault: Fault) -> bool:
    """Protocol.md 4, reads: say whether a linearizable read routed at `epoch` is answered."""
    roles = (ACTIVE, FROZEN) if fault is Fault.READ_ON_FROZEN else (ACTIVE,)
    return fence.role in roles and fence.epoch == epoch
