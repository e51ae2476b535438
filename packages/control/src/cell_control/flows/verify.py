"""Prove that two cells hold the same tenant: by positions, by digests, by running it again.

Each level finds what the one before it cannot: equal positions prove equal journals, digests prove
the entities that are stored, the journal run through the domains proves everything. Reads only;
refuses to mend, and to call a tenant equal of which a part could not be looked at.
"""

from collections.abc import Callable, Mapping, Sequence
from typing import Final, TypeAlias

from cell_control.domain.auditing import Counts, Finding, StripeAudit, by_name
from cell_control.domain.proof import Depth, Part, Report, Step, StripeProof, Verdict
from cell_control.domain.records import Tenant
from cell_control.flows.abreast import abreast
from cell_control.flows.calling import Call, NotDone, do, together
from cell_control.flows.cells import (
    Exported,
    Fences,
    digest,
    entities,
    fences,
    idempotency,
    journal,
)
from cell_control.flows.effects import Flow
from cell_core.domain.decider import Decider
from cell_core.domain.documents import Document
from cell_core.domain.errors import CellError
from cell_core.domain.fence import GENESIS, Fence
from cell_core.domain.journal import read_entry
from cell_core.domain.limits import PAGE_MAX
from cell_core.domains import DOMAINS

Progress: TypeAlias = Callable[[Step], None]
_Export: TypeAlias = Callable[..., Call[Exported]]
_Take: TypeAlias = Callable[[Sequence[Document]], None]

SCANS_MAX: Final = 3
"""How often a stripe that is written to is scanned in the hope that it stands still."""

_MODULUS: Final = 2**256


def verify(
    tenant: Tenant,
    other: str,
    *,
    depth: Depth = "behaviour",
    domains: Sequence[Decider] = DOMAINS,
    progress: Progress | None = None,
) -> Flow[Report]:
    """Compare the tenant's home with what the cell `other` holds of it.

    Never raises for what a cell does: a cell that fails leaves a note, and the verdict `unproven`.
    """
    work = _Work(tenant, other, by_name(domains), progress or _unheard)
    yield from work.positions()
    if depth != "positions":
        yield from work.digests()
    if depth == "behaviour":
        yield from work.behaviour()
    return work.report(depth)


def _unheard(_step: Step) -> None:
    return None


