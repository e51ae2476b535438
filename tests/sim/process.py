"""A process of the control plane: the real flows, each driven effect by effect over links.

It may die between any two effects; what it sent then arrives all the same, and whoever comes next
knows nothing of it. The loops are those of `cell_control.server`, as thin as can be.
"""

import json
from collections.abc import Callable, Iterable, Sequence
from typing import Any, Final

from cell_control.codec import read
from cell_control.domain.eligibility import Facts
from cell_control.domain.following import SWEPT_MAX, Following, Refill, Visit
from cell_control.domain.following import Wait as Rest
from cell_control.domain.pace import Limits
from cell_control.domain.records import OperationStatus, Tag, Tenant
from cell_control.flows.campaign import Stepped, campaign_step
from cell_control.flows.effects import (
    Ask,
    CellAnswer,
    Commit,
    Effect,
    Flow,
    Get,
    ListRecords,
    NoAnswer,
    Pause,
    Together,
)
from cell_control.flows.follow import follow, followers_of
from cell_control.flows.mover import Mover
from cell_control.flows.recover import begin_recovery, is_recovering, recover_step
from cell_control.ports import Key, RegistryError, RegistryUnavailable, RegistryUnknown, Write
from cell_core.domain.canonical import canonical
from cell_core.wire.message import Request
from tests.core.granting import control_key
from tests.sim.cells import SimCell
from tests.sim.kernel import START_MS, Kernel
from tests.sim.network import Network
from tests.sim.registry import NAME as REGISTRY
from tests.sim.registry import SimRegistry

CONTRACT: Final = "1"
SWEEP_MS: Final = 5000
LOOK_MS: Final = 2000
AGAIN_MS: Final = 1000
REGISTRY_MS: Final = 3000
VISITS_MAX: Final = 4
CHANGES: Final = ("activate", "freeze", "seal", "fence-off", "drop", "provision", "commit")
"""Steps that change who owns a tenant."""

TOKEN_S: Final = 20


class Steps:
    """Counts the I/O of movers, and says what becomes of each: for runs with one planned fault.

    Attributes:
        names: Of the steps so far.
    """

    def __init__(self, plan: dict[int, str] | None = None) -> None:
        self.plan = plan or {}
        self.names: list[str] = []

    def next(self, name: str) -> str:
        """Return what becomes of the next step: empty, or `crash`, `lost`, `zombie`, `failed`."""
        self.names.append(name)
        return self.plan.get(len(self.names) - 1, "")


