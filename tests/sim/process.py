"""A process of the control plane: the real flows in loops like those of `cell_control.server`.

Refuses to remember anything over a crash: what it does next, it finds out from the registry.
"""

from collections.abc import Iterable, Sequence
from functools import partial
from typing import Any, Final

from cell_control.codec import read
from cell_control.domain.eligibility import Facts
from cell_control.domain.following import SWEPT_MAX, Following, Refill, Visit
from cell_control.domain.following import Wait as Rest
from cell_control.domain.pace import Limits
from cell_control.domain.records import OperationStatus, Tag, Tenant
from cell_control.flows.calling import NotDone
from cell_control.flows.campaign import Stepped, campaign_step
from cell_control.flows.effects import Flow, Get, ListRecords
from cell_control.flows.follow import follow, followers_of
from cell_control.flows.mover import Mover
from cell_control.flows.recover import begin_recovery, is_recovering, recover_step
from cell_control.flows.tidy import tidy_step
from cell_control.ports import Key, Write
from tests.sim.shell import FlowShell, Steps

CONTRACT: Final = "1"
SWEEP_MS: Final = 5000
LOOK_MS: Final = 2000
AGAIN_MS: Final = 1000
TIDY_MS: Final = 4000
VISITS_MAX: Final = 4


class ControlProcess(FlowShell):
    """One process.

    Attributes:
        rows: What its movers did: counts by row and outcome.
    """

    def __init__(self, *world: Any, limits: Limits, steps: Steps) -> None:
        """Wire it into a world, which is what `FlowShell` takes; do nothing yet."""
        super().__init__(*world, steps=steps)
        self.rows: dict[str, int] = {}
        self._limits = limits
        self._parts = 0
        self._registry.on_commit.append(self._committed)

    def start(self) -> None:
        """Start: nothing is remembered."""
        if self.is_up:
            return
        super().start()
        self._mover = Mover(
            self,
            name=f"{self.name}-{self.life}",
            part=self._part,
            limits=self._limits,
            on_step=self._performed,
        )
        self._following = Following(sweep_every_ms=SWEEP_MS)
        self._moving: set[str] = set()
        self._due: dict[tuple[str, str], float] = {}
        self._visited: set[str] = set()
        self._follows = 0
        self._is_recovering = True
        self._ahead, self._recovered = 0, 0
        self.after(1, self._look)
        self.after(2, self._sweep)
        self.after(3, self._follow)
        for number, cell in enumerate(self._cells):
            self.after(TIDY_MS * (number + 1) / len(self._cells), partial(self._tidy, cell))

    def ring(self, tenants: Iterable[str]) -> None:
        """A doorbell."""
        if self.is_up:
            self._following.ring(tenants)
            if "~refill" not in self._visited:
                self._follow()

    def ahead(self, rev: int) -> None:
        """A router holds a rev that the registry never had."""
        if self.is_up and rev > self._recovered:
            self._ahead = max(self._ahead, rev)

    # ── Loops ────────────────────────────────────────────────────────────────

    def _look(self) -> None:
        def looked(running: Any) -> None:
            if running is True:
                self._is_recovering = True
                self.run(recover_step(self.now_ms()), stepped, stepped)
                return
            if running is False:
                self._is_recovering = False
            self.after(LOOK_MS, self._look)

        def stepped(walked: Any) -> None:
            failed = isinstance(walked, Exception)
            self.after(LOOK_MS if failed or walked.dark else 1, self._look)

        def begun(operation: Any) -> None:
            if not isinstance(operation, Exception):
                self._recovered, self._ahead = self._ahead, 0
            self.run(is_recovering(), looked, looked)

        if self._ahead:
            begin = begin_recovery(
                self.now_ms(), by=self.name, reason="a follower is ahead", above=self._ahead
            )
            self.run(begin, begun, begun)
        else:
            self.run(is_recovering(), looked, looked)

    def _sweep(self) -> None:
        def over(_: Any) -> None:
            self.after(SWEEP_MS, self._sweep)

        self.run(self._sweeping(), over, over)

    def _sweeping(self) -> Flow[None]:
        for record in (yield ListRecords(kind="tenant", tag=Tag.OPEN)):
            self._wake("mover", record.key)
        for record in (yield ListRecords(kind="operation", tag=Tag.OPEN)):
            self._wake("campaign", record.key)

    def _committed(self, writes: Sequence[Write], _rev: int) -> None:
        if not self.is_up or self._kernel.chance(0.1):
            return
        wakes = [wake for wake in map(_wake_of, writes) if wake[0]]

        def tell() -> None:
            for wake in wakes:
                self._wake(*wake)

        if wakes:
            self.after(self._kernel.random.uniform(1, 30), tell)

    def _wake(self, loop: str, key: str, ms: float = 0.0) -> None:
        """Work on `key` within so long."""
        at, place = self._kernel.now + ms, (loop, key)
        if self._due.get(place, float("inf")) <= at:
            return
        self._due[place] = at

        def now() -> None:
            if self._due.get(place) != at:
                return
            if key in self._moving:
                self.after(5, now)
                return
            del self._due[place]
            self._work(loop, key)

        self.after(ms, now)

    def _work(self, loop: str, key: str) -> None:
        if loop == "mover":
            if self._is_recovering:
                self._wake(loop, key, 500)
                return
            self._moving.add(key)
            self.run(self._mover.run(key), lambda s: self._moved(key, s), None, is_mover=True)
        else:
            facts = Facts(now_ms=self.now_ms(), contract=CONTRACT)
            self._moving.add(key)
            flow = campaign_step(key, facts)
            over = lambda s: self._stepped(key, s)  # noqa: E731 - said twice below
            self.run(flow, over, over, is_mover=True)

    def _moved(self, tenant: str, stop: Any) -> None:
        self._moving.discard(tenant)
        if stop.why:
            self._kernel.say(self.name, tenant, "stops:", stop.row, stop.why)
        if stop.at_ms is not None:
            self._wake("mover", tenant, stop.at_ms - self.now_ms())

    def _stepped(self, operation: str, stepped: Stepped | Exception) -> None:
        self._moving.discard(operation)
        if isinstance(stepped, Exception):
            self._wake("campaign", operation, AGAIN_MS)
            return
        for tenant in stepped.begun:
            self._wake("mover", tenant)
        found = stepped.operation
        is_over = found is None or (
            found.status is not OperationStatus.RUNNING and not stepped.moving
        )
        if stepped.contended or not is_over:
            self._wake("campaign", operation, 20 if stepped.contended else AGAIN_MS)

    def _follow(self) -> None:
        """Take the next things that the replicator's bookkeeping says."""
        self._follows += 1
        number = self._follows

        def again() -> None:
            if self._follows == number:
                self._follow()

        wait_ms = 20.0
        while len(self._visited) < VISITS_MAX:
            match self._following.next(self.now_ms()):
                case Visit(tenant=tenant):
                    if tenant not in self._visited:
                        self._visited.add(tenant)
                        self._visit(tenant)
                case Refill(after=after):
                    self._visited.add("~refill")
                    self.run(self._refilling(after), self._refilled, self._refilled)
                    return  # Goes on with the page.
                case Rest(ms=ms):
                    wait_ms = ms
                    break
        self.after(wait_ms, again)

    def _refilling(self, after: str) -> Flow[None]:
        page = yield ListRecords(kind="tenant", after=after, limit=SWEPT_MAX)
        followed = [record.key for record in page if followers_of(read(Tenant, record))]
        self._following.refill(followed, page[-1].key if len(page) == SWEPT_MAX else "")

    def _refilled(self, outcome: Any) -> None:
        self._visited.discard("~refill")
        if isinstance(outcome, Exception):
            self._following.refill((), "")
        self._follow()

    def _visit(self, tenant: str) -> None:
        def over(_: Any) -> None:
            self._visited.discard(tenant)

        self.run(self._visiting(tenant), over, over)

    def _visiting(self, tenant: str) -> Flow[None]:
        [record] = yield Get((Key(kind="tenant", key=tenant),))
        if record is None or record.deleted:
            return
        found = read(Tenant, record)
        cells = (found.home, *followers_of(found))
        if len(cells) == 1 or not self._following.admits(cells, self.now_ms()):
            return
        visit = yield from follow(tenant)
        for cell in cells:
            if cell in visit.dark:
                self._following.dark(cell, self.now_ms())
            else:
                self._following.answered(cell)
        if visit.busy_ms:
            self.after(visit.busy_ms, lambda: self.ring((tenant,)))
        elif visit.lag and visit.applied:
            self.ring((tenant,))

    def _tidy(self, cell: str) -> None:
        def over(_: Any) -> None:
            self.after(TIDY_MS, lambda: self._tidy(cell))

        self.run(self._tidying(cell), over, over)

    def _tidying(self, cell: str) -> Flow[None]:
        after = ""
        while True:
            try:
                tidied = yield from tidy_step(cell, after, self.now_ms())
            except NotDone:
                return  # The next time will do.
            for tenant in tidied.named:
                self._kernel.say(self.name, tenant, "is a stray in", cell)
            after = tidied.after
            if not after:
                return

    def _part(self) -> str:
        self._parts += 1
        return f"{self.name}{self._parts:013d}"

    def _performed(self, step: Any) -> None:
        key = step.row if step.outcome == "ok" else f"{step.row}!{step.outcome}"
        self.rows[key] = self.rows.get(key, 0) + 1
        self._kernel.say(self.name, step.tenant, "row", key, f"{step.took_ms} ms")


def _wake_of(write: Write) -> tuple[str, str]:
    if write.kind == "tenant" and write.tag == Tag.OPEN:
        return "mover", write.key
    if write.kind == "operation" and write.tag == Tag.OPEN:
        return "campaign", write.key
    if write.kind == "member":
        return "campaign", write.key.partition("/")[0]
    return "", ""
