"""What one run of a mover knows of a tenant: its record, and what its cells last showed.

Answers of cells are kept as views, so that a cut-over asks nothing twice. Whatever failed is
forgotten and read again: an unanswered call tells nothing.
"""

from dataclasses import dataclass, field
from typing import Final

from cell_control.codec import read
from cell_control.domain.pace import Limits
from cell_control.domain.reconcile import needed
from cell_control.domain.records import (
    Cell,
    Lifecycle,
    Member,
    Operation,
    OperationStatus,
    State,
    Tenant,
    Usage,
)
from cell_control.domain.views import Case, Facts, Fences, Missing, View
from cell_control.flows.calling import Absent, NotDone, together
from cell_control.flows.cells import fences
from cell_control.flows.effects import Flow, Get, ListRecords
from cell_control.flows.recover import RECOVERY
from cell_control.ports import Key
from cell_core.domain.ids import CELLS_MAX
from cell_core.ports import Clock

CELLS_AGE_MS: Final = 10_000
"""How long a mover believes that there are no other cells."""


@dataclass(slots=True)
class Atlas:
    """The cells of the registry, read now and then, shared by the runs of one mover."""

    ordinals: dict[str, int] = field(default_factory=dict)
    watched: frozenset[str] = frozenset()
    read_ms: int = -CELLS_AGE_MS

    def refresh(self, now_ms: int) -> Flow[None]:
        """Read the cells if that was not done lately."""
        if now_ms - self.read_ms < CELLS_AGE_MS:
            return
        records = yield ListRecords(kind="cell", limit=CELLS_MAX)
        found = [read(Cell, record) for record in records]
        self.ordinals = {cell.id: cell.ordinal for cell in found}
        self.watched = frozenset(c.id for c in found if c.lifecycle is not Lifecycle.RETIRED)
        self.read_ms = now_ms


@dataclass(slots=True)
class Trouble:
    """What failed in a row with a tenant at one mover.

    Attributes:
        hopeless: Why its move cannot succeed, and of which operation's move that is said.
    """

    failures: int = 0
    failure: str = ""
    hopeless: tuple[str, str] = ("", "")
    is_cut_over: bool = False

    def see(self, *, is_cut_over: bool) -> None:
        """Note what is under way: what failed in a cut-over says nothing about what follows it."""
        if self.is_cut_over and not is_cut_over:
            self.failures = 0
        self.is_cut_over = is_cut_over


