"""A router: the real edge, its store kept current by the real loop, over links that fail.

Builds on the shell of `tests.router.sim`, whose promises are the server's; time and the way to
cells are the simulation's. A restart forgets everything but what its disk keeps.
"""

import types
from collections.abc import Callable
from typing import Any, Final

from cell_core.wire.message import Request
from cell_router import decide, edge, exchange, limits, messages, registry
from cell_router.grants import GrantBook
from cell_router.ports import SourceUnavailable
from cell_router.sources.backoff import Patience
from cell_router.sources.sync import RegistrySync
from cell_router.stores.memory import MemoryStore
from tests.core import registering
from tests.core.granting import edge_key
from tests.router.sim import Sim
from tests.sim.cells import SimCell
from tests.sim.kernel import START_MS, Kernel
from tests.sim.network import Network
from tests.sim.registry import NAME as REGISTRY
from tests.sim.registry import SimRegistry

MODULES: Final = types.SimpleNamespace(
    decide=decide,
    edge=edge,
    exchange=exchange,
    limits=limits,
    messages=messages,
    registry=registry,
)
FEED_TIMEOUT_MS: Final = 25_000
REFRESH_MS: Final = 20


class Prefetched:
    """A `RegistrySource` that says what was fetched over the simulated link."""

    def __init__(self, far: SimRegistry) -> None:
        self._far = far
        self.fetched: Any = None
        self.is_near = True

    def snapshot(self, _newer_than: int) -> bytes | None:
        return self._take()

    def changes(self, _after: int, _wait_s: float) -> bytes | None:
        return self._take()

    def find(self, tenant: str) -> bytes | None:
        if not self.is_near:
            raise SourceUnavailable
        return self._far.find(tenant)

    def _take(self) -> Any:
        if isinstance(self.fetched, Exception):
            raise self.fetched
        return self.fetched


