"""Rows that make the home's fences what the record says, whatever else is under way.

They come first in every state but the cut-over: nothing is copied from, or to, a tenant whose home
is in doubt. Every row that raises an epoch, or asks a cell to, makes it strictly larger.
"""

from collections.abc import Iterator
from dataclasses import replace
from typing import Final

from cell_control.domain.actions import Action, Activate, Look, MakeStandby, Rewrite, Wait
from cell_control.domain.pace import LOOK_MS, pause_ms
from cell_control.domain.records import Base, Leaving, Position, State, Tenant
from cell_control.domain.row import Row
from cell_control.domain.views import (
    Case,
    Missing,
    Test,
    every,
    is_active_at,
    is_frozen_at,
    is_ready,
    position_of,
    some,
)
from cell_core.domain.fence import GENESIS, Fence, Role

BEFORE_ALL: Final = 0
"""The epoch of a stripe that was never anybody's: homes have 1 and more."""


def genesis(case: Case) -> tuple[Fence, ...]:
    """Return fences of stripes that hold nothing, one a stripe."""
    stripes = case.tenant.stripes
    return (Fence(role=Role.STANDBY, epoch=BEFORE_ALL, stripes=stripes),) * stripes


def raised(case: Case, tenant: Tenant) -> Tenant:
    """Return `tenant` at the next epoch of the same home, of which nothing is settled."""
    before = case.tenant
    return replace(
        tenant,
        epoch=case.next_epoch(before.home),
        base=Base(mode="rollback", source=before.home, source_epoch=before.epoch),
        settled=False,
        since_ms=case.now_ms,
    )


def moved(case: Case, dest: str) -> Tenant:
    """Return the tenant at home in `dest` from the next epoch, at the frozen home's positions.

    The old home is the standby from then on if `dest` was, else it is kept for a while.
    """
    before = case.tenant
    home = case.home
    positions = () if isinstance(home, Missing) else tuple(map(position_of, home))
    swaps = before.standby == dest
    standby = before.home if swaps else before.standby
    leaving = Leaving(cell=before.home, drop_after_ms=case.now_ms + case.limits.keep_ms)
    return replace(
        before,
        state=State.ACTIVE,
        epoch=case.next_epoch(dest),
        home=dest,
        standby=standby,
        standby_ordinal=case.facts.ordinals.get(standby, -1),
        leaving=before.leaving if swaps else leaving,
        base=Base(
            mode="planned",
            source=before.home,
            source_epoch=before.epoch,
            positions=positions,
        ),
        move=None,
        settled=False,
        since_ms=case.now_ms,
    )


def _epochs(case: Case) -> Iterator[int]:
    for view in case.views.values():
        if not isinstance(view, Missing):
            yield from (fence.epoch for fence in view)


def _is_record_behind(case: Case) -> bool:
    return max(_epochs(case), default=0) > case.tenant.epoch


def _raise(case: Case) -> Action:
    """Believe the cells: an epoch is only ever given to one after the registry had it."""
    before, epoch = case.tenant, max(_epochs(case))
    home = case.cell_of(epoch)
    if not home:
        return _stuck(case, f"epoch {epoch} belongs to no cell of the registry")
    old = "" if before.home == home else before.home
    standby = before.standby if before.standby != home else old
    leaving = before.leaving if before.leaving and before.leaving.cell != home else None
    if leaving is None and old not in ("", standby):
        leaving = Leaving(cell=old, drop_after_ms=case.now_ms + case.limits.keep_ms)
    after = replace(
        before,
        epoch=epoch,
        home=home,
        standby=standby,
        standby_ordinal=case.facts.ordinals.get(standby, -1),
        leaving=leaving,
        state=State.ACTIVE,
        move=None,
        settled=False,
        base=Base(mode="recovered", source=before.home, source_epoch=before.epoch),
        since_ms=case.now_ms,
    )
    after = replace(after, leaving=after.leaving or nameless(case, after))
    arrived = before.move is not None and before.move.dest == home
    return Rewrite(
        tenant=after,
        begins=True,
        ends="done" if arrived else "failed",
        note=f"the registry was behind its cells, which were at epoch {epoch}",
    )


