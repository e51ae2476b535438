"""What a quarantined cell wrote after it lost the tenant: kept at the home, proved, then undone.

The cell was fenced off before this begins, so its journal stands still, until another mover is
quicker: whoever finds the fence changed stops, as what follows it now is the home's own. Nothing is
undone before every entry behind the common prefix was read back from the home, and led to the
cell's own chain.
"""

import json

from cell_control.domain.records import Position
from cell_control.flows.calling import Diverged, NotDone, Refused, do, together
from cell_control.flows.cells import Exported, adopt, journal, orphans, truncate
from cell_control.flows.effects import Flow
from cell_control.flows.replicate import value_of
from cell_core.domain.fence import GENESIS, Fence
from cell_core.domain.journal import read_entry
from cell_core.domain.limits import APPLY_ENTRIES_MAX

TRUNCATIONS_MAX = 100_000
"""Calls that undo one tail; each undoes up to 40 entries."""


class Unkept(NotDone):
    """The home does not hold every orphan: nothing was undone."""

    def __init__(self, cell: str, stripe: int, missing: int) -> None:
        super().__init__(cell, f"stripe {stripe} lacks {missing} orphans")


def remove_orphans(
    tenant: str, home: str, cell: str, stripe: int, fence: Fence
) -> Flow[tuple[Fence, int]]:
    """Make the quarantined `fence` of `cell` a standby; return it, and how many orphans there were.

    Raises:
        Unkept: The home lacks some; nothing was undone.
        Diverged: The journals share no prefix that both still hold.
        Refused: The fence is not `fence` any more.
        NotDone: Another of its kinds; the same may be done again.
    """
    try:
        at, count = yield from _keep_all(tenant, home, cell, stripe, fence)
    except (Diverged, Unkept):
        # For good, unless another mover undid what was looked at meanwhile.
        _require(cell, fence, (yield from do(journal(cell, tenant, stripe, after=0, limit=1))))
        raise
    for _ in range(TRUNCATIONS_MAX):
        done = yield from do(truncate(cell, tenant, stripe, epoch=fence.epoch, at=at))
        if not done.more:
            return done.fence, count
    raise Diverged(cell, at.seq)


def _keep_all(
    tenant: str, home: str, cell: str, stripe: int, fence: Fence
) -> Flow[tuple[Position, int]]:
    """Keep all orphans at the home, and prove it; return what they follow, and how many."""
    at = yield from _common(tenant, home, cell, stripe, fence)
    count = fence.seq - at.seq
    yield from _keep(tenant, home, cell, stripe, fence, at.seq)
    kept, chain = yield from _kept(tenant, home, stripe, at)
    if (kept, chain) != (count, fence.chain):
        raise Unkept(home, stripe, max(1, count - kept))
    return at, count


def _require(cell: str, fence: Fence, page: Exported) -> None:
    if page.fence != fence:
        raise Refused(cell, page.fence)


def _common(tenant: str, home: str, cell: str, stripe: int, fence: Fence) -> Flow[Position]:
    """Return the last position that both journals share, by halving: prefixes are equal or not."""
    here = (yield from do(journal(home, tenant, stripe, after=0, limit=1))).fence
    low, high = Position(seq=0, chain=GENESIS), min(here.seq, fence.seq)
    at = high
    while low.seq < high:
        calls = [journal(c, tenant, stripe, after=at - 1, limit=1) for c in (home, cell)]
        mine, theirs = [
            _entry_at(c, value_of(outcome), at)
            for c, outcome in zip((home, cell), (yield from together(calls)), strict=True)
        ]
        if mine == theirs:
            low = Position(seq=at, chain=mine)
        else:
            high = at - 1
        at = (low.seq + high + 1) // 2
    return low


def _entry_at(cell: str, page: Exported, seq: int) -> str:
    """Return the chain of the entry at `seq`."""
    if not page.documents or page.documents[0].version != seq:
        raise Diverged(cell, seq)
    return read_entry(page.documents[0].body).chain


def _keep(tenant: str, home: str, cell: str, stripe: int, fence: Fence, after: int) -> Flow[None]:
    """Bring every entry behind `after` to the home, each once."""
    while True:
        page = yield from do(journal(cell, tenant, stripe, after=after, limit=APPLY_ENTRIES_MAX))
        _require(cell, fence, page)
        if not page.documents:
            return
        yield from do(adopt(home, tenant, stripe, [d.body for d in page.documents]))
        after = page.documents[-1].version


def _kept(tenant: str, home: str, stripe: int, at: Position) -> Flow[tuple[int, str]]:
    """Follow the home's orphans from `at`; return how many continue it, and the chain at the end.

    Orphans of other epochs and cells lie between them; their chains lead elsewhere.
    """
    count, chain, after = 0, at.chain, ""
    while True:
        page = yield from do(orphans(home, tenant, stripe, after=after))
        for document in page.documents:
            entry = read_entry(_text_of(document.body))
            if entry.prev_chain == chain and entry.seq == at.seq + count + 1:
                count, chain = count + 1, entry.chain
        if not page.after:
            return count, chain
        after = page.after


def _text_of(orphan: str) -> str:
    """Return the entry's own text: it stands in the orphan's, unchanged."""
    begin, end = '{"entry":', ',"status":'
    if not orphan.startswith(begin):
        raise ValueError("not an orphan")
    status = json.loads(orphan)["status"]
    tail = f"{end}{json.dumps(status)}}}"
    return orphan.removeprefix(begin).removesuffix(tail)
