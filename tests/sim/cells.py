"""A cell: the real application, twice over one store in memory, with a process that may die.

What a request does inside takes place at the moment it arrives, but at any call of its store
another request may be served in between by the other instance, and any call may fail.
"""

import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Final

from cell_core.app.application import App
from cell_core.domain.documents import (
    ENTITY,
    LOG,
    Advance,
    Batch,
    Create,
    Document,
    Page,
    Remove,
    Snapshot,
)
from cell_core.domain.errors import OutcomeUnknown
from cell_core.domain.fence import Fence
from cell_core.domain.ids import partition_of
from cell_core.domain.journal import Entry, read_entry
from cell_core.domains import DOMAINS
from cell_core.memory import MemoryBackend, MemoryCellStore
from cell_core.service.control import Cell
from cell_core.wire.grants import GrantVerifier
from cell_core.wire.message import Request, Response
from cell_devstack.faulty import Crashed, Fault, FaultyStore
from tests.core.granting import control_key, edge_key, jwks
from tests.sim.kernel import START_MS, Kernel
from tests.sim.network import Network

NAMES: Final = ("aws-alpha", "azure-beta", "gcp-gamma")
"""Their ordinals are their places here, from 1."""

INSTANCES: Final = 2
NESTED_MAX: Final = 2


def url_of(cell: str) -> str:
    """Return a cell's address."""
    return f"https://{cell}.example"


@dataclass(slots=True, kw_only=True)
class Health:
    """How a cell's store is now.

    Attributes:
        refused, throttled, lost, answer_lost, crash: How likely a store call is to end so.
        full: Nothing can be written.
        between: How likely another request is served between two store calls.
    """

    refused: float = 0.0
    throttled: float = 0.0
    lost: float = 0.0
    answer_lost: float = 0.0
    crash: float = 0.0
    full: bool = False
    between: float = 0.0

    def clear(self) -> None:
        """Let everything work."""
        self.refused = self.throttled = self.lost = self.answer_lost = self.crash = 0.0
        self.full = False


class Watched:
    """The store itself, and who is told of each change of a fence."""

    def __init__(
        self,
        inner: MemoryCellStore,
        cell: "SimCell",
    ) -> None:
        self._inner, self._cell = inner, cell

    def read(self, partition: str, keys: Sequence[str]) -> Snapshot:
        self._cell.between()
        if not keys:
            return self._inner.read(partition, keys)
        # The port promises no more: documents may be older than the fence beside them.
        documents = self._inner.read(partition, keys).documents
        self._cell.between()
        return Snapshot(self._inner.read(partition, ()).fence, documents)

    def page(self, partition: str, prefix: str, *, after: str | None, limit: int) -> Page:
        self._cell.between()
        return self._inner.page(partition, prefix, after=after, limit=limit)

    def commit(self, batch: Batch) -> None:
        self._cell.between()
        self._inner.commit(batch)
        if isinstance(batch.fence, Advance | Create | Remove):
            self._cell.changed(batch.partition)

    def ping(self) -> None:
        self._inner.ping()