def _is_new(case: Case) -> bool:
    base = case.tenant.base
    never_settled = base.mode == "provisioned" and not base.positions and not case.tenant.settled
    return never_settled and case.home is Missing.ABSENT


def _provision(case: Case) -> Action:
    # As a standby that is then activated: a request to make an active fence that arrives after the
    # tenant moved on, and was dropped here, would make a second home.
    return MakeStandby(cell=case.tenant.home, epoch=BEFORE_ALL, start=genesis(case))


def _is_intent_lost(case: Case) -> bool:
    return some(case.home, lambda f: is_frozen_at(f, case.tenant.epoch))


def _find_intent(case: Case) -> Action:
    """A home is frozen and no record says why: only a registry that went back forgets that.

    Whatever was committed behind its back shows in some cell, so all are looked at before the home
    is believed to be the home. A destination that is ready may have been told to the edge already.
    """
    unseen = sorted(case.facts.watched - case.views.keys())
    if unseen:
        return Look(tuple(unseen))
    dark = sorted(c for c in case.facts.watched if case.view(c) is Missing.DARK)
    if dark:
        why = f"frozen without a record of why; {', '.join(dark)} must be seen, or be retired"
        return _stuck(case, why)
    note = "the registry had forgotten that the tenant was being moved"
    for cell, _ in case.others():
        if _is_ready_in(case, cell):
            return Rewrite(tenant=moved(case, cell), begins=True, ends="failed", note=note)
    source = case.tenant
    back = replace(
        raised(case, source),
        base=Base(mode="recovered", source=source.home, source_epoch=source.epoch),
        leaving=source.leaving or nameless(case, source),
        state=State.ACTIVE,
        move=None,
    )
    return Rewrite(tenant=back, begins=True, ends="failed", note=note)


def nameless(case: Case, tenant: Tenant | None = None) -> Leaving | None:
    """Return a cell that holds something and that `tenant` does not name, to be rid of.

    One at a time: there is place for one. Only seen where all cells are looked at.
    """
    tenant = tenant or case.tenant
    named = (tenant.home, tenant.standby, tenant.move.dest if tenant.move else "")
    found = next((cell for cell, _ in case.others() if cell not in named), None)
    return Leaving(cell=found, drop_after_ms=0) if found else None


def _is_ready_in(case: Case, cell: str) -> bool:
    here, there = case.home, case.view(cell)
    if isinstance(here, Missing) or isinstance(there, Missing) or cell not in case.facts.ordinals:
        return False
    epoch, ordinal = case.next_epoch(cell), case.facts.ordinals[cell]
    return all(
        is_frozen_at(h, case.tenant.epoch) and is_ready(h, d, epoch=epoch, ordinal=ordinal)
        for h, d in zip(here, there, strict=True)
    )


def _is_stopped(case: Case, fence: Fence) -> bool:
    return fence.role in (Role.ACTIVE, Role.FROZEN) and fence.epoch < case.tenant.epoch


def _is_rolled_back(case: Case) -> bool:
    return case.tenant.base.mode == "rollback" and _goes_on(
        case, lambda fence: _is_stopped(case, fence)
    )


def _is_promoted(case: Case) -> bool:
    return case.tenant.base.mode in ("planned", "provisioned") and _goes_on(
        case, lambda f: f.role is Role.STANDBY and f.epoch < case.tenant.epoch
    )


def _is_forced(case: Case) -> bool:
    return case.tenant.base.mode in ("forced", "recovered") and _goes_on(
        case, lambda f: f.role is not Role.QUARANTINE and f.epoch < case.tenant.epoch
    )


def _goes_on(case: Case, begins: Test) -> bool:
    """Say whether each stripe is active already or may begin the epoch, and one has to."""
    epoch = case.tenant.epoch
    return some(case.home, begins) and every(
        case.home, lambda f: is_active_at(f, epoch) or begins(f)
    )


