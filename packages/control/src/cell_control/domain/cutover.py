"""Rows of the cut-over: freeze, bring the tail, commit; or go back, always to a larger epoch.

No row un-freezes anything: that is what an epoch does that was committed. No timer does either; a
deadline only makes the next mover decide to go back.
"""

from dataclasses import replace
from typing import Final

from cell_control.domain.actions import Action, Freeze, Rewrite, Tail, Wait
from cell_control.domain.moving import stopped
from cell_control.domain.owning import moved, raised
from cell_control.domain.pace import CUTOVER_PAUSE_MS, retry_ms
from cell_control.domain.records import Move, State
from cell_control.domain.row import Row
from cell_control.domain.views import (
    Case,
    Missing,
    every,
    is_active_at,
    is_frozen_at,
    is_standby,
    some,
)


def freeze_op(move: Move) -> str:
    """Return the name under which a move freezes its home; at most 64 characters."""
    return f"{move.operation[:60]}.{move.attempt}"


def _roll_back(case: Case, why: str) -> Action:
    """Go back to the home at a larger epoch, and try again later if there are attempts left."""
    move = case.move
    back = raised(case, case.tenant)
    final = case.facts.aborted or bool(case.facts.hopeless)
    if final or move.attempt >= case.limits.attempts_max:
        return Rewrite(
            tenant=stopped(case, back),
            begins=True,
            ends="aborted" if case.facts.aborted else "failed",
            rolled_back=True,
            note=f"rolled back after cut-over {move.attempt}: {why}",
        )
    again = replace(
        move,
        attempt=move.attempt + 1,
        not_before_ms=case.now_ms + retry_ms(move.attempt),
        deadline_ms=0,
    )
    return Rewrite(
        tenant=replace(back, state=State.CATCHING_UP, move=again),
        begins=True,
        rolled_back=True,
        note=f"cut-over {move.attempt} was rolled back: {why}",
    )


def _dark(case: Case) -> str:
    cells = (case.tenant.home, case.move.dest)
    return next((c for c in cells if case.view(c) is Missing.DARK), "")


def _why_late(case: Case) -> str:
    if _dark(case):
        return f"{_dark(case)} does not answer"
    late = f"not done within {case.limits.cutover_ms} ms"
    return f"{late}; {case.facts.failure}" if case.facts.failure else late


def _is_lost(case: Case) -> bool:
    """Say whether the cut-over cannot succeed whatever is done: a fence is not what it needs."""
    epoch = case.tenant.epoch
    home_holds = case.home is Missing.DARK or every(
        case.home, lambda f: is_active_at(f, epoch) or is_frozen_at(f, epoch)
    )
    dest_follows = case.dest is Missing.DARK or every(case.dest, is_standby)
    return not (home_holds and dest_follows)


def _commit(case: Case) -> Action:
    dest = case.move.dest
    return Rewrite(tenant=moved(case, dest), begins=True, ends="done")


_CUTOVER: Final = frozenset({State.CUTOVER})

CUTOVER: Final = (
    Row(
        "roll_back_told",
        _CUTOVER,
        lambda case: case.facts.aborted or bool(case.facts.hopeless),
        lambda case: _roll_back(case, case.facts.hopeless or "aborted"),
    ),
    # Before the deadline is looked at: going on ends the freeze no later than going back.
    Row(
        "commit",
        _CUTOVER,
        lambda case: case.is_ready_at(case.next_epoch(case.move.dest)),
        _commit,
    ),
    Row(
        "roll_back_late",
        _CUTOVER,
        lambda case: case.now_ms >= case.move.deadline_ms,
        lambda case: _roll_back(case, _why_late(case)),
    ),
    Row(
        "roll_back_lost",
        _CUTOVER,
        _is_lost,
        lambda case: _roll_back(case, "a fence was not what a cut-over needs"),
    ),
    Row(
        "cutover_dark",
        _CUTOVER,
        lambda case: bool(_dark(case)),
        lambda case: Wait(
            until_ms=min(case.move.deadline_ms, case.now_ms + CUTOVER_PAUSE_MS),
            why=f"{_dark(case)} does not answer",
        ),
    ),
    Row(
        "freeze",
        _CUTOVER,
        lambda case: some(case.home, lambda f: is_active_at(f, case.tenant.epoch)),
        lambda case: Freeze(cell=case.tenant.home, op=freeze_op(case.move)),
    ),
    Row(
        "tail",
        _CUTOVER,
        lambda _: True,
        lambda case: Tail(epoch=case.next_epoch(case.move.dest)),
    ),
)