class _Work:
    """One verification, and what it found so far."""

    def __init__(
        self, tenant: Tenant, other: str, domains: Mapping[str, Decider], progress: Progress
    ) -> None:
        self._tenant, self._other = tenant, other
        self._domains, self._progress = domains, progress
        self._views: dict[str, Fences] = {}
        self._findings: list[Finding] = []
        self._notes: list[str] = []
        self._proofs: list[StripeProof] = []
        self._moving: set[tuple[str, int]] = set()
        self._counts = Counts()

    def positions(self) -> Flow[None]:
        """Compare where both sides stand; of two that do not stand alike, the one's last entry."""
        cells = (self._tenant.home, self._other)
        views = yield from together([fences(cell, self._tenant.id) for cell in cells])
        for cell, view in zip(cells, views, strict=True):
            if isinstance(view, NotDone):
                self._notes.append(f"not looked at: {view}")
            elif len(view) != self._tenant.stripes:
                self._find("stripes_differ", cell, 0, str(len(view)))
            else:
                self._views[cell] = view
        if len(self._views) < 2:
            return
        pairs = zip(*(self._views[cell] for cell in cells), strict=True)
        flows = [self._common(stripe, *pair) for stripe, pair in enumerate(pairs)]
        self._note_failures((yield from abreast(flows)))

    def digests(self) -> Flow[None]:
        """Add up the entities that each side stores, and compare with what its fence says."""
        flows = [self._scan(cell, stripe) for cell, stripe in self._places()]
        self._note_failures((yield from abreast(flows)))

    def behaviour(self) -> Flow[None]:
        """Run each side's journal again and compare it with all that the side stores."""
        # One stripe at a time: its entities are held in memory.
        for stripe in range(self._tenant.stripes):
            flows = [self._audit(cell, view[stripe], stripe) for cell, view in self._views.items()]
            self._note_failures((yield from abreast(flows)))

    def report(self, depth: Depth) -> Report:
        """Return what was found."""
        self._notes += [
            f"digest not proved: {cell} stripe {stripe} is written to"
            for cell, stripe in sorted(self._moving)
        ]
        verdict: Verdict = "equal"
        if self._findings:
            verdict = "differs"
        elif self._notes:
            verdict = "unproven"
        return Report(
            tenant=self._tenant.id,
            epoch=self._tenant.epoch,
            home=self._tenant.home,
            other=self._other,
            depth=depth,
            verdict=verdict,
            findings=tuple(self._findings),
            notes=tuple(self._notes),
            stripes=tuple(self._proofs),
            counts=self._counts,
            proof=self._sentence(verdict),
        )

    def _common(self, stripe: int, home: Fence, other: Fence) -> Flow[None]:
        """Compare the fence that is behind with the other side's entry at its position."""
        behind, ahead = (other, home) if other.seq <= home.seq else (home, other)
        cell = self._tenant.home if ahead is home else self._other
        chain, sum_ = ahead.chain, ahead.digest
        if behind.seq < ahead.seq:
            chain, sum_ = yield from self._at(cell, stripe, behind.seq)
        if chain != behind.chain:
            self._find("chains_differ", self._other, stripe, str(behind.seq))
        elif sum_ != behind.digest:
            self._find("digests_differ", self._other, stripe, str(behind.seq))
        else:
            self._proofs.append(
                StripeProof(
                    stripe=stripe,
                    seq=behind.seq,
                    chain=behind.chain,
                    digest=behind.digest,
                    home_seq=home.seq,
                    other_seq=other.seq,
                )
            )

    def _at(self, cell: str, stripe: int, seq: int) -> Flow[tuple[str, str]]:
        """Return chain and digest after the entry at `seq`; empty if it is not there."""
        if seq == 0:
            return GENESIS, GENESIS
        page = yield from do(journal(cell, self._tenant.id, stripe, after=seq - 1, limit=1))
        try:
            entry = read_entry(page.documents[0].body)
        except (CellError, IndexError):
            self._find("entry_missing", cell, stripe, str(seq))
            return "", ""
        return entry.chain, entry.digest

    def _scan(self, cell: str, stripe: int) -> Flow[None]:
        for _ in range(SCANS_MAX):
            if (yield from self._scan_once(cell, stripe)):
                return
        self._moving.add((cell, stripe))

    def _scan_once(self, cell: str, stripe: int) -> Flow[bool]:
        """Add up all entities; return whether the fence stood still meanwhile."""
        after, total, count = "", 0, 0
        first: Fence | None = None
        while True:
            page = yield from do(digest(cell, self._tenant.id, stripe, after=after))
            first = first or page.fence
            if page.fence.seq != first.seq:
                return False
            total, count, after = total + page.sum, count + page.count, page.after
            self._tell(cell, stripe, "digest", count, count)
            if not after:
                break
        # The fence is read before a page: what was written after the last one shows only now.
        now = yield from do(fences(cell, self._tenant.id))
        if now[stripe].seq != first.seq:
            return False
        if f"{total % _MODULUS:064x}" != first.digest:
            self._find("digest_wrong", cell, stripe, str(first.seq))
        return True

    def _audit(self, cell: str, end: Fence, stripe: int) -> Flow[None]:
        audit = StripeAudit(
            cell=cell, tenant=self._tenant.id, stripe=stripe, end=end, domains=self._domains
        )
        yield from self._journal(cell, stripe, 0, end.seq, audit.journal)
        parts: tuple[tuple[Part, _Export, _Take], ...] = (
            ("idempotency", idempotency, audit.records),
            ("entities", entities, audit.entities),
        )
        for part, export, take in parts:
            yield from self._all(cell, stripe, part, export, take)
        yield from self._journal(cell, stripe, end.seq, audit.newest, audit.tail)
        self._counts += audit.finish()
        self._findings += audit.findings
        # Every entity was compared by itself, which is more than their sum shows.
        self._moving.discard((cell, stripe))

    def _journal(self, cell: str, stripe: int, after: int, end: int, take: _Take) -> Flow[None]:
        """Take in the journal from `after` up to `end`; the home may write on meanwhile."""
        while after < end:
            limit = min(PAGE_MAX, end - after)
            page = yield from do(journal(cell, self._tenant.id, stripe, after=after, limit=limit))
            if not page.documents:
                return
            take(page.documents)
            after = page.documents[-1].version
            self._tell(cell, stripe, "journal", min(after, end), end)

    def _all(
        self,
        cell: str,
        stripe: int,
        part: Part,
        export: _Export,
        take: _Take,
    ) -> Flow[None]:
        after, done = "", 0
        while True:
            page = yield from do(export(cell, self._tenant.id, stripe, after=after))
            take(page.documents)
            after, done = page.after, done + len(page.documents)
            self._tell(cell, stripe, part, done, done)
            if not after:
                return

    def _places(self) -> list[tuple[str, int]]:
        return [(cell, stripe) for cell, view in self._views.items() for stripe in range(len(view))]

    def _note_failures(self, outcomes: Sequence[object]) -> None:
        self._notes += [f"not looked at: {no}" for no in outcomes if isinstance(no, NotDone)]

    def _find(self, code: str, cell: str, stripe: int, subject: str) -> None:
        self._findings.append(Finding(code=code, cell=cell, stripe=stripe, subject=subject))

    def _tell(self, cell: str, stripe: int, part: Part, done: int, total: int) -> None:
        self._progress(Step(cell=cell, stripe=stripe, part=part, done=done, total=total))

    def _sentence(self, verdict: Verdict) -> str:
        both = f"{self._tenant.id} at {self._tenant.home} and {self._other}"
        if verdict == "differs":
            return f"{both} differs: {len(self._findings)} findings."
        if verdict == "unproven":
            return f"{both}: nothing differs, but not all of it could be looked at."
        ends = ", ".join(f"{p.stripe}: {p.seq} {p.chain[:12]}" for p in self._proofs)
        text = f"{both} is the same journal up to (stripe: seq chain) {ends}."
        if self._counts.entries:
            text += (
                f" {self._counts.entries} entries with {self._counts.events} events, run again, "
                f"give the {self._counts.entities} entities and {self._counts.records} answers "
                "that are stored, on both sides together."
            )
        return text
