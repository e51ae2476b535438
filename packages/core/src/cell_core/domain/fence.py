"""The fence of a stripe: who owns it, how far it is written, whom it admits (protocol.md 2-4, 8).

Pure: reading and writing fences is the store's business, deciding is this module's.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from enum import StrEnum
from typing import Any

from cell_core.domain.errors import Conflict, Fenced, LostRace, NotFound

GENESIS = "0" * 64
"""The chain before the first entry, and the digest of no state."""


class Role(StrEnum):
    """What a cell may do with a stripe."""

    ACTIVE = "active"
    FROZEN = "frozen"
    STANDBY = "standby"
    QUARANTINE = "quarantine"


@dataclass(frozen=True, slots=True, kw_only=True)
class Fence:
    """The state of one stripe's fence.

    Attributes:
        epoch: Names its owner by its remainder; only ever grows.
        seq: The last journal entry written; 0 before the first.
        chain: SHA-256 over all entries up to `seq`, hexadecimal.
        digest: Order-independent digest of the entities at `seq`, hexadecimal.
        stripes: How many stripes the tenant has; the same in each of its fences.
        op: The operation that set the role, for idempotent control calls.
        home_hint: The cell where the tenant lives now, if this one knows.
        base: Where this epoch began, as canonical JSON text; empty before the first move.
    """

    role: Role
    epoch: int
    seq: int = 0
    chain: str = GENESIS
    digest: str = GENESIS
    stripes: int = 1
    op: str = ""
    home_hint: str = ""
    base: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Guard:
    """The condition on a fence under which a batch may be written.

    `role` and `epoch` must always be equal; `seq` and `chain` only where given.
    """

    role: Role
    epoch: int
    seq: int | None = None
    chain: str | None = None

    def admits(self, fence: Fence) -> bool:
        """Say whether `fence` satisfies this guard."""
        return (
            fence.role is self.role
            and fence.epoch == self.epoch
            and self.seq in (None, fence.seq)
            and self.chain in (None, fence.chain)
        )


def refusal(guard: Guard, found: Fence | None) -> Conflict | NotFound:
    """Return the error that says why `guard` did not hold for the fence `found`."""
    if found is None:
        return NotFound("tenant_not_found")
    if found.role is not guard.role or found.epoch != guard.epoch:
        return Fenced("fence_refused", fence=fence_fields(found))
    return LostRace(fence=fence_fields(found))


def check_serving(fence: Fence | None, epoch: int, cell: str) -> Fence:
    """Return `fence` if it lets `cell` serve a request that was routed at `epoch`.

    Raises:
        NotFound: The tenant has no fence here.
        Fenced: `moved`, `frozen` or `epoch_behind`; each certifies that nothing was executed.
    """
    if fence is None:
        raise NotFound("tenant_not_found")
    if fence.role in (Role.STANDBY, Role.QUARANTINE):
        raise Fenced("moved", epoch=fence.epoch, home=fence.home_hint)
    if epoch < fence.epoch:
        raise Fenced("moved", epoch=fence.epoch, home=cell)
    if epoch > fence.epoch:
        raise Fenced("epoch_behind", epoch=fence.epoch)
    if fence.role is Role.FROZEN:
        raise Fenced("frozen", epoch=fence.epoch, retry_after_ms=FROZEN_RETRY_MS)
    return fence


def with_sets(fence: Fence, sets: Mapping[str, str | int]) -> Fence:
    """Return `fence` with the fields of `sets`, as a store keeps it after an `Advance`."""
    fields: dict[str, Any] = dict(sets)
    if "role" in fields:
        fields["role"] = Role(fields["role"])
    return replace(fence, **fields)


FROZEN_RETRY_MS = 1000
"""HTTP's Retry-After counts whole seconds; a freeze is budgeted at 91 ms p99 (protocol.md 6)."""


def fence_fields(fence: Fence) -> dict[str, Any]:
    """Return `fence` as JSON, the form in which control answers carry it."""
    return {
        "role": fence.role.value,
        "epoch": fence.epoch,
        "seq": fence.seq,
        "chain": fence.chain,
        "digest": fence.digest,
        "stripes": fence.stripes,
        "op": fence.op,
        "home_hint": fence.home_hint,
        "base": fence.base,
    }


def fence_from(fields: dict[str, Any]) -> Fence:
    """Return the fence that `fence_fields` wrote."""
    return Fence(
        role=Role(fields["role"]),
        epoch=int(fields["epoch"]),
        seq=int(fields["seq"]),
        chain=fields["chain"],
        digest=fields["digest"],
        stripes=int(fields["stripes"]),
        op=fields["op"],
        home_hint=fields["home_hint"],
        base=fields["base"],
    )
