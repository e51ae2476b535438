"""What a mover may do next: one conditional step each, at a cell or in the registry.

Pure values. Each may be done twice, by two movers, or long after it was decided: the cell's fence
or the record's rev then refuses it.
"""

from dataclasses import dataclass
from typing import Literal, TypeAlias

from cell_control.domain.records import Position, Tenant
from cell_core.domain.fence import Fence


@dataclass(frozen=True, slots=True, kw_only=True)
class Wait:
    """Nothing can be done before `until_ms`; `why` is for the operator."""

    until_ms: int
    why: str


@dataclass(frozen=True, slots=True)
class Done:
    """Nothing is left to do."""


@dataclass(frozen=True, slots=True)
class Look:
    """Look at these cells too."""

    cells: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Rewrite:
    """Put `tenant` in place of the record that was read.

    Attributes:
        begins: An epoch begins with it, which is kept for good.
        ends: How the member of the operation ends by it; empty if it does not.
        rolled_back: A cut-over was given up.
        note: For the operator, at the member.
    """

    tenant: Tenant
    begins: bool = False
    ends: Literal["", "done", "failed", "aborted"] = ""
    rolled_back: bool = False
    note: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class MakeStandby:
    """Make fences that follow the home from where `start` says, one a stripe.

    Attributes:
        epoch: The home's, or one that no home ever has: see `owning`.
    """

    cell: str
    epoch: int
    start: tuple[Fence, ...]


@dataclass(frozen=True, slots=True)
class Copy:
    """Copy a bounded part of each stripe that is not copied yet."""


@dataclass(frozen=True, slots=True)
class CatchUp:
    """Apply at the destination what it lacks of the journal, a bounded part."""


@dataclass(frozen=True, slots=True)
class Verify:
    """Compare the digests of both sides at a position they share."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Freeze:
    """Stop the home; the fences that come back are its last positions."""

    cell: str
    op: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Tail:
    """Bring each stripe of the frozen home to its destination, and prepare it for `epoch`."""

    epoch: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Activate:
    """Make the cell the home at the record's epoch; a standby only at `positions`, or forced."""

    cell: str
    mode: Literal["planned", "forced", "rollback"]
    positions: tuple[Position, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Seal:
    """Make a frozen old home the standby of the new one."""

    cell: str


@dataclass(frozen=True, slots=True, kw_only=True)
class FenceOff:
    """Stop an old home that may hold entries which the new one does not."""

    cell: str


@dataclass(frozen=True, slots=True, kw_only=True)
class RemoveOrphans:
    """Keep a quarantined cell's own entries at the home, prove that, and undo them in the cell."""

    cell: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Drop:
    """Remove a bounded part of what the cell holds of the tenant, at `epoch` or before."""

    cell: str
    epoch: int


Action: TypeAlias = (
    Wait
    | Done
    | Look
    | Rewrite
    | MakeStandby
    | Copy
    | CatchUp
    | Verify
    | Freeze
    | Tail
    | Activate
    | Seal
    | FenceOff
    | RemoveOrphans
    | Drop
)
