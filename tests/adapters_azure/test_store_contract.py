"""The Cosmos store keeps every promise of the port; on four physical partitions, as they come."""

import contextlib
import functools
import itertools
import socket
from collections.abc import Callable, Iterator

import pytest

from cell_adapters_azure.store import Container, CosmosCellStore
from cell_devstack.cosmos.errors import ConnectionCut, CosmosError
from cell_devstack.cosmos.exchange import Request, Response
from tests.adapters_azure.wire import Disturbance, LocalCosmos, Serve, local_cosmos
from tests.contract.failing import Broken
from tests.contract.samples import OpenStore
from tests.contract.suite import CellStoreContract, FailingStoreContract


@pytest.fixture(scope="module")
def clients() -> Iterator[Iterator[Container]]:
    with local_cosmos(partitions=4) as cosmos:
        # Two, as of two instances: a client is slow to make, and an instance's threads share one.
        yield itertools.cycle([cosmos.connect(), cosmos.connect()])


class TestCosmosCellStore(CellStoreContract):
    @pytest.fixture
    def open_store(self, clients: Iterator[Container]) -> OpenStore:
        return lambda: CosmosCellStore(functools.partial(next, clients))


class TestFailingCosmosCellStore(FailingStoreContract):
    @pytest.fixture
    def one(self) -> Iterator[LocalCosmos]:
        with local_cosmos() as cosmos:
            yield cosmos

    @pytest.fixture
    def throttled(self, one: LocalCosmos) -> Broken:
        return _broken(one, _throttle)

    @pytest.fixture
    def dies_before(self, one: LocalCosmos) -> Broken:
        return _broken(one, _cut)

    @pytest.fixture
    def dies_after(self, one: LocalCosmos) -> Broken:
        return _broken(one, _serve_then_cut)

    @pytest.fixture
    def errs_after(self, one: LocalCosmos) -> Broken:
        return _broken(one, _serve_then_fail)

    @pytest.fixture
    def garbled(self, one: LocalCosmos) -> Broken:
        return _broken(one, _serve_then_babble)

    @pytest.fixture
    def refused(self, one: LocalCosmos) -> Broken:
        with socket.create_server(("127.0.0.1", 0)) as closing:
            port = closing.getsockname()[1]
        gone = LocalCosmos(one.wire, f"http://127.0.0.1:{port}/")
        return Broken(gone.open_store(), one.open_store())


def _throttle(_request: Request, _serve: Serve) -> Response:
    raise CosmosError(429, "too many", headers={"x-ms-retry-after-ms": "20"})


def _cut(_request: Request, _serve: Serve) -> Response:
    raise ConnectionCut


def _serve_then_cut(request: Request, serve: Serve) -> Response:
    with contextlib.suppress(CosmosError):
        serve(request)
    raise ConnectionCut


def _serve_then_fail(request: Request, serve: Serve) -> Response:
    with contextlib.suppress(CosmosError):
        serve(request)
    raise CosmosError(500, "no idea")


def _serve_then_babble(request: Request, serve: Serve) -> Response:
    with contextlib.suppress(CosmosError):
        serve(request)
    return Response(status=200, text='{"noise":1}')


def _broken(cosmos: LocalCosmos, disturbance: Disturbance) -> Broken:
    return Broken(_Around(cosmos, disturbance), cosmos.open_store())


class _Around:
    """A store for whose calls the backend is broken, and mended after each of them."""

    def __init__(self, cosmos: LocalCosmos, disturbance: Disturbance) -> None:
        self._wire, self._disturbance = cosmos.wire, disturbance
        self._store = cosmos.open_store()
        self._store.ping()

    def __getattr__(self, name: str) -> Callable[..., object]:
        def call(*args: object, **options: object) -> object:
            self._wire.disturbance = self._disturbance
            try:
                return getattr(self._store, name)(*args, **options)
            finally:
                self._wire.disturbance = None

        return call
