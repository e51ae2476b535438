"""One run of a mover for one tenant: the loop, what is measured, and what a failure comes to."""

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import Final, TypeVar

from cell_control.codec import read
from cell_control.domain.actions import (
    Action,
    Activate,
    CatchUp,
    Copy,
    Done,
    Freeze,
    RemoveOrphans,
    Rewrite,
    Tail,
    Wait,
)
from cell_control.domain.figures import Figures
from cell_control.domain.pace import CUTOVER_PAUSE_MS, Limits, Part, Timings, pause_ms
from cell_control.domain.reconcile import Decision, decide
from cell_control.domain.records import Member, Move, State, Tenant
from cell_control.flows.calling import Busy, Diverged, NotDone, Wrong
from cell_control.flows.copying import Incomplete
from cell_control.flows.effects import Flow, Get, Pause
from cell_control.flows.known import Atlas, Known, Trouble
from cell_control.flows.orphaning import Unkept
from cell_control.flows.performing import (
    activate_home,
    bring_tails,
    catch_up_all,
    copy_parts,
    freeze_home,
    perform,
    remove_tails,
)
from cell_control.flows.proving import Unproven
from cell_control.flows.rewriting import rewrite
from cell_control.ports import Key, RegistryConflict, RegistryError
from cell_core.ports import Clock

T = TypeVar("T")

