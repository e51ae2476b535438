"""Follow a home: its journal's tail to a standby, in order (protocol.md 5).

The journal is the truth, a doorbell only a hint of when to look. Whatever is sent twice is
acknowledged twice, whatever is missing is asked for, and two logs that differ are never joined.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final, TypeVar

from cell_control.flows.calling import Call, Diverged, Gap, NotDone, Refused, do, together
from cell_control.flows.cells import Exported, apply, fences, journal
from cell_control.flows.effects import Flow
from cell_core.domain.documents import Document
from cell_core.domain.fence import Fence, Role
from cell_core.domain.limits import APPLY_ENTRIES_MAX

T = TypeVar("T")

PAGE_ENTRIES: Final = 240
"""Entries read at a time: the home is asked once for eight applies, and ahead of need."""

GAPS_MAX: Final = 3
"""How often a standby may say in one call that it has less than was thought."""

HOME_ROLES: Final = frozenset({Role.ACTIVE, Role.FROZEN})
"""What a home is; the tail of any other cell may be orphans, which nothing may follow."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Followed:
    """How far a standby came in one call.

    Attributes:
        have: The last entry at the standby.
        chain: The chain there; empty if nothing was applied.
        home_seq: Where the home stood when it was last asked; the rest is the lag.
        applied: Entries sent and acknowledged, those already there included.
        home: The home's fence as it was last seen.
    """

    have: int
    chain: str
    home_seq: int
    applied: int
    home: Fence | None


def catch_up(
    tenant: str,
    source: str,
    dest: str,
    stripe: int,
    epoch: int,
    have: int,
    *,
    budget_entries: int,
) -> Flow[Followed]:
    """Apply what `dest` lacks behind `have` of the journal of `source`, the home at `epoch`.

    Ends when nothing is left or `budget_entries` (at least 1) were sent. If a cell fails after
    something was applied, it returns how far it came; the next call meets the failure first.

    Raises:
        Refused: The source is not the home at `epoch`, or the destination is no standby of it.
        Diverged: Nothing was overwritten.
        NotDone: Another of its kinds; nothing was applied.
    """
    tail = _Tail(tenant, source, dest, stripe, epoch, have)
    page: Exported | None = yield from tail.first()
    try:
        while page is not None:
            page = yield from tail.send(page, budget_entries)
    except NotDone:
        if not tail.applied:
            raise
    return tail.followed()


def check_home(cell: str, fence: Fence, epoch: int) -> None:
    """Raise `Refused` if `fence` is not the one of a home at `epoch`."""
    if fence.role not in HOME_ROLES or fence.epoch != epoch:
        raise Refused(cell, fence)


def value_of(outcome: T | NotDone) -> T:
    """Return what a call came to, or raise why it did not."""
    if isinstance(outcome, NotDone):
        raise outcome
    return outcome


class _Tail:
    """What is known of both sides during one call."""

    def __init__(
        self, tenant: str, source: str, dest: str, stripe: int, epoch: int, have: int
    ) -> None:
        self._tenant, self._stripe, self._epoch = tenant, stripe, epoch
        self._source, self._dest = source, dest
        self._have, self._chain = have, ""
        self._home: Fence | None = None
        self._gaps = 0
        self.applied = 0

    def followed(self) -> Followed:
        """Return how far it came."""
        return Followed(
            have=self._have,
            chain=self._chain,
            home_seq=self._home.seq if self._home else self._have,
            applied=self.applied,
            home=self._home,
        )

    def first(self) -> Flow[Exported]:
        """Read on from where the standby is."""
        page = yield from do(self._read(self._have))
        self._note(page)
        if page.fence.seq < self._have:
            # Only a home that lost writes is behind its standby, unless `have` was wrong.
            held = yield from do(fences(self._dest, self._tenant))
            self._have = held[self._stripe].seq
            page = yield from do(self._read(self._have))
            self._note(page)
            if page.fence.seq < self._have:
                raise Diverged(self._dest, page.fence.seq)
        return page

    def send(self, page: Exported, budget: int) -> Flow[Exported | None]:
        """Apply a page; return the next one, or None if there is none or the budget is spent."""
        parts = _parts(page.documents, budget - self.applied)
        following: Exported | None = None
        for part in parts:
            calls: list[Call[Any]] = [self._apply(part)]
            if part is parts[-1] and page.after and self.applied + len(part) < budget:
                calls.append(self._read(part[-1].version))
            applied, *ahead = yield from together(calls)
            if isinstance(applied, Gap) and self._gaps < GAPS_MAX:
                self._gaps += 1
                self._have = applied.have
                return (yield from self.first())
            self._acknowledge(applied, part)
            following = value_of(ahead[0]) if ahead else None
        if following is not None:
            self._note(following)
        return following

    def _acknowledge(self, applied: Fence | NotDone, part: Sequence[Document]) -> None:
        fence = value_of(applied)
        self.applied += len(part)
        # Another replicator may be ahead; what it applied comes again and is acknowledged.
        self._have, self._chain = fence.seq, fence.chain

    def _note(self, page: Exported) -> None:
        check_home(self._source, page.fence, self._epoch)
        self._home = page.fence

    def _read(self, after: int) -> Call[Exported]:
        return journal(self._source, self._tenant, self._stripe, after=after, limit=PAGE_ENTRIES)

    def _apply(self, part: Sequence[Document]) -> Call[Fence]:
        bodies = [document.body for document in part]
        return apply(self._dest, self._tenant, self._stripe, epoch=self._epoch, entries=bodies)


def _parts(documents: Sequence[Document], room: int) -> list[Sequence[Document]]:
    """Return what to send in one call each; cells keep a page far below what a call may hold."""
    taken = documents[:room]
    return [
        taken[start : start + APPLY_ENTRIES_MAX]
        for start in range(0, len(taken), APPLY_ENTRIES_MAX)
    ]
