"""Rows for cells that are not the home: stop old homes, undo what only they have, remove copies.

They come behind the home's rows, so the home is active at the record's epoch in every stripe. What
removes data bears the epoch of the fences it was decided on; whenever a cell ceases to be one that
may be removed, the tenant's epoch is raised, so that a request sent before finds nothing.
"""

from dataclasses import replace
from typing import Final

from cell_control.domain.actions import (
    Action,
    Drop,
    FenceOff,
    MakeStandby,
    RemoveOrphans,
    Rewrite,
    Seal,
    Wait,
)
from cell_control.domain.owning import genesis, nameless, raised, wait_for
from cell_control.domain.pace import LOOK_MS
from cell_control.domain.records import Base, Position, State
from cell_control.domain.row import Row
from cell_control.domain.views import (
    Case,
    Fences,
    Missing,
    View,
    every,
    is_dropping,
    is_standby,
    position_of,
    some,
)
from cell_core.domain.fence import GENESIS, Fence, Role


def _old_home(case: Case) -> str:
    """Return a cell that takes itself for the home, or did when it was frozen; or an empty text."""
    return next((cell for cell, view in case.others() if some(view, _held)), "")


def _held(fence: Fence) -> bool:
    return fence.role in (Role.ACTIVE, Role.FROZEN)


def _is_sealable(case: Case, cell: str, view: Fences) -> bool:
    """Say whether a frozen old home ends exactly where the new home began, in every stripe.

    Sealing does not look at positions: what ends elsewhere is fenced off and compared instead.
    """
    base = case.tenant.base
    if base.mode != "planned" or base.source != cell or len(base.positions) != len(view):
        return False
    return all(
        is_standby(fence) or (fence.role is Role.FROZEN and position_of(fence) == at)
        for fence, at in zip(view, base.positions, strict=True)
    )


def _stop(case: Case) -> Action:
    cell = _old_home(case)
    view = case.view(cell)
    if not isinstance(view, Missing) and _is_sealable(case, cell, view):
        return Seal(cell=cell)
    return FenceOff(cell=cell)


def _may_seal(case: Case) -> bool:
    return bool(_old_home(case)) and isinstance(_stop(case), Seal)


def _quarantined(case: Case) -> str:
    def has_tail(fence: Fence) -> bool:
        return fence.role is Role.QUARANTINE and not is_dropping(fence)

    return next((cell for cell, view in case.others() if some(view, has_tail)), "")


def _dropping(case: Case) -> str:
    return next((cell for cell, view in case.others() if some(view, is_dropping)), "")


def _orphans(case: Case) -> Action:
    if case.tenant.alarm:
        return Wait(until_ms=case.now_ms + LOOK_MS, why=case.tenant.alarm)
    return RemoveOrphans(cell=_quarantined(case))


def drop(case: Case, cell: str) -> Action:
    """Return the next step towards `cell` holding nothing."""
    view = case.view(cell)
    if view is Missing.DARK:
        return wait_for(case, cell)
    if isinstance(view, Missing):
        # A part may be left of a removal that was cut off; the cell knows.
        return Drop(cell=cell, epoch=case.tenant.epoch)
    return Drop(cell=cell, epoch=max(fence.epoch for fence in view))


def forget_leaving(case: Case) -> Action:
    """Forget the old home, at a new epoch: no removal that is still on its way finds another."""
    return Rewrite(tenant=raised(case, replace(case.tenant, leaving=None)), begins=True)


def _is_standby_new(case: Case) -> bool:
    base = case.tenant.base
    return (
        base.mode == "provisioned"
        and not base.positions
        and not case.tenant.settled
        and _is_standby_absent(case)
    )


def _is_standby_absent(case: Case) -> bool:
    return bool(case.tenant.standby) and case.view(case.tenant.standby) is Missing.ABSENT


def _make_standby(case: Case) -> Action:
    # From nothing: the home's journal begins with its first entry, and the replicator brings all.
    tenant = case.tenant
    return MakeStandby(cell=tenant.standby, epoch=tenant.epoch, start=genesis(case))


def _forget_standby(case: Case) -> Action:
    tenant = replace(case.tenant, standby="", standby_ordinal=-1)
    return Rewrite(tenant=tenant, note=f"{case.tenant.standby} held no standby any more")


def _is_leaving_gone(case: Case) -> bool:
    leaving = case.tenant.leaving
    return leaving is not None and leaving.cell in case.facts.gone


def _is_leaving_absent(case: Case) -> bool:
    leaving = case.tenant.leaving
    return leaving is not None and case.view(leaving.cell) is Missing.ABSENT


def _drop_leaving(case: Case) -> Action:
    leaving = case.tenant.leaving
    return drop(case, leaving.cell if leaving else "")


def _has_remains(case: Case) -> bool:
    return not case.tenant.settled and case.tenant.leaving is None and bool(nameless(case))


def _name_remains(case: Case) -> Action:
    return Rewrite(tenant=replace(case.tenant, leaving=nameless(case)))


def _unseen(case: Case) -> str:
    """Return a cell of the record that was not seen to follow the home; or an empty text."""
    leaving = case.tenant.leaving
    cells = (case.tenant.standby, leaving.cell if leaving else "")
    return next((c for c in cells if c and not _is_following(case.view(c))), "")


def _is_following(view: View) -> bool:
    return view is Missing.ABSENT or every(view, is_standby)


def _settle(case: Case) -> Action:
    base = case.tenant.base
    if base.mode == "provisioned":
        # Says that this tenant was settled once: an absent home is never made anew from then on.
        none = (Position(seq=0, chain=GENESIS),) * case.tenant.stripes
        base = Base(mode="provisioned", positions=none)
    return Rewrite(tenant=replace(case.tenant, settled=True, base=base))


_OUTSIDE: Final = frozenset({State.ACTIVE, State.COPYING, State.CATCHING_UP})
_ACTIVE: Final = frozenset({State.ACTIVE})

STOPPING: Final = (
    Row("seal", _OUTSIDE, _may_seal, _stop),
    Row("fence_off", _OUTSIDE, lambda case: bool(_old_home(case)), _stop),
    Row("orphans", _OUTSIDE, lambda case: bool(_quarantined(case)), _orphans),
    Row(
        "finish_drop",
        _OUTSIDE,
        lambda case: bool(_dropping(case)),
        lambda case: drop(case, _dropping(case)),
    ),
)

SETTLING: Final = (
    Row("make_standby_new", _ACTIVE, _is_standby_new, _make_standby),
    Row("forget_standby", _ACTIVE, _is_standby_absent, _forget_standby),
    Row(
        "follower_dark",
        _ACTIVE,
        lambda case: not case.tenant.settled and bool(_unseen(case)),
        lambda case: wait_for(case, _unseen(case)),
    ),
    Row("remains", _ACTIVE, _has_remains, _name_remains),
    Row("forget_leaving", _ACTIVE, _is_leaving_gone, forget_leaving),
    # Before it is due, too: what holds nothing follows nobody, and would be found missing again.
    Row("drop_absent", _ACTIVE, _is_leaving_absent, _drop_leaving),
    Row("settle", _ACTIVE, lambda case: not case.tenant.settled, _settle),
    # What is settled and not at rest has an old home that is due.
    Row("drop", _ACTIVE, lambda _: True, _drop_leaving),
)
