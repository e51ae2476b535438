"""Starts the real server's data path in this process, on a loop like the worker's."""

import asyncio
import json
import random
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager
from itertools import count
from typing import Any, Final

import uvloop
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from jwt.algorithms import OKPAlgorithm

from cell_core.wire.grants import GrantSigner
from cell_core.wire.registry import CellRecord
from cell_router.auth.principal import Principal
from cell_router.auth.refused import INVALID, MISSING, AuthRefused
from cell_router.edge import Edge
from cell_router.grants import GrantBook
from cell_router.limits import Limits
from cell_router.registry import Registry
from cell_router.server.addresses import AddressPolicy, CheckedAddresses
from cell_router.server.client import ClientConnection
from cell_router.server.pool import Pool
from cell_router.server.serving import Serving
from cell_router.stores.memory import MemoryStore
from tests.router.framing.loop_thread import LoopThread
from tests.router.framing.samples import CREDENTIAL

EPOCH: Final = 16
NOW_S: Final = 1_900_000_000
PRINCIPAL: Final = Principal(
    id="key:ck_test_framing",
    tenants=frozenset({"T-a"}),
    scopes=frozenset({"read", "write"}),
    expires_s=NOW_S + 3600,
)


class _OneKey:
    """Accepts `CREDENTIAL`, in either header."""

    def authenticate(
        self, authorization: bytes | None, api_key: bytes | None, now_s: int
    ) -> Principal:
        if authorization is None and api_key is None:
            raise AuthRefused(MISSING, "no_credential")
        if (authorization, api_key) not in (
            (b"Bearer " + CREDENTIAL, None),
            (None, CREDENTIAL),
        ):
            raise AuthRefused(INVALID, "unknown")
        return PRINCIPAL


class Noted:
    """Keeps what the server reports; a bug of its own fails the tests at the end.

    Attributes:
        bugs: Where a flow raised what no flow may raise.
        loop_errors: What the event loop caught in a protocol.
        rides: How many requests were served in the express lane.
    """

    def __init__(self) -> None:
        self.bugs: list[str] = []
        self.loop_errors: list[Mapping[str, Any]] = []
        self.rides = 0

    def finished(self, x: object, reply: object, now: float) -> None:
        pass

    def attempted(self, x: object, outcome: object, now: float) -> None:
        pass

    def connected(self, *, is_admitted: bool) -> None:
        pass

    def rode(self, ride: object, answer: object, now: float) -> str:
        self.rides += 1
        return ""

    def refused(self, code: str) -> None:
        pass

    def bug(self, place: str) -> None:
        self.bugs.append(place)

    def caught(self, loop: object, context: Mapping[str, Any]) -> None:
        self.loop_errors.append(context)


class RunningEdge:
    """The server of one worker process; `served` and `noted` are for looking at."""

    def __init__(self, make: Callable[[Callable[[], str]], Edge]) -> None:
        """`make` builds its edge, given what makes ids."""
        self.port = 0
        self.noted = Noted()
        self._make = make
        self._thread = LoopThread("edge", uvloop.new_event_loop)
        self._serving: Serving
        self._server: asyncio.Server

    def start(self) -> None:
        self._thread.start()
        self._thread.run(self._listen())

    def stop(self) -> None:
        self._thread.run(self._end())
        self._thread.stop()

    def held_bytes(self) -> int:
        """Return how many bytes of answers wait for clients to read them."""
        return sum(client._transport.get_write_buffer_size() for client in self._serving.clients)

    def settle(self) -> None:
        """Return once it has read, and acted on, everything that was sent to it."""
        self._thread.settle()

    def held(self) -> AbstractContextManager[None]:
        """Let it read nothing until the block ends, and then all that has come at once."""
        return self._thread.held()

    async def _listen(self) -> None:
        loop = asyncio.get_running_loop()
        loop.set_exception_handler(self.noted.caught)
        numbers = count(1)

        def new_id() -> str:
            return f"id-{next(numbers)}"

        edge = self._make(new_id)
        self._limits = edge.limits
        self._serving = Serving(
            edge,
            observer=self.noted,
            pool_of=self._pool_of,
            ask=_knows_nothing,
            now_s=lambda: NOW_S,
            new_id=new_id,
        )
        serving = self._serving
        self._server = await loop.create_server(
            lambda: ClientConnection(serving), "127.0.0.1", 0, backlog=1024
        )
        self.port = self._server.sockets[0].getsockname()[1]

    def _pool_of(self, record: CellRecord, resume: Any) -> Pool:
        policy = AddressPolicy(local=True)
        addresses = CheckedAddresses(policy.origin(record.base_url), policy, _resolve)
        return Pool(addresses, None, self._limits, resume)

    async def _end(self) -> None:
        self._server.close()
        for client in list(self._serving.clients):
            client._abort()
        for _, pool in self._serving._pools.values():
            for connection in list(pool._all):
                connection.close()
        await asyncio.sleep(0)
        await asyncio.sleep(0)


@contextmanager
def edge(upstream_port: int, **limits: Any) -> Iterator[RunningEdge]:
    """Run an edge whose one cell is at `upstream_port`; it must end without a bug of its own."""
    bounds = Limits(**{"coalesce": False, **limits})
    with serving_edge(lambda new_id: _edge(upstream_port, bounds, new_id)) as running:
        yield running


@contextmanager
def serving_edge(make: Callable[[Callable[[], str]], Edge]) -> Iterator[RunningEdge]:
    """Run the edge that `make` builds; it must end without a bug of its own."""
    running = RunningEdge(make)
    running.start()
    try:
        yield running
    finally:
        running.stop()
    assert running.noted.bugs == []
    assert running.noted.loop_errors == []


def _edge(upstream_port: int, limits: Limits, new_id: Callable[[], str]) -> Edge:
    return Edge(
        registry=_registry(upstream_port),
        credentials=_OneKey(),
        grants=GrantBook(GrantSigner(edge_key(), issuer="edge"), new_id),
        limits=limits,
        generator=random.Random(1),
        new_command_id=new_id,
    )


def _knows_nothing(tenant: str, answer: Callable[[bool | None], None]) -> None:
    present = False
    answer(present)


async def _resolve(host: str, port: int) -> Sequence[str]:
    return [host]


def _registry(upstream_port: int) -> Registry:
    store = MemoryStore()
    cell = CellRecord(
        id="aws-alpha",
        ordinal=0,
        cloud="aws",
        region="r",
        base_url=f"http://127.0.0.1:{upstream_port}",
    )
    rows = [(name, b"%d" % EPOCH) for name in (b"T-a", b"T-b")]
    store.replace(rev=1, created_ms=1, cells=[cell], groups=[], tenants=[rows])
    return Registry(store)


def edge_key() -> str:
    made: dict[str, str] = OKPAlgorithm.to_jwk(Ed25519PrivateKey.generate(), as_dict=True)
    return json.dumps({**made, "kid": "edge"})
