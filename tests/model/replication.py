"""What the replicator does: carry entries from a home to a standby (protocol.md 5).

One entry a step; a batch is several steps with nothing between them.
"""

from collections.abc import Iterator

from tests.model.scope import Fault, Scope
from tests.model.state import ACTIVE, FROZEN, STANDBY, Action, State, cell_of, owner
from tests.model.steps import Step, deliver


def replicate(state: State, scope: Scope) -> Iterator[Step]:
    """Row "copy and apply", and "apply the tail": in either direction, from who is not a standby.

    Where the source is the record's home the entries travel under the record's epoch, which may be
    ahead of the source's own fence; else under the epoch of the fence that they were read with.
    """
    if state.fate.dark:
        return
    record_epoch = state.record.epoch
    for source in (0, 1):
        epoch_of_home = record_epoch if owner(record_epoch) == source else 0
        for stripe, fence in enumerate(cell_of(state, source)):
            if fence.role not in (ACTIVE, FROZEN):
                continue
            dest = cell_of(state, 1 - source)[stripe]
            if dest.role != STANDBY:
                continue
            epoch = max(epoch_of_home, fence.epoch)
            for length in _offers(len(dest.log), len(fence.log), scope.fault):
                push = Action("push", 1 - source, stripe, epoch, (fence.log[:length],))
                yield from deliver(state, push, scope, late=scope.late_push)


def _offers(have: int, length: int, fault: Fault) -> range:
    """Return the lengths that may be offered to a standby: its next entry, or with a fault any."""
    if fault is Fault.APPLY_WITHOUT_CHAIN:
        return range(1, length + 1)
    return range(have + 1, min(have + 1, length) + 1)
