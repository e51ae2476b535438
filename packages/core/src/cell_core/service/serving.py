"""Which fence serves a request here, after waking a standby that was prepared for its epoch.

The edge signs a grant at an epoch only once the registry has committed it, and the preparation
names the old home's final position; so the grant alone proves what the mover would say in its
call to activate (docs/adr/0012). Refuses to wake anything else.
"""

from contextlib import suppress

from cell_core.domain import transitions
from cell_core.domain.documents import Advance, Batch
from cell_core.domain.errors import Fenced, LostRace, OutcomeUnknown
from cell_core.domain.fence import Fence, Guard, check_serving
from cell_core.ports import CellStore
from cell_core.service.control import Cell
from cell_core.service.positions import Positions

_ATTEMPTS_MAX = 3


class Serving:
    """Decides for each request whether this cell serves the stripe."""

    def __init__(self, store: CellStore, positions: Positions, cell: Cell) -> None:
        self._store = store
        self._positions = positions
        self._cell = cell

    def check(self, partition: str, found: Fence | None, epoch: int) -> Fence:
        """Return the fence under which a request with a verified grant at `epoch` is served.

        It is `found` itself unless the stripe was activated just now; then what was read before is
        to be read again, because a copier could still write.

        Raises:
            NotFound: `tenant_not_found`.
            Fenced: `moved`, `frozen` or `epoch_behind`; nothing was executed.
            Throttled, Unavailable: Nothing was executed.
        """
        if found is not None and self._is_prepared(found, epoch):
            found = self._wake(partition, found, epoch)
        return check_serving(found, epoch, self._cell.id)

    def _is_prepared(self, fence: Fence, epoch: int) -> bool:
        return transitions.is_prepared(fence, epoch=epoch, ordinal=self._cell.ordinal)

    def _wake(self, partition: str, fence: Fence, epoch: int) -> Fence:
        """Activate `fence` where it is still prepared; return the fence as it is afterwards."""
        for _ in range(_ATTEMPTS_MAX):
            if not self._is_prepared(fence, epoch):
                break
            at = (fence.seq, fence.chain)
            sets = transitions.activate(fence, epoch=epoch, mode="planned", position=at, op="")
            guard = Guard(role=fence.role, epoch=fence.epoch, seq=fence.seq, chain=fence.chain)
            with suppress(LostRace, Fenced, OutcomeUnknown):  # The fence tells.
                self._store.commit(Batch(partition=partition, fence=Advance(guard, sets or {})))
            fence = self._positions.learn(partition)
        return fence
