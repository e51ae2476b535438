"""What a decision about a tenant is made from: its record, what its cells showed, and the time.

Pure. Refuses to know how a cell is asked; a cell that was not asked is as dark as one that did not
answer.
"""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from enum import Enum
from typing import TypeAlias

from cell_control.domain.pace import Limits
from cell_control.domain.records import Move, Position, Tenant
from cell_core.domain.fence import Fence, Role
from cell_core.domain.ids import next_epoch, owner
from cell_core.domain.transitions import DROPPING, is_prepared

Fences: TypeAlias = tuple[Fence, ...]
"""One a stripe, in their order."""

Test: TypeAlias = Callable[[Fence], bool]


class Missing(Enum):
    """Why a cell shows no fences."""

    ABSENT = "absent"
    """It has none of this tenant."""

    DARK = "dark"
    """It does not say."""


View: TypeAlias = Fences | Missing


@dataclass(frozen=True, slots=True, kw_only=True)
class Facts:
    """What else is known.

    Attributes:
        ordinals: Of every cell in the registry.
        watched: Cells to look at before anything is believed to be lost.
        aborted: An operator does not want the move any more.
        hopeless: Why the move is given up for good, as told to the operator; empty if it is not.
        failures: Calls that failed in a row.
        failure: What the last of them was.
        gone: Cells that were seen to hold nothing of the tenant any more, not even a part.
        verified: Digests were equal at a common position in this attempt.
        predicted_ms: How long the freeze would be; None if that is not known.
    """

    ordinals: Mapping[str, int]
    watched: frozenset[str] = frozenset()
    aborted: bool = False
    hopeless: str = ""
    failures: int = 0
    failure: str = ""
    gone: frozenset[str] = frozenset()
    verified: bool = False
    predicted_ms: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Case:
    """Everything one decision is made from."""

    tenant: Tenant
    views: Mapping[str, View]
    now_ms: int
    facts: Facts
    limits: Limits = field(default_factory=Limits)

    @property
    def home(self) -> View:
        """The view of the cell that is home by the record."""
        return self.view(self.tenant.home)

    @property
    def dest(self) -> View:
        """The view of the cell that the tenant moves to, or where its standby is being made."""
        return self.view(self.move.dest)

    @property
    def move(self) -> Move:
        """The move under way.

        Raises:
            ValueError: There is none; rows of states that have one ask only.
        """
        if self.tenant.move is None:
            raise ValueError(f"{self.tenant.id} does not move")
        return self.tenant.move

    def view(self, cell: str) -> View:
        """Return what `cell` showed."""
        return self.views.get(cell, Missing.DARK)

    def others(self) -> Iterator[tuple[str, Fences]]:
        """Yield the fences of all cells but the home, in the order of their names."""
        for cell, view in sorted(self.views.items()):
            if cell != self.tenant.home and not isinstance(view, Missing):
                yield cell, view

    def next_epoch(self, cell: str) -> int:
        """Return the next epoch at which `cell` would be the home."""
        return next_epoch(self.tenant.epoch, self.facts.ordinals[cell])

    def cell_of(self, epoch: int) -> str:
        """Return the cell that owns `epoch`; empty if the registry has none with that ordinal."""
        wanted = owner(epoch)
        return next((c for c, ordinal in self.facts.ordinals.items() if ordinal == wanted), "")

    def behind(self) -> int:
        """Return how many entries the destination lacks, in the stripe that lacks most."""
        here, there = self.home, self.dest
        if isinstance(here, Missing) or isinstance(there, Missing):
            return 0
        return max(h.seq - d.seq for h, d in zip(here, there, strict=True))

    def is_ready_at(self, epoch: int) -> bool:
        """Say whether every stripe is frozen, and its destination stands there, prepared."""
        here, there = self.home, self.dest
        if isinstance(here, Missing) or isinstance(there, Missing):
            return False
        ordinal = self.facts.ordinals[self.move.dest]
        return all(
            is_frozen_at(h, self.tenant.epoch) and is_ready(h, d, epoch=epoch, ordinal=ordinal)
            for h, d in zip(here, there, strict=True)
        )


def is_ready(home: Fence, dest: Fence, *, epoch: int, ordinal: int) -> bool:
    """Say whether `dest` stands where `home` does and may begin `epoch` there."""
    level = (home.seq, home.chain) == (dest.seq, dest.chain)
    return level and is_prepared(dest, epoch=epoch, ordinal=ordinal)


def some(view: View, test: Test) -> bool:
    """Say whether `test` holds for any stripe."""
    return not isinstance(view, Missing) and any(map(test, view))


def every(view: View, test: Test) -> bool:
    """Say whether the cell has the tenant and `test` holds for each stripe."""
    return not isinstance(view, Missing) and all(map(test, view))


def is_active_at(fence: Fence, epoch: int) -> bool:
    """Say whether this is the fence of the home at `epoch`."""
    return fence.role is Role.ACTIVE and fence.epoch == epoch


def is_frozen_at(fence: Fence, epoch: int) -> bool:
    """Say whether this is the fence of a home that was stopped at `epoch`."""
    return fence.role is Role.FROZEN and fence.epoch == epoch


def is_standby(fence: Fence) -> bool:
    """Say whether the stripe follows a home."""
    return fence.role is Role.STANDBY


def is_dropping(fence: Fence) -> bool:
    """Say whether somebody began to remove the stripe."""
    return fence.role is Role.QUARANTINE and fence.op == DROPPING


def position_of(fence: Fence) -> Position:
    """Return where the stripe stands."""
    return Position(seq=fence.seq, chain=fence.chain)
