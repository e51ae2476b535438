"""Prove that a copy is whole, from what its destination holds and not from what was sent to it.

The fence's digest comes with the journal, so it is right even where entities are missing: only the
sum over the stored entities shows that they are there. Each journal entry has one idempotency
record, so their number is the position. Resumable: what was counted is kept with the move.
"""

from dataclasses import dataclass, replace
from typing import Final

from cell_control.domain.records import Scan, StripeCopy
from cell_control.flows.calling import NotDone, Refused, do
from cell_control.flows.cells import digest, fences, idempotency, journal
from cell_control.flows.effects import Flow
from cell_control.flows.replicate import PAGE_ENTRIES, catch_up
from cell_core.domain.fence import Fence, Role

TRIES_MAX: Final = 3
_MODULUS: Final = 2**256


class Unproven(NotDone):
    """The destination holds something else than the home wrote; copying again did not mend it."""

    def __init__(self, cell: str, stripe: int) -> None:
        super().__init__(cell, f"stripe {stripe} does not add up to its journal")
        self.stripe = stripe


@dataclass(frozen=True, slots=True, kw_only=True)
class Way:
    """From where to where a stripe is copied; `epoch` is the home's."""

    tenant: str
    epoch: int
    stripe: int
    source: str
    dest: str


def prove_step(way: Way, copy: StripeCopy, pages: int) -> Flow[StripeCopy]:
    """Count the next pages of the destination; the copy is done once all of it adds up.

    What does not add up is copied again, three times at most.

    Raises:
        Unproven: It never added up.
        NotDone: Another of its kinds; the same step may be done again.
    """
    if copy.tries >= TRIES_MAX:
        raise Unproven(way.dest, way.stripe)
    if copy.scan is None:
        return (yield from _begin(way, copy, pages))
    if copy.scan.part == "entities":
        return (yield from _sum_entities(way, copy, copy.scan, pages))
    return (yield from _count_records(way, copy, copy.scan, pages))


def reach(way: Way) -> Flow[int]:
    """Return the first seq from which on the destination holds all of its journal.

    Raises:
        Refused: It is no standby.
    """
    page = yield from do(journal(way.dest, way.tenant, way.stripe, after=0, limit=1))
    _check_standby(way, page.fence)
    return page.documents[0].version if page.documents else page.fence.seq + 1


def _begin(way: Way, copy: StripeCopy, pages: int) -> Flow[StripeCopy]:
    """Bring the destination to where the home stood when all was copied.

    Before that, entities may be newer than the fence and add up to nothing.
    """
    if (yield from reach(way)) > 1:
        return replace(copy, phase="journal", after="")
    have = (yield from do(fences(way.dest, way.tenant)))[way.stripe].seq
    if have < copy.target:
        followed = yield from catch_up(
            way.tenant,
            way.source,
            way.dest,
            way.stripe,
            way.epoch,
            have,
            budget_entries=min(pages * PAGE_ENTRIES, copy.target - have),
        )
        have = followed.have
    return replace(copy, scan=Scan(seq=have)) if have >= copy.target else copy


def _sum_entities(way: Way, copy: StripeCopy, scan: Scan, pages: int) -> Flow[StripeCopy]:
    for _ in range(pages):
        page = yield from do(digest(way.dest, way.tenant, way.stripe, after=scan.after))
        _check_standby(way, page.fence)
        if page.fence.seq != scan.seq:
            return replace(copy, scan=None)
        total = f"{(int(scan.sum, 16) + page.sum) % _MODULUS:064x}"
        scan = replace(scan, sum=total, after=page.after)
        if not page.after:
            return (yield from _summed(way, copy, scan, right=total == page.fence.digest))
    return replace(copy, scan=scan)


def _summed(way: Way, copy: StripeCopy, scan: Scan, *, right: bool) -> Flow[StripeCopy]:
    if right:
        return replace(copy, scan=Scan(part="idempotency", seq=scan.seq))
    # A fence is read before its page: another mover may have applied entries in between.
    now = yield from do(fences(way.dest, way.tenant))
    return _again(copy) if now[way.stripe].seq == scan.seq else replace(copy, scan=None)


def _count_records(way: Way, copy: StripeCopy, scan: Scan, pages: int) -> Flow[StripeCopy]:
    """Count the records of entries up to the scan's position; later ones may come meanwhile."""
    for _ in range(pages):
        page = yield from do(idempotency(way.dest, way.tenant, way.stripe, after=scan.after))
        _check_standby(way, page.fence)
        count = scan.count + sum(d.version <= scan.seq for d in page.documents)
        scan = replace(scan, count=count, after=page.after)
        if not page.after:
            return StripeCopy(phase="done") if count == scan.seq else _again(copy)
    return replace(copy, scan=scan)


def _again(copy: StripeCopy) -> StripeCopy:
    tries = copy.tries + 1
    # The last failure is kept as it is: the next step says so, and so does each after it.
    return replace(copy, tries=tries) if tries == TRIES_MAX else StripeCopy(tries=tries)


def _check_standby(way: Way, fence: Fence) -> None:
    if fence.role is not Role.STANDBY:
        raise Refused(way.dest, fence)
