"""Rows of a move before its cut-over: make a standby at the destination, copy, catch up, be sure.

Nothing was frozen yet at the epoch of such a record: giving up changes no epoch and stops nobody.
"""

from dataclasses import replace
from typing import Final

from cell_control.domain.actions import (
    Action,
    CatchUp,
    Copy,
    MakeStandby,
    Rewrite,
    Verify,
    Wait,
)
from cell_control.domain.owning import raised, wait_for
from cell_control.domain.pace import retry_ms
from cell_control.domain.records import Leaving, State, StripeCopy, Tenant
from cell_control.domain.retiring import drop, forget_leaving
from cell_control.domain.row import Row
from cell_control.domain.views import Case, Missing


def stopped(case: Case, tenant: Tenant) -> Tenant:
    """Return `tenant` without its move; what the destination holds goes, unless it is a standby."""
    dest, leaving = case.move.dest, tenant.leaving
    is_kept = dest == tenant.standby or leaving is not None
    if not is_kept and case.view(dest) is not Missing.ABSENT:
        leaving = Leaving(cell=dest, drop_after_ms=0)
    return replace(tenant, state=State.ACTIVE, move=None, leaving=leaving)


def _is_over(case: Case) -> bool:
    deadline_ms = case.move.deadline_ms
    is_late = deadline_ms > 0 and case.now_ms >= deadline_ms
    return case.facts.aborted or bool(case.facts.hopeless or case.tenant.alarm) or is_late


def _give_up(case: Case) -> Action:
    note = case.facts.hopeless or case.tenant.alarm or "its deadline passed before the cut-over"
    aborted = case.facts.aborted
    return Rewrite(
        tenant=stopped(case, case.tenant),
        ends="aborted" if aborted else "failed",
        note="aborted before the cut-over" if aborted else note,
    )


def _has_leaving(case: Case) -> bool:
    return case.tenant.leaving is not None


def _make_room(case: Case) -> Action:
    """There is place for one old home: the one before goes first, or becomes the destination."""
    leaving = case.tenant.leaving
    assert leaving is not None  # noqa: S101 - the row's condition
    if leaving.cell == case.move.dest:
        return _reclaim(case, leaving)
    if leaving.cell in case.facts.gone:
        return forget_leaving(case)
    return drop(case, leaving.cell)


def _reclaim(case: Case, leaving: Leaving) -> Action:
    """Take an old home as the destination, at a new epoch: a removal on its way must not find it.

    It followed its successor, so it is complete; what a failed move left behind (0) is not.
    """
    move = case.move
    if leaving.drop_after_ms > 0 and not move.copied:
        move = replace(move, copied=(StripeCopy(phase="done"),) * case.tenant.stripes)
    tenant = replace(case.tenant, leaving=None, move=move)
    return Rewrite(tenant=raised(case, tenant), begins=True)


def _is_dest_lost(case: Case) -> bool:
    began = case.tenant.state is not State.COPYING or bool(case.move.copied)
    return case.dest is Missing.ABSENT and (began or case.move.dest == case.tenant.standby)


def _restart(case: Case) -> Action:
    """Copy everything again to a destination that lost what it had."""
    tenant = replace(
        case.tenant, state=State.COPYING, move=replace(case.move, copied=(), not_before_ms=0)
    )
    if case.move.dest == tenant.standby:
        tenant = replace(tenant, standby="", standby_ordinal=-1)
    return Rewrite(tenant=tenant)


def _make_standby(case: Case) -> Action:
    home = case.home
    start = () if isinstance(home, Missing) else home
    return MakeStandby(cell=case.move.dest, epoch=case.tenant.epoch, start=start)


def _is_copied(case: Case) -> bool:
    copied = case.move.copied
    if case.move.dest == case.tenant.standby:
        return True
    return len(copied) == case.tenant.stripes and all(part.phase == "done" for part in copied)


def _finish_standby(case: Case) -> Action:
    before, dest = case.tenant, case.move.dest
    leaving = before.leaving
    if before.standby not in ("", dest):
        leaving = Leaving(cell=before.standby, drop_after_ms=case.now_ms)
    tenant = replace(
        before,
        state=State.ACTIVE,
        standby=dest,
        standby_ordinal=case.facts.ordinals.get(dest, -1),
        leaving=leaving,
        move=None,
    )
    return Rewrite(tenant=tenant, ends="done")


def _is_too_slow(case: Case) -> bool:
    predicted, budget = case.facts.predicted_ms, case.move.freeze_budget_ms
    return predicted is not None and 0 < budget < predicted


def _begin_cutover(case: Case) -> Action:
    # The intent is on record before anything is frozen: whoever comes after a crash knows why.
    move = replace(case.move, deadline_ms=case.now_ms + case.limits.cutover_ms)
    return Rewrite(tenant=replace(case.tenant, state=State.CUTOVER, move=move))


_COPYING: Final = frozenset({State.COPYING})
_CATCHING_UP: Final = frozenset({State.CATCHING_UP})
_MOVING: Final = _COPYING | _CATCHING_UP

GIVING_UP: Final = (Row("give_up", _MOVING, _is_over, _give_up),)

MOVING: Final = (
    Row("make_room", _MOVING, _has_leaving, _make_room),
    Row(
        "dest_dark",
        _MOVING,
        lambda case: case.dest is Missing.DARK,
        lambda case: wait_for(case, case.move.dest),
    ),
    Row("restart", _MOVING, _is_dest_lost, _restart),
    Row("make_standby", _COPYING, lambda case: case.dest is Missing.ABSENT, _make_standby),
    Row("copy", _COPYING, lambda case: not _is_copied(case), lambda _: Copy()),
    Row(
        "catch_up",
        _MOVING,
        lambda case: case.behind() > case.limits.lag_max,
        lambda _: CatchUp(),
    ),
    Row(
        "finish_standby",
        _COPYING,
        lambda case: case.move.kind == "standby",
        _finish_standby,
    ),
    Row(
        "catching_up",
        _COPYING,
        lambda _: True,
        lambda case: Rewrite(tenant=replace(case.tenant, state=State.CATCHING_UP)),
    ),
    Row(
        "not_yet",
        _CATCHING_UP,
        lambda case: case.now_ms < case.move.not_before_ms,
        lambda case: Wait(until_ms=case.move.not_before_ms, why="a cut-over was rolled back"),
    ),
    Row("verify", _CATCHING_UP, lambda case: not case.facts.verified, lambda _: Verify()),
    Row(
        "too_slow",
        _CATCHING_UP,
        _is_too_slow,
        lambda case: Wait(
            until_ms=case.now_ms + retry_ms(case.move.attempt),
            why=f"a freeze of {case.facts.predicted_ms} ms is above its budget",
        ),
    ),
    Row("begin_cutover", _CATCHING_UP, lambda _: True, _begin_cutover),
)
