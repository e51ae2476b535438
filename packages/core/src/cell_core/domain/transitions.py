"""How a fence may change hands: every control action as a pure decision (protocol.md 6).

Each function returns the fields to set, or None if the fence already is as asked (so that a
repeated call changes nothing), or raises `Fenced` with the fence as it is. Epochs only grow, and
nothing un-freezes or activates at an equal one: the model found both faults.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TypeAlias

from cell_core.domain.canonical import canonical
from cell_core.domain.errors import Diverged, Fenced, Gap
from cell_core.domain.fence import Fence, Role, fence_fields
from cell_core.domain.ids import owner

Sets: TypeAlias = Mapping[str, str | int]


def freeze(fence: Fence, *, epoch: int, op: str) -> Sets | None:
    """Stop the stripe at `epoch` for operation `op`; frozen by another operation is refused."""
    if fence.role is Role.FROZEN and fence.epoch == epoch and fence.op == op:
        return None
    _require(fence, fence.role is Role.ACTIVE and fence.epoch == epoch)
    return {"role": Role.FROZEN, "op": op}


def activate(
    fence: Fence, *, epoch: int, mode: str, position: tuple[int, str] | None, op: str
) -> Sets | None:
    """Make this cell the home from `epoch`, which must be strictly above the fence's.

    A standby needs its home's final `position`, unless the failover is `forced`; then what it
    holds becomes the base, and later entries of the old home are orphans.
    """
    if fence.role is Role.ACTIVE and fence.epoch == epoch:
        return None
    _require(fence, fence.role is not Role.QUARANTINE and fence.epoch < epoch)
    if fence.role is Role.STANDBY and mode != "forced":
        _require(fence, position == (fence.seq, fence.chain))
    base = {"mode": mode, "from_epoch": fence.epoch, "seq": fence.seq, "chain": fence.chain}
    return {
        "role": Role.ACTIVE,
        "epoch": epoch,
        "op": op,
        "home_hint": "",
        "base": canonical(base),
    }


@dataclass(frozen=True, slots=True, kw_only=True)
class Preparation:
    """The epoch at which a standby may become the home by itself, and its home's final position."""

    epoch: int
    seq: int
    chain: str

    def is_at(self, fence: Fence) -> bool:
        """Say whether `fence` stands at the final position."""
        return (fence.seq, fence.chain) == (self.seq, self.chain)

    def base(self) -> str:
        """Return how a fence says that it is prepared."""
        return canonical({"prepared": self.epoch, "seq": self.seq, "chain": self.chain})


def follow(fence: Fence, *, epoch: int, ordinal: int) -> Sets:
    """Return what a standby takes over from its home at `epoch`; empty if it knows that epoch.

    A home at a larger epoch was un-frozen and lives on, so what was prepared before is void. A home
    at an epoch of the standby's own cell (`ordinal`) is none.
    """
    _require(fence, fence.role is Role.STANDBY and fence.epoch <= epoch)
    if fence.epoch == epoch:
        return {}
    _require(fence, owner(epoch) != ordinal)
    return {"epoch": epoch, "base": ""}


def prepare(fence: Fence, wanted: Preparation) -> Sets | None:
    """Let a standby at its home's final position be activated by a request at `wanted.epoch`.

    Raises:
        Gap: It is not there; `have` says where it is.
        Diverged: It is there with another log.
    """
    _require(fence, fence.role is Role.STANDBY and fence.epoch < wanted.epoch)
    if fence.seq != wanted.seq:
        raise Gap(have=fence.seq)
    if fence.chain != wanted.chain:
        raise Diverged(seq=fence.seq)
    return None if fence.base == wanted.base() else {"base": wanted.base()}


def is_prepared(fence: Fence, *, epoch: int, ordinal: int) -> bool:
    """Say whether a request at `epoch` may activate `fence` in the cell with `ordinal`.

    The base names the position, so a standby that was written to since is not prepared any more.
    """
    if fence.role is not Role.STANDBY or fence.epoch >= epoch or owner(epoch) != ordinal:
        return False
    return fence.base == Preparation(epoch=epoch, seq=fence.seq, chain=fence.chain).base()


def seal(fence: Fence, *, epoch: int, home_hint: str) -> Sets | None:
    """Turn a frozen old home into a standby of the home that is active since `epoch`."""
    if fence.role is Role.STANDBY and fence.epoch == epoch:
        return None
    _require(fence, fence.role is Role.FROZEN and fence.epoch < epoch)
    return {"role": Role.STANDBY, "epoch": epoch, "home_hint": home_hint, "op": ""}


def fence_off(fence: Fence, *, epoch: int, home_hint: str) -> Sets | None:
    """Stop an old home that may have written after it lost the tenant; its tail is quarantined."""
    if fence.role is Role.QUARANTINE and fence.epoch == epoch:
        return None
    _require(fence, fence.role in (Role.ACTIVE, Role.FROZEN) and fence.epoch < epoch)
    return {"role": Role.QUARANTINE, "epoch": epoch, "home_hint": home_hint, "op": ""}


def begin_drop(fence: Fence, *, epoch: int) -> Sets | None:
    """Close a stripe that is to be removed, so that nothing is applied to it meanwhile.

    A standby may lag behind `epoch`, each stripe by itself: a removal that closed one of them has
    to be able to close the others, whose epochs were raised while it was on its way. What is
    quarantined may hold what nobody else has, and goes at exactly its epoch.
    """
    if fence.role is Role.QUARANTINE and fence.epoch <= epoch and fence.op == DROPPING:
        return None
    _require(
        fence,
        (fence.role is Role.STANDBY and fence.epoch <= epoch)
        or (fence.role is Role.QUARANTINE and fence.epoch == epoch),
    )
    return {"role": Role.QUARANTINE, "op": DROPPING}


DROPPING = "~drop"
"""Marks a stripe whose documents are being removed; no operation's id can begin with a tilde."""


def is_provisioned_as(fence: Fence, wanted: Fence) -> bool:
    """Say whether `fence` is what provisioning `wanted` would have made, written to since or not.

    A standby provisioned at a position may have been applied to; one that was then activated has
    another epoch.
    """
    return (fence.role, fence.epoch, fence.stripes) == (wanted.role, wanted.epoch, wanted.stripes)


def refuse(fence: Fence) -> Fenced:
    """Return the refusal that shows `fence` as it is."""
    return Fenced("fence_refused", fence=fence_fields(fence))


def _require(fence: Fence, holds: bool) -> None:  # noqa: FBT001 - an assertion
    if not holds:
        raise refuse(fence)