FOR_GOOD: Final = (Diverged, Incomplete, Unproven, Unkept, Wrong)
"""What asking again does not mend: a move that meets one is given up."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Stop:
    """Why a run ended.

    Attributes:
        at_ms: When to run again; None if nothing is left to do.
        row: Which row said so; empty if it was none of the table's.
        why: For the operator.
    """

    at_ms: int | None
    row: str = ""
    why: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Performed:
    """A step that was taken, or tried: for metrics, and for whoever watches.

    Attributes:
        outcome: `ok`, or the kind of what was raised.
    """

    tenant: str
    row: str
    began_ms: int
    took_ms: int
    outcome: str = "ok"


@dataclass(frozen=True, slots=True, kw_only=True)
class Tools:
    """What the runs of one mover share; see `Mover`."""

    clock: Clock
    name: str
    part: Callable[[], str]
    limits: Limits
    on_step: Callable[[Performed], None]
    timings: Timings = field(default_factory=Timings)
    atlas: Atlas = field(default_factory=Atlas)


class Run:
    """What one run knows and measures."""

    def __init__(self, tools: Tools, tenant_id: str, trouble: Trouble) -> None:
        self._tools, self._limits = tools, tools.limits
        self._known = Known(tenant_id, tools.clock, tools.atlas, trouble)
        self._trouble = trouble
        self._figures = Figures()
        self._cut_over: Member | None = None
        self._is_stopped = False
        """The tenant may be frozen: whatever fails is tried again soon."""

    def go(self) -> Flow[Stop]:
        """Take steps until one says to stop."""
        for _ in range(self._limits.actions_max):
            try:
                stop = yield from self._once()
            except RegistryConflict:
                self._known.forget()
                continue
            except (RegistryError, NotDone) as no:
                stop = yield from self._failed(no)
            if stop is not None:
                return stop
        return Stop(at_ms=self._now(), why="there is more to do")

    def _once(self) -> Flow[Stop | None]:
        """Take one step; return why the run ends, or None if it goes on."""
        known = self._known
        if known.record is None:
            yield from known.load()
            stop = self._may_not()
            if stop is not None:
                return stop
        is_cut_over = known.tenant.state is State.CUTOVER
        self._trouble.see(is_cut_over=is_cut_over)
        self._is_stopped = self._is_stopped or is_cut_over
        yield from known.observe(self._limits)
        now_ms = self._now()
        decision = decide(known.case(self._limits, self._tools.timings.predicted_ms(now_ms)))
        match decision.action:
            case Done():
                return Stop(at_ms=None, row=decision.row)
            case Wait() as wait if not is_cut_over:
                return Stop(at_ms=wait.until_ms, row=decision.row, why=wait.why)
            case Wait() as wait:
                yield Pause(max(1, wait.until_ms - now_ms))
                known.forget()
                return None
            case _:
                yield from self._step(decision)
                return None

    def _may_not(self) -> Stop | None:
        """Return why nothing may be done with the tenant now, if so."""
        known, now_ms = self._known, self._now()
        if known.record is None:
            return Stop(at_ms=None, why="there is no such tenant")
        if known.is_recovering:
            return Stop(at_ms=now_ms + pause_ms(5), why="the registry is being recovered")
        move = known.record.move
        if move is not None and self._is_claimed(known.record, move, now_ms):
            at_ms = move.claimed_ms + self._limits.claim_ms
            if known.record.state is State.CUTOVER:
                at_ms = min(at_ms, move.deadline_ms)
            return Stop(at_ms=at_ms, why=f"{move.claim} works on it")
        return None

    def _is_claimed(self, tenant: Tenant, move: Move, now_ms: int) -> bool:
        if move.claim in ("", self._tools.name):
            return False
        is_late = tenant.state is State.CUTOVER and now_ms >= move.deadline_ms
        return not is_late and now_ms - move.claimed_ms < self._limits.claim_ms

    def _step(self, decision: Decision) -> Flow[None]:
        """Perform one action, and tell of it."""
        began_ms = self._now()
        outcome = "ok"
        try:
            yield from self._perform(decision.action)
            self._trouble.failures = 0
        except (RegistryError, NotDone) as no:
            outcome = type(no).__name__
            raise
        finally:
            self._tools.on_step(
                Performed(
                    tenant=self._known.id,
                    row=decision.row,
                    began_ms=began_ms,
                    took_ms=self._now() - began_ms,
                    outcome=outcome,
                )
            )

    def _perform(self, action: Action) -> Flow[None]:
        known, figures = self._known, self._figures
        match action:
            case Rewrite():
                yield from self._rewrite(action)
            case Copy():
                yield from self._copy()
            case CatchUp():
                yield from self._claim()
                figures.copied((yield from catch_up_all(known, known.dest())))
            case Freeze():
                figures.froze(self._now())
                yield from self._timed("freeze", freeze_home(known, action))
            case Tail():
                sent = yield from self._timed("tail", bring_tails(known, action, known.dest()))
                figures.brought(sent)
            case Activate():
                part: Part | None = "activate" if action.mode == "planned" else None
                yield from self._timed(part, activate_home(known, action))
                figures.served(self._now())
                self._is_stopped = False
            case RemoveOrphans():
                yield from self._clean(action.cell)
            case _:
                yield from perform(known, action)

    def _timed(self, part: Part | None, flow: Flow[T]) -> Flow[T]:
        """Run `flow`, and note how long it took if it ends as it should."""
        began_ms = self._now()
        result = yield from flow
        if part is not None:
            self._tools.timings.note(part, self._now() - began_ms, self._now())
        return result

    def _rewrite(self, action: Rewrite) -> Flow[None]:
        before = self._known.tenant
        commits = before.state is State.CUTOVER and action.ends == "done"
        member = self._figures.member(
            self._known.member, action, self._cutover_ms(before), self._now()
        )
        settles = action.tenant.settled and not before.settled
        if settles and self._cut_over is not None:
            member = yield from self._measured(self._cut_over)
        flow = rewrite(
            self._known,
            action,
            claim=self._tools.name,
            member=member,
            part=self._tools.part,
        )
        yield from self._timed("commit" if commits else None, flow)
        self._figures.written(action)
        if commits:
            self._cut_over = member
        elif settles:
            self._cut_over = None

    def _cutover_ms(self, tenant: Tenant) -> int:
        """Return when the tenant's cut-over was put on record; 0 if it is not cut over."""
        if tenant.state is not State.CUTOVER or tenant.move is None:
            return 0
        return tenant.move.deadline_ms - self._limits.cutover_ms

    def _measured(self, member: Member) -> Flow[Member | None]:
        """Return the member with its freeze as it was measured, up to the activation."""
        key = f"{member.operation}/{member.tenant}"
        [record] = yield Get((Key(kind="member", key=key),))
        if record is None or record.deleted or not self._figures.freeze_ms:
            return None
        self._known.revs["member", key] = record.rev
        return replace(read(Member, record), freeze_ms=self._figures.freeze_ms)

    def _copy(self) -> Flow[None]:
        yield from self._claim()
        copied = yield from copy_parts(self._known)
        tenant = self._known.tenant
        if tenant.move is not None and copied.parts != tenant.move.copied:
            move = replace(tenant.move, copied=copied.parts)
            yield from self._rewrite(Rewrite(tenant=replace(tenant, move=move)))
        if copied.failure is not None:
            raise copied.failure

    def _clean(self, cell: str) -> Flow[None]:
        try:
            yield from remove_tails(self._known, cell)
        except FOR_GOOD as no:
            alarm = f"orphans in {cell} could not be kept: {no}"
            yield from self._rewrite(Rewrite(tenant=replace(self._known.tenant, alarm=alarm)))

    def _claim(self) -> Flow[None]:
        """Say that the move is worked on, unless that was said lately."""
        tenant = self._known.tenant
        move = tenant.move
        if move is None:
            return
        age_ms = self._now() - move.claimed_ms
        if move.claim != self._tools.name or age_ms > self._limits.claim_ms // 2:
            yield from self._rewrite(Rewrite(tenant=tenant))

    def _failed(self, no: NotDone | RegistryError) -> Flow[Stop | None]:
        """Forget what was known, and wait: a little while frozen, else until the next run."""
        trouble, known = self._trouble, self._known
        if isinstance(no, NotDone):
            trouble.failures += 1
            trouble.failure = str(no)
            move = known.record.move if known.record else None
            if isinstance(no, FOR_GOOD) and move is not None:
                trouble.hopeless = (move.operation, str(no))
        known.forget()
        if self._is_stopped:
            yield Pause(CUTOVER_PAUSE_MS)
            return None
        why = str(no) if isinstance(no, NotDone) else type(no).__name__
        wait_ms = max(pause_ms(trouble.failures), no.retry_after_ms if isinstance(no, Busy) else 0)
        return Stop(at_ms=self._now() + wait_ms, why=why)

    def _now(self) -> int:
        return self._known.now_ms()