class SimRouter(Sim):
    """One router.

    Attributes:
        on_epoch: Told tenant and epoch as they are cached, each time a request is sent.
    """

    def __init__(
        self,
        name: str,
        kernel: Kernel,
        network: Network,
        far: SimRegistry,
        cells: dict[str, SimCell],
        on_epoch: Callable[[str, str, int], None],
    ) -> None:
        self.name, self.life, self.is_up = name, 0, True
        self._kernel, self._network = kernel, network
        self._far, self._cells = far, cells
        self._on_epoch = on_epoch
        self._disk = MemoryStore()
        self._verify = registering.verifier()
        self._done: dict[str, Callable[[Any], None]] = {}
        # Of all lives: what the dead had begun must not be tidied up whenever memory is collected.
        self._exchanges: dict[str, Any] = {}
        self._numbers = iter(range(10**9))
        self.start()

    # ── Life ─────────────────────────────────────────────────────────────────

    def start(self) -> None:
        """Start anew from what the disk holds."""
        self.life += 1
        self.is_up = True
        numbers = self._numbers
        super().__init__(
            MODULES,  # type: ignore[arg-type]
            self._disk,
            lambda *_: (0.0, None),
            grants=GrantBook(edge_key().signer(), lambda: f"{self.name}-{next(numbers)}"),
        )
        self._source = Prefetched(self._far)
        self._sync = RegistrySync(
            self._disk,
            self._source,
            self._verify,
            draw=self._kernel.random.random,
            patience=Patience(most_s=5.0),
        )
        self._poll()

    def crash(self, *, keeps_disk: bool = True) -> None:
        """Die: whoever waits for an answer gets none."""
        self._kernel.say("crash of", self.name)
        self.is_up = False
        self.life += 1
        if not keeps_disk:
            self._disk = MemoryStore()

    def request(self, request: Any, then: Callable[[Any], None]) -> None:
        """Serve a client's request; `then` gets the reply, or nothing if the process dies."""
        if not self.is_up:
            then(None)
            return
        self._done[request.id] = then
        self._act(lambda: self._begin(request))

    # ── The shell, in the simulation's time ──────────────────────────────────

    def later(self, seconds: float, do: Callable[[], None]) -> None:
        life = self.life
        self._kernel.later(seconds * 1000, lambda: self._act(do) if self.life == life else None)

    def _act(self, do: Callable[[], None]) -> None:
        self._tick()
        do()
        self._run_ready()

    def _tick(self) -> None:
        self.now = 1000.0 + self._kernel.now / 1000
        self.edge.now = self.now
        self.edge.now_s = int(START_MS + self._kernel.now) // 1000

    def _advance(self, x: Any, event: object) -> None:
        self._exchanges[x.request.id] = x
        super()._advance(x, event)
        if x.shell == "over":
            del self._exchanges[x.request.id]
            _, reply = self.replies.pop(x.request.id)
            then = self._done.pop(x.request.id, None)
            if then is not None:
                then(reply)

    def _send(self, x: Any, ticket: int) -> None:
        record = x.cell.record
        cell, life = self._cells[record.id], self.life
        # Not the request's own route: it may have waited for its place since it was looked up.
        cached = self.edge.registry.find(x.route.tenant)
        if cached is not None:
            self._on_epoch(self.name, cached.tenant, cached.epoch)
        pairs = (line.split(": ", 1) for line in x.lines.decode().split("\r\n") if line)
        headers = dict(pairs)  # type: ignore[arg-type]
        path, _, query = x.target.decode().partition("?")
        request = Request(
            method=x.request.method.decode() if not x.riders else "POST",
            path=path,
            query=query,
            headers=headers,
            body=x.sent_body,
        )

        def come(outcome: Any) -> None:
            if self.life == life and x.ticket == ticket and x.shell != "over":
                self._act(lambda: self._advance(x, outcome))

        def serve() -> tuple[Any, float] | None:
            if not cell.is_up:
                return decide.Failure.NOT_SENT, 0.0
            served = cell.serve(request)
            if served is None:
                return decide.Failure.UNKNOWN, 1.0
            response, took_ms = served
            named = {
                name.encode(): value.encode()
                for name, value in response.headers.items()
                if name.encode() in messages.PASSED_TO_CLIENT
            }
            return messages.CellAnswer(response.status, named, response.body), took_ms

        self._network.send(self.name, record.id, serve, come)
        if x.until < x.deadline:
            self.later(x.until - self.now, lambda: come(decide.Failure.UNKNOWN))

    def _asked(self, x: Any, ticket: int) -> None:
        link = frozenset((self.name, REGISTRY))
        self._source.is_near = link not in self._network.weather.cut and not self._far.is_down
        if x.ticket != ticket:
            return
        try:
            found = self._sync.find(x.call.tenant)
        except SourceUnavailable:
            self._advance(x, decide.Failure.TIMEOUT)
            return
        self.edge.refresh(at_once=True)
        if not found:
            self.edge.registry.note_unknown(x.call.tenant, self.now)
        self._advance(x, None)

    # ── The feed ─────────────────────────────────────────────────────────────

    def _poll(self) -> None:
        """Ask the registry what the loop asks next, and let it step with the answer."""
        life = self.life
        is_open = True
        held = self._disk.meta().rev
        wants_snapshot = self._sync._wants_snapshot  # Which question comes next.

        def come(answer: Any) -> None:
            nonlocal is_open
            if not is_open or self.life != life:
                return
            is_open = False
            self._source.fetched = answer
            wait_s = self._sync.step(int(START_MS + self._kernel.now))
            self.later(self._kernel.random.uniform(0, REFRESH_MS) / 1000, self.refresh)
            self.later(max(wait_s, 0.001), self._poll)

        def fetch() -> tuple[Any, float]:
            if wants_snapshot:
                return self._far.snapshot(held), 5.0
            return self._far.changes(held), 1.0

        def arrive() -> tuple[Any, float] | None:
            if wants_snapshot:
                return fetch()
            self._far.wait(held, lambda: self._network.send(REGISTRY, self.name, fetch, come))
            return None

        # The answer of a long poll makes its own way, whenever it comes; `fetch` runs as it leaves.
        self._network.send(self.name, REGISTRY, arrive, come)
        self.later(FEED_TIMEOUT_MS / 1000, lambda: come(SourceUnavailable("timeout")))
