"""The bootstrap of a standby, a bounded step at a time (protocol.md 5).

A standby begins at the home's position S0 and is applied to from S0+1 on (`replicate`); this brings
what is older: entities, idempotency records, then the journal from S0 backwards, as each entry must
be the one that the entry behind it continues. Every document is a register whose newest version
wins, so a step may be done twice, by two copiers, or by one that slept for a day. Refuses to call a
copy done before the destination was counted: see `proving`.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any, Final

from cell_control.domain.records import StripeCopy, Tenant
from cell_control.flows.calling import Call, Diverged, NotDone, do, together
from cell_control.flows.cells import Exported, entities, idempotency, journal, take
from cell_control.flows.effects import Flow
from cell_control.flows.proving import Way, prove_step, reach
from cell_control.flows.replicate import check_home, value_of
from cell_core.domain.documents import Document
from cell_core.domain.limits import IMPORT_DOCUMENTS_MAX


@dataclass(frozen=True, slots=True, kw_only=True)
class Load:
    """How much a step does, and how much of it at a time.

    Attributes:
        pages: Of one step: what a crash costs at most, and how long a claim must hold.
        in_flight: Imports of one stripe at a time; each also writes the fence, so more of them
            only collide.
        documents: Of one import.
    """

    pages: int = 8
    in_flight: int = 4
    documents: int = IMPORT_DOCUMENTS_MAX


LOAD: Final = Load()


class Incomplete(NotDone):
    """The home lacks entries before `seq`: nothing complete can be made from it."""

    def __init__(self, cell: str, seq: int) -> None:
        super().__init__(cell, f"lacks journal entries before {seq}")
        self.seq = seq


def copy_step(
    tenant: Tenant, stripe: int, copy: StripeCopy, *, load: Load = LOAD
) -> Flow[StripeCopy]:
    """Do the next part of the copy of one stripe to the move's destination; return how far it is.

    If a cell fails after some of the step's pages, it returns how far it came; the next step meets
    the failure first.

    Raises:
        Diverged: The destination holds another journal; nothing was overwritten.
        Incomplete: The home's journal does not reach back to its first entry.
        NotDone: Another of its kinds; nothing is lost, the same step may be done again.
        ValueError: The tenant does not move.
    """
    if tenant.move is None:
        raise ValueError(f"{tenant.id} does not move")
    way = Way(
        tenant=tenant.id,
        epoch=tenant.epoch,
        stripe=stripe,
        source=tenant.home,
        dest=tenant.move.dest,
    )
    match copy.phase:
        case "entities":
            return (yield from _forwards(way, copy, entities, "idempotency", load))
        case "idempotency":
            return (yield from _forwards(way, copy, idempotency, "journal", load))
        case "journal":
            return (yield from _backwards(way, copy, load))
        case "proof":
            return (yield from prove_step(way, copy, load.pages))
        case _:
            return copy


def _forwards(
    way: Way,
    copy: StripeCopy,
    export: Callable[..., Call[Exported]],
    then: Any,  # noqa: ANN401 - a phase; literals are lost in a parameter
    load: Load,
) -> Flow[StripeCopy]:
    """Copy pages in the order of their keys; the next one is read while one is written."""
    limit = load.in_flight * load.documents

    def read(after: str) -> Call[Exported]:
        return export(way.source, way.tenant, way.stripe, after=after, limit=limit)

    page = yield from do(read(copy.after))
    for left in reversed(range(load.pages)):
        check_home(way.source, page.fence, way.epoch)
        ahead = [read(page.after)] if page.after and left else []
        try:
            following = yield from _write(way, page.documents, ahead, load)
        except NotDone as no:
            if isinstance(no, Diverged) or left == load.pages - 1:
                raise
            return copy
        if not page.after:
            return replace(copy, phase=then, after="")
        copy = replace(copy, after=page.after)
        if following is not None:
            page = following
    return copy


def _backwards(way: Way, copy: StripeCopy, load: Load) -> Flow[StripeCopy]:
    """Copy the journal from the first entry that the destination holds back to seq 1.

    Where it goes on is read from the destination: an import leaves no hole behind it.
    """
    low = yield from reach(way)
    page = (yield from do(_older(way, low, load.documents))) if low > 1 else None
    imports = load.pages * load.in_flight
    for left in reversed(range(imports)):
        if page is None:
            break
        try:
            part = yield from _whole(way, low, page)
            first = part[0].version
            wanted = min(load.documents, 2 * len(part))
            ahead = [_older(way, first, wanted)] if first > 1 and left else []
            page = yield from _write(way, part, ahead, load)
        except NotDone as no:
            if isinstance(no, Diverged | Incomplete) or left == imports - 1:
                raise
            break
        low, copy = first, replace(copy, after=str(first))
    if low > 1:
        return copy
    fence = (yield from do(journal(way.source, way.tenant, way.stripe, after=0, limit=1))).fence
    check_home(way.source, fence, way.epoch)
    return replace(copy, phase="proof", after="", target=fence.seq, scan=None)


def _older(way: Way, low: int, count: int) -> Call[Exported]:
    """Ask the home for the `count` entries before `low`."""
    after = max(0, low - 1 - count)
    return journal(way.source, way.tenant, way.stripe, after=after, limit=low - 1 - after)


def _whole(way: Way, low: int, page: Exported) -> Flow[Sequence[Document]]:
    """Return `page` if it reaches up to `low`, else as many entries before `low` as fit a page."""
    while True:
        check_home(way.source, page.fence, way.epoch)
        found = [document.version for document in page.documents]
        whole = found and found == list(range(found[0], found[0] + len(found)))
        if not whole or found[-1] >= low:
            raise Incomplete(way.source, low)
        if found[-1] == low - 1:
            return page.documents
        # Large entries: the page was cut before it reached them.
        page = yield from do(_older(way, low, max(1, len(found) // 2)))


def _write(
    way: Way, documents: Sequence[Document], ahead: Sequence[Call[Exported]], load: Load
) -> Flow[Exported | None]:
    """Import `documents` in parts, all at once, and read the next page meanwhile; return it."""
    calls: list[Call[Any]] = [
        take(way.dest, way.tenant, way.stripe, documents[start : start + load.documents])
        for start in range(0, len(documents), load.documents)
    ]
    outcomes = yield from together([*calls, *ahead])
    values = [value_of(outcome) for outcome in outcomes]
    return values[-1] if ahead else None
