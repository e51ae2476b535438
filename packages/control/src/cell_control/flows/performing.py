"""The actions of the table that ask cells, each as a flow; what they answer is kept as views.

Nothing is decided here and nothing is retried: whatever does not end as asked is raised.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TypeVar

from cell_control.domain.actions import (
    Action,
    Activate,
    Drop,
    FenceOff,
    Freeze,
    Look,
    MakeStandby,
    Seal,
    Tail,
    Verify,
)
from cell_control.domain.records import StripeCopy
from cell_control.domain.views import Missing, is_dropping, is_ready
from cell_control.flows.abreast import abreast
from cell_control.flows.calling import Absent, Diverged, NotDone, Refused, do, together
from cell_control.flows.cells import (
    Fences,
    activate,
    drop,
    fence_off,
    freeze,
    journal,
    provision_standby,
    seal,
)
from cell_control.flows.copying import copy_step
from cell_control.flows.effects import Flow
from cell_control.flows.known import Known
from cell_control.flows.orphaning import remove_orphans
from cell_control.flows.replicate import Followed, catch_up
from cell_control.flows.tail import Brought, Stripe, bring
from cell_core.domain.fence import Role
from cell_core.domain.ids import owner
from cell_core.domain.journal import read_entry

T = TypeVar("T")

CATCH_UP_ENTRIES = 1200
"""What one step of catching up carries for a stripe at most."""


@dataclass(frozen=True, slots=True)
class Copied:
    """How far the stripes are, and why not further; None if nothing failed."""

    parts: tuple[StripeCopy, ...]
    failure: NotDone | None


def perform(known: Known, action: Action) -> Flow[None]:
    """Take a step that is not a part of a copy or a cut-over.

    Raises:
        NotDone: One of its kinds.
    """
    match action:
        case MakeStandby():
            yield from make_standby(known, action)
            # Read before what comes next: activating is not conditional on where it was just made.
            known.record = None
        case Seal() | FenceOff():
            yield from stop(known, action)
        case Drop():
            yield from remove(known, action)
        case Verify():
            yield from verify(known, known.dest())
        case Look():
            known.look_everywhere()
        case _:
            raise AssertionError(type(action).__name__)


def make_standby(known: Known, action: MakeStandby) -> Flow[None]:
    """Provision; if remains of another time are there, finish those first."""
    cell, tenant = action.cell, known.tenant

    def provision(epoch: int) -> Flow[Fences]:
        return do(
            provision_standby(cell, tenant.id, epoch=epoch, home=tenant.home, start=action.start)
        )

    try:
        view = yield from provision(action.epoch)
    except Refused as no:
        if is_dropping(no.fence):
            yield from remove(known, Drop(cell=cell, epoch=no.fence.epoch))
            return
        if no.fence.role is not Role.STANDBY or no.fence.epoch >= action.epoch:
            raise
        # Some stripes were made before, at an older epoch; what is applied to them raises it.
        view = yield from provision(no.fence.epoch)
    known.see(cell, view)


def copy_parts(known: Known) -> Flow[Copied]:
    """Copy a part of each stripe that is not done."""
    tenant = known.tenant
    move = tenant.move
    held = move.copied if move else ()
    parts = list(held or (StripeCopy(),) * tenant.stripes)
    open_ = [number for number, part in enumerate(parts) if part.phase != "done"]
    outcomes = yield from abreast([copy_step(tenant, n, parts[n]) for n in open_])
    failure: NotDone | None = None
    for number, outcome in zip(open_, outcomes, strict=True):
        if isinstance(outcome, NotDone):
            failure = failure or outcome
        else:
            parts[number] = outcome
    known.forget_views()
    return Copied(tuple(parts), failure)


def catch_up_all(known: Known, dest: str) -> Flow[int]:
    """Apply what each stripe of `dest` lacks; return how many entries were sent."""
    tenant = known.tenant
    pairs = list(zip(known.fences(tenant.home), known.fences(dest), strict=True))
    flows = [
        catch_up(
            tenant.id,
            tenant.home,
            dest,
            number,
            tenant.epoch,
            there.seq,
            budget_entries=CATCH_UP_ENTRIES,
        )
        for number, (here, there) in enumerate(pairs)
        if here.seq > there.seq
    ]
    known.forget_views()
    return sum(done.applied for done in _all((yield from abreast(flows)), Followed))


def verify(known: Known, dest: str) -> Flow[None]:
    """Compare digest and chain of each stripe with the home's, where the destination stands.

    Raises:
        Diverged: They differ.
    """
    tenant = known.tenant
    theirs = known.fences(dest)
    stripes = [number for number, fence in enumerate(theirs) if fence.seq > 0]
    calls = [journal(tenant.home, tenant.id, n, after=theirs[n].seq - 1, limit=1) for n in stripes]
    outcomes = yield from together(calls)
    for number, outcome in zip(stripes, outcomes, strict=True):
        if isinstance(outcome, NotDone):
            raise outcome
        fence = theirs[number]
        entry = read_entry(outcome.documents[0].body) if outcome.documents else None
        found = (entry.seq, entry.chain, entry.digest) if entry else None
        if found != (fence.seq, fence.chain, fence.digest):
            raise Diverged(dest, fence.seq)
    known.verify()


def freeze_home(known: Known, action: Freeze) -> Flow[None]:
    """Freeze; the views are then the home's last positions."""
    call = freeze(action.cell, known.id, epoch=known.tenant.epoch, op=action.op)
    known.see(action.cell, (yield from do(call)))


