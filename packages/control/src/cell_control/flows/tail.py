"""The tail of a frozen home: the entries its destination lacks, and the preparation behind them.

All stripes side by side. The last call of a stripe prepares it in the same write, so that a short
tail costs one call to each cell.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from cell_control.domain.records import Position
from cell_control.flows.abreast import abreast
from cell_control.flows.calling import Call, Diverged, Gap, NotDone, do
from cell_control.flows.cells import Prepare, apply, journal
from cell_control.flows.effects import Flow
from cell_core.domain.fence import Fence
from cell_core.domain.limits import APPLY_ENTRIES_MAX

GAPS_MAX: Final = 3
"""How often a destination may say that it stands elsewhere than it showed."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Stripe:
    """One stripe to be brought: `home` is frozen, `dest` may stand further on than it shows.

    Attributes:
        epoch: The home's.
        next_epoch: For which the destination is prepared.
    """

    tenant: str
    number: int
    source: str
    dest: str
    home: Fence
    follower: Fence
    epoch: int
    next_epoch: int


@dataclass(frozen=True, slots=True)
class Brought:
    """The destination's fence then, and how many entries were sent."""

    fence: Fence
    entries: int


def bring(stripes: Sequence[Stripe]) -> Flow[list[Brought | NotDone]]:
    """Bring the tails of `stripes`; return what became of each, in their order."""
    return (yield from abreast([_bring(stripe) for stripe in stripes]))


def _bring(stripe: Stripe) -> Flow[Brought]:
    """Bring one tail.

    Raises:
        NotDone: One of its kinds; what was applied stays applied.
    """
    have, sent, gaps = stripe.follower.seq, 0, 0
    while True:
        entries, have_all = yield from _read(stripe, have)
        try:
            fence = yield from do(_apply(stripe, entries, prepares=have_all))
        except Gap as gap:
            # It stands elsewhere than it showed: go on from where it says, not for ever.
            gaps += 1
            if gaps > GAPS_MAX:
                raise
            have = gap.have
            continue
        sent += len(entries)
        if have_all:
            return Brought(fence, sent)
        have = max(have, fence.seq)


def _read(stripe: Stripe, have: int) -> Flow[tuple[list[str], bool]]:
    """Return entries behind `have` that fit one call, and whether they are the last."""
    missing = stripe.home.seq - have
    if missing <= 0:
        return [], True
    limit = min(missing, APPLY_ENTRIES_MAX)
    page = yield from do(
        journal(stripe.source, stripe.tenant, stripe.number, after=have, limit=limit)
    )
    if not page.documents or page.documents[0].version != have + 1:
        raise Diverged(stripe.source, have + 1)
    entries = [document.body for document in page.documents]
    return entries, have + len(entries) == stripe.home.seq


def _apply(stripe: Stripe, entries: Sequence[str], *, prepares: bool) -> Call[Fence]:
    at = Position(seq=stripe.home.seq, chain=stripe.home.chain)
    return apply(
        stripe.dest,
        stripe.tenant,
        stripe.number,
        epoch=stripe.epoch,
        entries=entries,
        prepare=Prepare(stripe.next_epoch, at) if prepares else None,
    )