def _activate(case: Case) -> Action:
    none = (Position(seq=0, chain=GENESIS),) * case.tenant.stripes
    positions = case.tenant.base.positions or none
    return Activate(cell=case.tenant.home, mode="planned", positions=positions)


def _is_home_lost(case: Case) -> bool:
    """Say whether the named home was fenced off: a failover was made that the record forgot."""
    return some(case.home, lambda f: f.role is Role.QUARANTINE) and bool(_successor(case))


def _successor(case: Case) -> str:
    """Return the cell that the fenced-off home names, if it may be the home; else nothing."""
    view = case.home
    hints = () if isinstance(view, Missing) else tuple(f.home_hint for f in view if f.home_hint)
    hint = hints[0] if hints else ""
    may_be = every(case.view(hint), lambda f: f.role in (Role.ACTIVE, Role.STANDBY))
    return hint if may_be and hint in case.facts.ordinals else ""


def _succeed(case: Case) -> Action:
    """Name the cell that took over when the home was fenced off; what that kept are orphans."""
    before, home = case.tenant, _successor(case)
    after = replace(
        before,
        epoch=case.next_epoch(home),
        home=home,
        standby=before.home,
        standby_ordinal=case.facts.ordinals.get(before.home, -1),
        leaving=before.leaving if before.leaving and before.leaving.cell != home else None,
        state=State.ACTIVE,
        move=None,
        settled=False,
        base=Base(mode="recovered", source=before.home, source_epoch=before.epoch),
        since_ms=case.now_ms,
    )
    note = f"{before.home} was fenced off by a failover that the registry had forgotten"
    return Rewrite(tenant=after, begins=True, ends="failed", note=note)


def _is_odd(case: Case) -> bool:
    return not every(case.home, lambda f: is_active_at(f, case.tenant.epoch))


def _stuck(case: Case, why: str) -> Wait:
    return Wait(until_ms=case.now_ms + LOOK_MS, why=why)


def _has_other_stripes(case: Case) -> bool:
    views = [view for view in case.views.values() if not isinstance(view, Missing)]
    return any(len(view) != case.tenant.stripes for view in views)


def wait_for(case: Case, cell: str) -> Wait:
    """Return the wait for a cell that does not answer; it grows with each failure."""
    return Wait(until_ms=case.now_ms + pause_ms(case.facts.failures), why=f"{cell} does not answer")


_OUTSIDE: Final = frozenset({State.ACTIVE, State.COPYING, State.CATCHING_UP})

RAISING: Final = (
    Row(
        "stripes",
        frozenset(State),
        _has_other_stripes,
        lambda case: _stuck(case, "a cell has another number of stripes than the record"),
    ),
    Row("raise", frozenset(State), _is_record_behind, _raise),
)

OWNING: Final = (
    Row("provision", frozenset({State.ACTIVE}), _is_new, _provision),
    Row(
        "home_absent",
        _OUTSIDE,
        lambda case: case.home is Missing.ABSENT,
        lambda case: _stuck(
            case, f"{case.tenant.home} holds no such tenant; restore it or move on"
        ),
    ),
    Row(
        "home_dark",
        _OUTSIDE,
        lambda case: case.home is Missing.DARK,
        lambda case: wait_for(case, case.tenant.home),
    ),
    Row("find_intent", _OUTSIDE, _is_intent_lost, _find_intent),
    Row(
        "bump",
        _OUTSIDE,
        _is_rolled_back,
        lambda case: Activate(cell=case.tenant.home, mode="rollback"),
    ),
    Row("activate", _OUTSIDE, _is_promoted, _activate),
    Row(
        "activate_forced",
        _OUTSIDE,
        _is_forced,
        lambda case: Activate(cell=case.tenant.home, mode="forced"),
    ),
    Row("home_lost", _OUTSIDE, _is_home_lost, _succeed),
    Row(
        "home_odd",
        _OUTSIDE,
        _is_odd,
        lambda case: _stuck(case, f"the fences in {case.tenant.home} contradict the record"),
    ),
)