class ControlProcess:
    """One process.

    Attributes:
        life: Counts its starts; what belongs to an earlier one is for nobody.
        rows: What its movers did: counts by row and outcome.
    """

    def __init__(
        self,
        name: str,
        kernel: Kernel,
        network: Network,
        registry: SimRegistry,
        cells: dict[str, SimCell],
        *,
        limits: Limits,
        steps: Steps | None = None,
    ) -> None:
        self.name, self.life, self.is_up = name, 0, False
        self.skew_ms = 0.0
        self.rows: dict[str, int] = {}
        self.bugs: list[str] = []
        self._kernel, self._network = kernel, network
        self._registry, self._cells = registry, cells
        self._limits, self._steps = limits, steps
        self._tokens: dict[tuple[str, int], str] = {}
        self._parts = 0
        self._flows: dict[int, Flow[Any]] = {}
        self._numbers = 0
        registry.on_commit.append(self._committed)

    def now_ms(self) -> int:
        """See `Clock.now_ms`."""
        return int(START_MS + self._kernel.now + self.skew_ms)

    # ── Life ─────────────────────────────────────────────────────────────────

    def start(self) -> None:
        """Start: nothing is remembered."""
        if self.is_up:
            return
        self.life += 1
        self.is_up = True
        self._kernel.say("start of", self.name)
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
        self._after(1, self._look)
        self._after(2, self._sweep)
        self._after(3, self._follow)

    def crash(self) -> None:
        """Die: all flows end where they stand."""
        if self.is_up:
            self._kernel.say("crash of", self.name)
            self.is_up = False
            self.life += 1
            # Now, and not whenever memory is collected.
            for flow in list(self._flows.values()):
                flow.close()
            self._flows.clear()

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
                self._run(recover_step(self.now_ms()), stepped, stepped)
                return
            if running is False:
                self._is_recovering = False
            self._after(LOOK_MS, self._look)

        def stepped(walked: Any) -> None:
            failed = isinstance(walked, Exception)
            self._after(LOOK_MS if failed or walked.dark else 1, self._look)

        def begun(operation: Any) -> None:
            if not isinstance(operation, Exception):
                self._recovered, self._ahead = self._ahead, 0
            self._run(is_recovering(), looked, looked)

        if self._ahead:
            begin = begin_recovery(self.now_ms(), by=self.name, reason="a follower is ahead")
            self._run(begin, begun, begun)
        else:
            self._run(is_recovering(), looked, looked)

    def _sweep(self) -> None:
        def over(_: Any) -> None:
            self._after(SWEEP_MS, self._sweep)

        self._run(self._sweeping(), over, over)

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
            self._after(self._kernel.random.uniform(1, 30), tell)

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
                self._after(5, now)
                return
            del self._due[place]
            self._work(loop, key)

        self._after(ms, now)

    def _work(self, loop: str, key: str) -> None:
        if loop == "mover":
            if self._is_recovering:
                self._wake(loop, key, 500)
                return
            self._moving.add(key)
            self._run(self._mover.run(key), lambda s: self._moved(key, s), None, is_mover=True)
        else:
            facts = Facts(now_ms=self.now_ms(), contract=CONTRACT)
            self._moving.add(key)
            flow = campaign_step(key, facts)
            over = lambda s: self._stepped(key, s)  # noqa: E731 - said twice below
            self._run(flow, over, over, is_mover=True)

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
                    self._run(self._refilling(after), self._refilled, self._refilled)
                    return  # Goes on with the page.
                case Rest(ms=ms):
                    wait_ms = ms
                    break
        self._after(wait_ms, again)

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

        self._run(self._visiting(tenant), over, over)

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
            self._after(visit.busy_ms, lambda: self.ring((tenant,)))
        elif visit.lag and visit.applied:
            self.ring((tenant,))

    # ── The shell of flows ───────────────────────────────────────────────────

    def _run(
        self,
        flow: Flow[Any],
        done: Callable[[Any], None],
        failed: Callable[[Any], None] | None,
        *,
        is_mover: bool = False,
    ) -> None:
        """Drive `flow` as long as this life lasts; what it raises goes to `failed`."""
        life = self.life
        self._numbers += 1
        number = self._numbers
        self._flows[number] = flow

        def go(answer: Any) -> None:
            if self.life != life:
                return
            try:
                if isinstance(answer, RegistryError):
                    effect = flow.throw(answer)
                else:
                    effect = flow.send(answer)
            except StopIteration as end:
                del self._flows[number]
                done(end.value)
            except RegistryError as error:
                del self._flows[number]
                if failed is None:
                    raise
                failed(error)
            else:
                self._perform(effect, go, is_mover=is_mover)

        go(None)

    def _perform(self, effect: Effect, go: Callable[[Any], None], *, is_mover: bool) -> None:
        match effect:
            case Pause():
                self._after(effect.ms, lambda: go(None))
            case Ask():
                self._ask(effect, go, is_mover=is_mover)
            case Together(asks):
                answers: dict[int, Any] = {}

                def gather(place: int, answer: Any) -> None:
                    answers[place] = answer
                    if len(answers) == len(asks):
                        go(tuple(answers[n] for n in range(len(asks))))

                for number, ask in enumerate(asks):
                    self._ask(ask, lambda a, n=number: gather(n, a), is_mover=is_mover)
            case _:
                self._call(effect, go, is_mover=is_mover)

    def _ask(self, ask: Ask, go: Callable[[Any], None], *, is_mover: bool) -> None:
        cell = self._cells[ask.cell]
        path, _, query = ask.path.partition("?")
        headers = {
            "authorization": f"Bearer {self._token(ask.cell)}",
            "content-type": "application/json",
            "x-deadline-ms": str(ask.timeout_ms),
        }
        request = Request(
            method=ask.method,
            path=f"/v1/control/tenants{path}",
            query=query,
            headers=headers,
            body=b"" if ask.body is None else canonical(dict(ask.body)).encode(),
        )

        def serve() -> tuple[Any, float] | None:
            served = cell.serve(request)
            if served is None:
                return None
            response, took_ms = served
            body = json.loads(response.body) if response.body else None
            return CellAnswer(status=response.status, body=body), took_ms

        self._exchange(
            ask.cell,
            f"{name_of(ask)}",
            serve,
            go,
            timeout_ms=ask.timeout_ms,
            silence=NoAnswer(reason="timeout"),
            is_mover=is_mover,
        )

    def _call(
        self, effect: Get | ListRecords | Commit, go: Callable[[Any], None], *, is_mover: bool
    ) -> None:
        silence: Any = RegistryUnavailable("no answer")
        if isinstance(effect, Commit):
            silence = RegistryUnknown("no answer")
        self._exchange(
            REGISTRY,
            name_of(effect),
            lambda: self._registry.perform(effect),
            go,
            timeout_ms=REGISTRY_MS,
            silence=silence,
            is_mover=is_mover,
        )

    def _exchange(
        self,
        dest: str,
        name: str,
        serve: Callable[[], tuple[Any, float] | None],
        go: Callable[[Any], None],
        *,
        timeout_ms: float,
        silence: Any,
        is_mover: bool,
    ) -> None:
        """Send once; go on with the answer, or with `silence` once the time is over."""
        is_open = True

        def come(answer: Any) -> None:
            nonlocal is_open
            if is_open:
                is_open = False
                go(answer)

        fate = self._steps.next(name) if is_mover and self._steps is not None else ""
        if fate:
            self._kernel.say("step", len(self._steps.names) - 1, name, fate)
        if fate == "crash":
            self._die()
            return
        if fate == "failed":
            self._after(timeout_ms, lambda: come(silence))
            return
        if fate in ("zombie", "late"):
            late_ms = self._kernel.random.uniform(3000, 20_000)
            self._network.hold(dest, late_ms, lambda: serve() and None)
            if fate == "zombie":
                self._die()
            else:
                self._after(timeout_ms, lambda: come(silence))
            return
        then = (lambda _: None) if fate == "lost" else come
        self._network.send(self.name, dest, serve, then, returns=name.startswith(CHANGES))
        self._after(timeout_ms, lambda: come(silence))

    def _die(self) -> None:
        self.crash()
        self._kernel.later(2000, self.start)

    def _after(self, ms: float, do: Callable[[], None]) -> None:
        """Do something later, unless this life is over by then."""
        life = self.life
        self._kernel.later(ms, lambda: do() if self.life == life else None)

    def _token(self, cell: str) -> str:
        slot = self.now_ms() // 1000 // TOKEN_S
        token = self._tokens.get((cell, slot))
        if token is None:
            token = self._tokens[cell, slot] = control_key().signer().sign(
                audience=cell,
                tenant="*",
                epoch=0,
                scope="control",
                now_s=slot * TOKEN_S,
                grant_id="g-1",
            )
        return token

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


def name_of(effect: Ask | Get | ListRecords | Commit) -> str:
    """Return a step's name: what is asked of whom."""
    match effect:
        case Ask():
            what = effect.path.partition("?")[0].rpartition("/")[2]
            return f"{what if effect.method == 'POST' else 'get ' + what} {effect.cell}"
        case Get():
            return "get"
        case ListRecords():
            return f"list {effect.kind}"
        case Commit(writes):
            return "commit " + " ".join(sorted({write.kind for write in writes}))
