"""What an operation over many tenants does next with each of them. Pure.

Refuses to begin a tenant whose last change has not settled, and to give up a member for something
that passes by itself.
"""

from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import Final, Literal, TypeAlias

from cell_control.domain.eligibility import Facts, Site, unfit
from cell_control.domain.evacuation import reasons_against_begin
from cell_control.domain.records import (
    Member,
    MemberStatus,
    Move,
    Operation,
    OperationStatus,
    State,
    Tenant,
)
from cell_control.errors import Reason

NOTE_MAX: Final = 1000


@dataclass(frozen=True, slots=True)
class Go:
    """The member begins: its tenant becomes this."""

    tenant: Tenant


@dataclass(frozen=True, slots=True)
class Later:
    """The member may go another time; why not now."""

    note: str


@dataclass(frozen=True, slots=True)
class Over:
    """The member is over without having begun, or because its move is."""

    member: Member


OVER: Final[tuple[MemberStatus, ...]] = ("done", "failed", "aborted")

Verdict: TypeAlias = Go | Later | Over


@dataclass(frozen=True, slots=True, kw_only=True)
class Tally:
    """An operation's members that are over."""

    finished: int = 0
    failed: int = 0
    aborted: int = 0
    freeze_ms: int = 0


def tally(members: Iterable[Member], count: Tally) -> Tally:
    """Return `count` with those of `members` that are over."""
    for member in members:
        count = Tally(
            finished=count.finished + (member.status == "done"),
            failed=count.failed + (member.status == "failed"),
            aborted=count.aborted + (member.status == "aborted"),
            freeze_ms=count.freeze_ms + (member.status in OVER) * member.freeze_ms,
        )
    return count


def begin(
    operation: Operation, member: Member, tenant: Tenant | None, dest: Site | None, facts: Facts
) -> Verdict:
    """Return what becomes of a waiting member now."""
    if tenant is None or dest is None:
        missing = "its tenant" if tenant is None else f"cell {member.dest}"
        return _over(member, "failed", f"There is no more {missing}.", facts)
    if is_there(operation, member, tenant):
        return _over(member, "done", "It was there already.", facts)
    if cell := unfit(dest.cell, facts):
        return Later(_note(cell))
    if not tenant.settled or tenant.move is not None:
        return Later(f"{tenant.id} is not settled yet.")
    kind = _kind(operation)
    against = reasons_against_begin(tenant, dest, facts, kind=kind)
    if against:
        return _over(member, "failed", _note(against), facts)
    return Go(begun(operation, member, tenant, facts.now_ms))


def begun(operation: Operation, member: Member, tenant: Tenant, now_ms: int) -> Tenant:
    """Return `tenant` on its way; its own standby needs no copy and catches up at once."""
    return replace(
        tenant,
        state=State.CATCHING_UP if tenant.standby == member.dest else State.COPYING,
        move=Move(
            operation=operation.id,
            kind=_kind(operation),
            dest=member.dest,
            began_ms=now_ms,
            freeze_budget_ms=tenant.policy.freeze_budget_ms,
        ),
    )


def is_there(operation: Operation, member: Member, tenant: Tenant) -> bool:
    """Say whether the tenant is where the member was to bring it."""
    if tenant.move is not None:
        return False
    place = tenant.standby if operation.kind == "standby" else tenant.home
    return place == member.dest


def settle(operation: Operation, member: Member, tenant: Tenant | None, facts: Facts) -> Member:
    """Return a moving member as its tenant's record says that it is.

    The mover ends a member with its move; this ends one whose move is gone all the same.
    """
    if tenant is not None and tenant.move is not None and tenant.move.operation == operation.id:
        return member
    if tenant is not None and is_there(operation, member, tenant):
        return _over(member, "done", member.note, facts).member
    return _over(member, "failed", member.note or "Its move was given up.", facts).member


def ended(operation: Operation, count: Tally, left: int, facts: Facts) -> Operation:
    """Return the operation with its counts; over, if `left` of its members are not."""
    counted = replace(
        operation,
        finished=count.finished,
        failed=count.failed,
        freeze_ms_total=count.freeze_ms,
    )
    if left or operation.status is not OperationStatus.RUNNING:
        return counted
    whole = not count.failed and not count.aborted
    return replace(
        counted,
        status=OperationStatus.DONE if whole else OperationStatus.FAILED,
        ended_ms=facts.now_ms,
        note="" if whole else f"{count.failed} failed, {count.aborted} not begun: see its members.",
    )


def is_spent(operation: Operation, count: Tally) -> bool:
    """Say whether the operation has used up its freeze budget."""
    return 0 < operation.freeze_budget_ms <= count.freeze_ms


def given_up(member: Member, note: str, now_ms: int) -> Member:
    """Return a waiting member that will not begin any more."""
    return replace(member, status="aborted", ended_ms=now_ms, note=note)


def _kind(operation: Operation) -> Literal["move", "standby"]:
    return "standby" if operation.kind == "standby" else "move"


def _over(member: Member, status: MemberStatus, note: str, facts: Facts) -> Over:
    return Over(replace(member, status=status, note=note[:NOTE_MAX], ended_ms=facts.now_ms))


def _note(reasons: Iterable[Reason]) -> str:
    return " ".join(reason.text for reason in reasons)
