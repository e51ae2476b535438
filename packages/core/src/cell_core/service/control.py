"""Who owns a tenant here: provision, freeze, activate, seal, fence off (cell.md 4, protocol.md 6).

Every call is conditional and idempotent, runs over all stripes, and answers with the fences as
they are afterwards. A call that was cut off half-way is simply made again.
"""

from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import TypeAlias

from cell_core.domain import transitions
from cell_core.domain.documents import (
    DIRECTORY,
    TENANT,
    Advance,
    Batch,
    Create,
    Document,
    Page,
    Put,
    tenant_key,
)
from cell_core.domain.errors import (
    Fenced,
    InvalidInput,
    LostRace,
    NotFound,
    OutcomeUnknown,
    Throttled,
)
from cell_core.domain.fence import Fence, Guard
from cell_core.domain.ids import owner, partition_of
from cell_core.domain.transitions import Sets
from cell_core.ports import CellStore, Patience
from cell_core.service.positions import Positions

Decision: TypeAlias = Callable[[Fence, int], Sets | None]
"""What to do to the fence of a stripe; None when nothing is left to do."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Cell:
    """This cell: its name on the wire and the remainder of the epochs it owns."""

    id: str
    ordinal: int


class Controller:
    """The control interface's fence operations."""

    def __init__(
        self, store: CellStore, patience: Patience, positions: Positions, cell: Cell
    ) -> None:
        self._store = store
        self._patience = patience
        self._positions = positions
        self._cell = cell

    def tenants(self, *, after: str | None, limit: int) -> Page:
        """Return the directory's lines; a tenant may be listed shortly before it has fences."""
        start = None if after is None else tenant_key(after)
        return self._store.page(DIRECTORY, TENANT, after=start, limit=limit)

    def is_listed(self, tenant: str) -> bool:
        """Say whether the directory has a line of the tenant."""
        key = tenant_key(tenant)
        return key in self._store.read(DIRECTORY, (key,)).documents

    def fences(self, tenant: str) -> list[Fence]:
        """Return the fence of each stripe.

        Raises:
            NotFound: `tenant_not_found`; also while the tenant is being provisioned.
        """
        first = self.fence(tenant, 0)
        return [first, *(self.fence(tenant, stripe) for stripe in range(1, first.stripes))]

    def fence(self, tenant: str, stripe: int) -> Fence:
        """Return one stripe's fence as it is now.

        Raises:
            NotFound: `tenant_not_found`.
        """
        return self._positions.learn(partition_of(tenant, stripe))

    def provision(self, tenant: str, fences: Sequence[Fence], deadline_ms: int) -> list[Fence]:
        """Create the tenant's fences where they are absent, stripe 0 last.

        Raises:
            InvalidInput: An active fence's epoch is not one of this cell's.
            Fenced: A fence is there and is another one.
        """
        self._check_owner(fences[0])
        # Before anything is created: refused only at stripe 0, the others would be left behind.
        with suppress(NotFound):
            _check_wanted(self.fence(tenant, 0), fences[0])
        self._list(tenant)
        found = [
            self._create(partition_of(tenant, stripe), fences[stripe], deadline_ms)
            for stripe in reversed(range(len(fences)))
        ]
        # Who removed what an earlier call had left took the line with it.
        if not self.is_listed(tenant):
            self._list(tenant)
        return found[::-1]

    def activate(
        self,
        tenant: str,
        *,
        epoch: int,
        mode: str,
        positions: Sequence[tuple[int, str]] | None,
        op: str,
        deadline_ms: int,
    ) -> list[Fence]:
        """Make this cell the tenant's home from `epoch` on; see `transitions.activate`.

        Raises:
            InvalidInput: `epoch` belongs to another cell, or the positions are not one a stripe.
            Fenced: A stripe is not in a state from which this may happen.
        """
        if owner(epoch) != self._cell.ordinal:
            raise InvalidInput("invalid_data", problem="epoch belongs to another cell")
        stripes = self.fence(tenant, 0).stripes
        if positions is not None and len(positions) != stripes:
            raise InvalidInput("invalid_data", problem="one position for each stripe")

        def decide(fence: Fence, stripe: int) -> Sets | None:
            position = None if positions is None else positions[stripe]
            return transitions.activate(fence, epoch=epoch, mode=mode, position=position, op=op)

        return self.change(tenant, decide, deadline_ms)

    def change(self, tenant: str, decide: Decision, deadline_ms: int) -> list[Fence]:
        """Do what `decide` says to the fence of each stripe in turn, until it says None.

        Raises:
            NotFound: `tenant_not_found`.
            Fenced: From `decide`; stripes before this one are changed, and calling again is safe.
        """
        stripes = self.fence(tenant, 0).stripes
        return [self.change_one(tenant, s, decide, deadline_ms) for s in range(stripes)]

    def change_one(
        self,
        tenant: str,
        stripe: int,
        decide: Decision,
        deadline_ms: int,
    ) -> Fence:
        """Do what `decide` says to the fence of one stripe; return it as it is afterwards."""
        attempt = 0
        while True:
            fence = self.fence(tenant, stripe)
            sets = decide(fence, stripe)
            if sets is None:
                return fence
            # A base records the position it was decided on; what records none may race writers.
            at = fence if "base" in sets else None
            guard = Guard(
                role=fence.role,
                epoch=fence.epoch,
                seq=at.seq if at else None,
                chain=at.chain if at else None,
            )
            try:
                self._store.commit(
                    Batch(partition=partition_of(tenant, stripe), fence=Advance(guard, sets))
                )
            except (LostRace, Fenced, OutcomeUnknown, Throttled):
                # Read again: it may have happened, or somebody else may have changed it.
                attempt += 1
                if not self._patience.wait(attempt, deadline_ms):
                    raise

    def _create(self, partition: str, wanted: Fence, deadline_ms: int) -> Fence:
        attempt = 0
        while True:
            with suppress(LostRace, OutcomeUnknown):  # The fence tells, whoever made it.
                self._store.commit(Batch(partition=partition, fence=Create(wanted)))
            try:
                found = self._positions.learn(partition)
            except NotFound:
                attempt += 1
                if not self._patience.wait(attempt, deadline_ms):
                    raise OutcomeUnknown("provision") from None
                continue
            _check_wanted(found, wanted)
            return found

    def _list(self, tenant: str) -> None:
        line = Document(tenant_key(tenant), 0, "{}")
        try:
            self._store.commit(Batch(partition=DIRECTORY, fence=None, writes=(Put(line),)))
        except (LostRace, OutcomeUnknown):
            if not self.is_listed(tenant):
                raise OutcomeUnknown("provision") from None

    def _check_owner(self, fence: Fence) -> None:
        if fence.role.value == "active" and owner(fence.epoch) != self._cell.ordinal:
            raise InvalidInput("invalid_data", problem="epoch belongs to another cell")


def _check_wanted(found: Fence, wanted: Fence) -> None:
    if not transitions.is_provisioned_as(found, wanted):
        raise transitions.refuse(found)