def bring_tails(known: Known, action: Tail, dest: str) -> Flow[int]:
    """Bring every stripe that is not ready to the home's last position; return the entries sent."""
    tenant = known.tenant
    here, there = known.fences(tenant.home), list(known.fences(dest))
    stripes = [
        Stripe(
            tenant=tenant.id,
            number=number,
            source=tenant.home,
            dest=dest,
            home=home,
            follower=follower,
            epoch=tenant.epoch,
            next_epoch=action.epoch,
        )
        for number, (home, follower) in enumerate(zip(here, there, strict=True))
        if not is_ready(home, follower, epoch=action.epoch, ordinal=owner(action.epoch))
    ]
    outcomes = yield from bring(stripes)
    done = _all(outcomes, Brought)
    for stripe, brought in zip(stripes, done, strict=True):
        there[stripe.number] = brought.fence
    known.see(dest, tuple(there))
    return sum(brought.entries for brought in done)


def activate_home(known: Known, action: Activate) -> Flow[None]:
    """Activate at the record's epoch."""
    tenant = known.tenant
    call = activate(
        action.cell,
        tenant.id,
        epoch=tenant.epoch,
        mode=action.mode,
        positions=action.positions,
    )
    known.see(action.cell, (yield from do(call)))


def stop(known: Known, action: Seal | FenceOff) -> Flow[None]:
    """Seal or fence off."""
    tenant = known.tenant
    ask = seal if isinstance(action, Seal) else fence_off
    call = ask(action.cell, tenant.id, epoch=tenant.epoch, home=tenant.home)
    known.see(action.cell, (yield from do(call)))


def remove_tails(known: Known, cell: str) -> Flow[int]:
    """Take every quarantined stripe of `cell` back to what it shares with the home.

    Returns how many orphans that were.
    """
    tenant, total = known.tenant, 0
    for number, fence in enumerate(known.fences(cell)):
        if fence.role is Role.QUARANTINE and not is_dropping(fence):
            _, count = yield from remove_orphans(tenant.id, tenant.home, cell, number, fence)
            total += count
    known.forget_views()
    return total


def remove(known: Known, action: Drop) -> Flow[None]:
    """Remove a part of what `action.cell` holds, and note if that was all."""
    cell = action.cell
    try:
        more = yield from do(drop(cell, known.id, epoch=action.epoch))
    except Absent:
        more = False
    if not more:
        known.see(cell, Missing.ABSENT)
        known.gone.add(cell)


def _all(outcomes: Sequence[T | NotDone], kind: type[T]) -> list[T]:
    """Return all outcomes, or raise the first that is none."""
    done: list[T] = []
    for outcome in outcomes:
        if isinstance(outcome, NotDone):
            raise outcome
        assert isinstance(outcome, kind)  # noqa: S101 - the type of the flow that was run
        done.append(outcome)
    return done
