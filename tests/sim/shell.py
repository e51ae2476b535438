"""The shell of flows in virtual time: each effect is an exchange over links, or a wait.

It may die between any two effects; what it sent then arrives all the same, and whoever comes next
knows nothing of it.
"""

import json
from collections.abc import Callable
from typing import Any, Final

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
    SkipTo,
    Together,
)
from cell_control.ports import RegistryError, RegistryUnavailable, RegistryUnknown
from cell_core.domain.canonical import canonical
from cell_core.wire.message import Request
from tests.core.granting import control_key
from tests.sim.cells import SimCell
from tests.sim.kernel import START_MS, Kernel
from tests.sim.network import Network
from tests.sim.registry import NAME as REGISTRY
from tests.sim.registry import SimRegistry

REGISTRY_MS: Final = 3000
TOKEN_S: Final = 20
CHANGES: Final = ("activate", "freeze", "seal", "fence-off", "drop", "provision", "commit")
"""Steps that change who owns a tenant."""


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


class FlowShell:
    """One process, as far as flows know it.

    Attributes:
        life: Counts its starts and deaths; what belongs to an earlier one is for nobody.
        skew_ms: How wrong its clock is.
    """

    def __init__(
        self,
        name: str,
        kernel: Kernel,
        network: Network,
        registry: SimRegistry,
        cells: dict[str, SimCell],
        *,
        steps: Steps,
    ) -> None:
        self.name, self.life, self.is_up = name, 0, False
        self.skew_ms = 0.0
        self._kernel, self._network = kernel, network
        self._registry, self._cells = registry, cells
        self._steps = steps
        self._tokens: dict[tuple[str, int], str] = {}
        self._flows: dict[int, Flow[Any]] = {}
        self._numbers = 0

    def now_ms(self) -> int:
        """See `Clock.now_ms`."""
        return int(START_MS + self._kernel.now + self.skew_ms)

    def start(self) -> None:
        """Start: nothing is remembered."""
        self.life += 1
        self.is_up = True
        self._kernel.say("start of", self.name)

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

    def run(
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
                self.after(effect.ms, lambda: go(None))
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
        self,
        effect: Get | ListRecords | Commit | SkipTo,
        go: Callable[[Any], None],
        *,
        is_mover: bool,
    ) -> None:
        silence: Any = RegistryUnavailable("no answer")
        if isinstance(effect, Commit | SkipTo):
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

        fate = self._steps.next(name) if is_mover else ""
        if fate:
            self._kernel.say("step", len(self._steps.names) - 1, name, fate)
        if fate == "crash":
            self._die()
            return
        if fate == "failed":
            self.after(timeout_ms, lambda: come(silence))
            return
        if fate in ("zombie", "late"):
            late_ms = self._kernel.random.uniform(3000, 20_000)
            self._network.hold(dest, late_ms, lambda: serve() and None)
            if fate == "zombie":
                self._die()
            else:
                self.after(timeout_ms, lambda: come(silence))
            return
        then = (lambda _: None) if fate == "lost" else come
        self._network.send(self.name, dest, serve, then, returns=name.startswith(CHANGES))
        self.after(timeout_ms, lambda: come(silence))

    def _die(self) -> None:
        self.crash()
        self._kernel.later(2000, self.start)

    def after(self, ms: float, do: Callable[[], None]) -> None:
        """Do something later, unless this life is over by then."""
        life = self.life
        self._kernel.later(ms, lambda: do() if self.life == life else None)

    def _token(self, cell: str) -> str:
        slot = self.now_ms() // 1000 // TOKEN_S
        token = self._tokens.get((cell, slot))
        if token is None:
            token = self._tokens[cell, slot] = (
                control_key()
                .signer()
                .sign(
                    audience=cell,
                    tenant="*",
                    epoch=0,
                    scope="control",
                    now_s=slot * TOKEN_S,
                    grant_id="g-1",
                )
            )
        return token


def name_of(effect: Ask | Get | ListRecords | Commit | SkipTo) -> str:
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
        case SkipTo():
            return "skip"