class SimCell:
    """One cell.

    Attributes:
        is_up: Whether its process answers.
        skew_ms: How wrong its clock is.
        waiting: Requests that have arrived almost: one of them may be served in between.
    """

    def __init__(
        self,
        name: str,
        kernel: Kernel,
        network: Network,
        find: Callable[[str], "SimCell | None"],
        on_change: Callable[[str, str, Fence | None], None],
    ) -> None:
        self.id, self.ordinal = name, NAMES.index(name) + 1
        self.backend = MemoryBackend()
        self.health = Health()
        self.is_up = True
        self.skew_ms = 0.0
        self.waiting = network.nearby.setdefault(name, [])
        self.crashes = 0
        self.on_answer: Callable[[SimCell, Request, Response], None] = lambda *_: None
        self._kernel, self._network, self._find = kernel, network, find
        self._on_change = on_change
        self._elapsed_ms = 0.0
        self._depth = 0
        self._apps: list[App] = []
        self._verifier = GrantVerifier(jwks(edge_key(), control_key()), audience=self.id)
        self.start()

    # ── The process ──────────────────────────────────────────────────────────

    def start(self) -> None:
        """Start the process: it remembers nothing."""
        self.is_up = True
        self._apps = [self._instance() for _ in range(INSTANCES)]

    def crash(self) -> None:
        """End the process; the store stays."""
        self._kernel.say("crash of", self.id)
        self.crashes += 1
        self.is_up = False

    def serve(self, request: Request) -> tuple[Response, float] | None:
        """Return the answer and how long it took; None if there is none."""
        if not self.is_up:
            return None
        before, self._elapsed_ms = self._elapsed_ms, 0.0
        self._depth += 1
        app = self._apps[self._kernel.random.randrange(INSTANCES)]
        try:
            response = app.handle(request)
        except Crashed:
            self.crash()
            self._kernel.later(self._kernel.random.uniform(50, 3000), self.start)
            return None
        finally:
            took_ms, self._elapsed_ms = self._elapsed_ms, before
            self._depth -= 1
        self._kernel.say(
            self.id, request.method, request.path, "->", response.status,
            response.facts.get("code", ""),
        )  # fmt: skip
        self.on_answer(self, request, response)
        return response, took_ms

    def between(self) -> None:
        """Perhaps serve somebody else first: called before each call of the store."""
        if not self.waiting or self._depth >= NESTED_MAX:
            return
        if self._kernel.chance(self.health.between):
            self.waiting.pop(self._kernel.random.randrange(len(self.waiting)))()

    def changed(self, partition: str) -> None:
        """Tell of a fence that has just changed."""
        self._on_change(self.id, partition, self.backend.partition(partition).fence)

    # ── What `App` needs of the world ────────────────────────────────────────

    def now_ms(self) -> int:
        """See `Clock.now_ms`."""
        return int(START_MS + self._kernel.now + self._elapsed_ms + self.skew_ms)

    def wait(self, attempt: int, deadline_ms: int) -> bool:
        """See `Patience.wait`."""
        pause_ms = self._kernel.random.uniform(5, 20.0 * min(attempt, 4))
        if attempt > 12 or self.now_ms() + pause_ms > deadline_ms:
            return False
        self._elapsed_ms += pause_ms
        return True

    def admits(self, base_url: str) -> bool:
        """See `StandbyLink.admits`."""
        return base_url.startswith("https://")

    def send(self, base_url: str, request: Request, timeout_ms: int) -> Response:
        """See `StandbyLink.send`."""
        standby = self._find(base_url)
        if standby is None or standby is self:
            raise OutcomeUnknown("standby")
        fate = self._network.fate(self.id, standby.id)
        served = None
        if fate.there_ms is not None and fate.there_ms < timeout_ms:
            self._elapsed_ms += fate.there_ms
            served = standby.serve(request)
        elif fate.there_ms is not None:
            self._network.hold(standby.id, fate.there_ms, lambda: standby.serve(request) and None)
        if fate.again_ms is not None:
            self._network.hold(standby.id, fate.again_ms, lambda: standby.serve(request) and None)
        if served is None or fate.back_ms is None or fate.back_ms > timeout_ms:
            self._elapsed_ms += timeout_ms
            raise OutcomeUnknown("standby")
        response, took_ms = served
        self._elapsed_ms += took_ms + fate.back_ms
        return response

    # ── What an oracle looks at ──────────────────────────────────────────────

    def fence(self, tenant: str, stripe: int) -> Fence | None:
        """Return a fence as it is stored."""
        return self.backend.partition(partition_of(tenant, stripe)).fence

    def documents(self, tenant: str, stripe: int, prefix: str) -> list[Document]:
        """Return documents as they are stored, in the order of their keys."""
        held = self.backend.partition(partition_of(tenant, stripe)).documents
        return [held[key] for key in sorted(held) if key.startswith(prefix)]

    def entries(self, tenant: str, stripe: int) -> list[Entry]:
        """Return a stripe's journal."""
        return [read_entry(document.body) for document in self.documents(tenant, stripe, LOG)]

    def entities(self, tenant: str, stripe: int) -> list[Document]:
        """Return a stripe's entities."""
        return self.documents(tenant, stripe, ENTITY)

    def _instance(self) -> App:
        store = FaultyStore(Watched(MemoryCellStore(self.backend), self), self._plan)
        self._kept_short(store)
        return App(
            Cell(id=self.id, ordinal=self.ordinal),
            store,
            DOMAINS,
            self._verifier,
            clock=self,
            patience=self,
            new_id=lambda: "r-1",
            link=self,
        )

    @staticmethod
    def _kept_short(store: FaultyStore) -> None:
        store.dealt = _Forgetful()

    def _plan(self, method: str) -> Fault:
        health, chance = self.health, self._kernel.chance
        if health.full and method == "commit":
            return Fault.UNAVAILABLE
        if chance(health.throttled):
            return Fault.THROTTLED
        if chance(health.refused):
            return Fault.UNAVAILABLE
        if chance(health.lost):
            return Fault.REQUEST_LOST
        if chance(health.answer_lost):
            return Fault.ANSWER_LOST
        if chance(health.crash):
            return random.Random(self.crashes).choice((Fault.CRASH_BEFORE, Fault.CRASH_AFTER))
        return Fault.NONE


class _Forgetful(list[Any]):
    """A list that stays empty: a run deals more faults than anybody reads."""

    def append(self, _one: Any) -> None:
        pass
