"""How a fence may change hands: every control action as a pure decision (protocol.md 6).

Each function returns the fields to set, or None if the fence already is as asked (so that a
repeated call changes nothing), or raises `Fenced` with the fence as it is. Epochs only grow, and
nothing un-freezes or activates at an equal one: the model found both faults.
"""

from collections.abc import Mapping
from typing import TypeAlias

from cell_core.domain.canonical import canonical
from cell_core.domain.errors import Fenced
from cell_core.domain.fence import Fence, Role, fence_fields

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
    """Close a stripe that is to be removed, so that nothing is applied to it meanwhile."""
    if fence.role is Role.QUARANTINE and fence.epoch == epoch and fence.op == DROPPING:
        return None
    _require(fence, fence.role in (Role.STANDBY, Role.QUARANTINE) and fence.epoch == epoch)
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