class Known:
    """One tenant, as far as it is known."""

    def __init__(self, tenant_id: str, clock: Clock, atlas: Atlas, trouble: Trouble) -> None:
        self.id = tenant_id
        self.trouble = trouble
        self.revs: dict[tuple[str, str], int] = {}
        self.usages: dict[str, Usage] = {}
        self.record: Tenant | None = None
        self.operation: Operation | None = None
        self.member: Member | None = None
        self.is_recovering = False
        self.gone: set[str] = set()
        self._clock, self._atlas = clock, atlas
        self._views: dict[str, tuple[View, int]] = {}
        self._looks_everywhere = False
        self._verified: tuple[int, int] = (0, 0)

    @property
    def tenant(self) -> Tenant:
        """The record.

        Raises:
            LookupError: It was not read.
        """
        if self.record is None:
            raise LookupError(self.id)
        return self.record

    def dest(self) -> str:
        """Return the cell that the tenant moves to; empty if it does not move."""
        move = self.tenant.move
        return move.dest if move else ""

    def ordinal(self, cell: str) -> int:
        """Return the ordinal of a cell of the registry."""
        return self._atlas.ordinals[cell]

    def now_ms(self) -> int:
        """Return the time."""
        return self._clock.now_ms()

    def load(self) -> Flow[None]:
        """Read the record, and what belongs to its move. No record is None."""
        yield from self._atlas.refresh(self.now_ms())
        self.operation = self.member = None
        [found, recovery] = yield Get(
            (Key(kind="tenant", key=self.id), Key(kind="operation", key=RECOVERY))
        )
        self.is_recovering = (
            recovery is not None
            and not recovery.deleted
            and read(Operation, recovery).status is OperationStatus.RUNNING
        )
        if found is None or found.deleted:
            self.record = None
            return
        self.record = read(Tenant, found)
        self.revs["tenant", self.id] = found.rev
        if self.record.move is not None:
            yield from self._load_operation(self.record.move.operation)

    def _load_operation(self, operation: str) -> Flow[None]:
        key = f"{operation}/{self.id}"
        [of_all, of_this] = yield Get(
            (Key(kind="operation", key=operation), Key(kind="member", key=key))
        )
        if of_all is not None and not of_all.deleted:
            self.operation = read(Operation, of_all)
        if of_this is not None and not of_this.deleted:
            self.member = read(Member, of_this)
            self.revs["member", key] = of_this.rev

    def observe(self, limits: Limits) -> Flow[bool]:
        """Ask the cells whose fences must be known and are not, or not any more.

        Returns whether all of them answered.
        """
        cells = set(needed(self.tenant, self.now_ms()))
        if self._looks_everywhere and cells:
            cells |= self._atlas.watched
        asked = sorted(cell for cell in cells if not self._is_fresh(cell, limits.view_ms))
        if not asked:
            return True
        outcomes = yield from together([fences(cell, self.id) for cell in asked])
        for cell, outcome in zip(asked, outcomes, strict=True):
            self.see(cell, _view_of(outcome))
        dark = [cell for cell in asked if self._views[cell][0] is Missing.DARK]
        if dark:
            self.trouble.failures += 1
            self.trouble.failure = f"{dark[0]} does not answer"
        return not dark

    def look_everywhere(self) -> None:
        """Look at all cells from now on."""
        self._looks_everywhere = True

    def see(self, cell: str, view: View) -> None:
        """Keep what `cell` showed just now."""
        self._views[cell] = (view, self.now_ms())
        if view is not Missing.ABSENT:
            self.gone.discard(cell)

    def fences(self, cell: str) -> Fences:
        """Return the fences that `cell` last showed; empty if it showed none."""
        view, _ = self._views.get(cell, (Missing.DARK, 0))
        return () if isinstance(view, Missing) else view

    def forget(self) -> None:
        """Read everything again before the next decision."""
        self.record = None
        self._views.clear()

    def forget_views(self) -> None:
        """Look at the cells again before the next decision."""
        self._views.clear()

    def verify(self) -> None:
        """Note that digests were equal; valid for this attempt at this epoch."""
        self._verified = self._attempt()

    def case(self, limits: Limits, predicted_ms: int | None) -> Case:
        """Return everything that the next decision is made from."""
        operation = self.operation
        facts = Facts(
            ordinals=self._atlas.ordinals,
            watched=self._atlas.watched,
            aborted=operation is not None and operation.status is OperationStatus.ABORTED,
            hopeless=self._hopeless(limits),
            failures=self.trouble.failures,
            failure=self.trouble.failure,
            gone=frozenset(self.gone),
            verified=self._verified == self._attempt(),
            predicted_ms=predicted_ms,
        )
        return Case(
            tenant=self.tenant,
            views={cell: view for cell, (view, _) in self._views.items()},
            now_ms=self.now_ms(),
            facts=facts,
            limits=limits,
        )

    def _hopeless(self, limits: Limits) -> str:
        move = self.tenant.move
        if move is None:
            return ""
        operation, why = self.trouble.hopeless
        if why and operation == move.operation:
            return why
        # While it is cut over the deadline rules, and the next attempt may do better.
        if self.tenant.state is State.CUTOVER:
            return ""
        if self.trouble.failures >= limits.failures_max:
            return f"{self.trouble.failures} failures in a row, the last: {self.trouble.failure}"
        return ""

    def _attempt(self) -> tuple[int, int]:
        move = self.tenant.move
        return (self.tenant.epoch, move.attempt) if move else (0, -1)

    def _is_fresh(self, cell: str, age_ms: int) -> bool:
        view, seen_ms = self._views.get(cell, (Missing.DARK, 0))
        return view is not Missing.DARK and self.now_ms() - seen_ms < age_ms


def _view_of(outcome: Fences | NotDone) -> View:
    if isinstance(outcome, Absent):
        return Missing.ABSENT
    return Missing.DARK if isinstance(outcome, NotDone) else outcome
