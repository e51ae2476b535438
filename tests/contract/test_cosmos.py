"""The Cosmos DB store keeps the contract over HTTP, also when the network breaks."""

import itertools
import socket
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from uuid import uuid4

import pytest
from azure.cosmos import ContainerProxy, CosmosClient, PartitionKey

from cell_adapters_azure.bootstrap import Settings, connect
from cell_adapters_azure.store import CosmosCellStore
from cell_devstack.cosmos import LOCAL_KEY, CosmosGateway, serve
from cell_devstack.http_server import HttpRequest, HttpResponse
from tests.contract.failing import Broken
from tests.contract.relay import DIES_AFTER, DIES_BEFORE, NOISES, Relay, Way, garbles
from tests.contract.samples import OpenStore
from tests.contract.suite import CellStoreContract, FailingStoreContract

_DATABASE = "cells"
_JSON = ("content-type", "application/json")
_THROTTLES = Way(
    applies=False,
    answer=HttpResponse(
        status=429, headers=(_JSON, ("x-ms-retry-after-ms", "7")), body=b'{"code":"429"}'
    ),
)
_ERRS_AFTER = Way(
    applies=True,
    answer=HttpResponse(status=500, headers=(_JSON,), body=b'{"code":"InternalServerError"}'),
)


class Account:
    """A Cosmos DB account on this machine, and the containers in it."""

    def __init__(self, url: str) -> None:
        self.url = url
        with CosmosClient(url, LOCAL_KEY) as client:
            client.create_database_if_not_exists(_DATABASE)

    def new_container(self) -> str:
        """Create a cell's container of a new name and return the name."""
        name = f"cell-{uuid4().hex}"
        with CosmosClient(self.url, LOCAL_KEY) as client:
            database = client.get_database_client(_DATABASE)
            database.create_container(name, PartitionKey("/pk"))
        return name


def container(url: str, name: str) -> ContainerProxy:
    """Return the container as a cell's own composition root connects to it."""
    # What else a cell needs is no business of a store's.
    settings = Settings.model_construct(
        CELL_LOCAL=True,
        CELL_COSMOS_ENDPOINT=url,
        CELL_COSMOS_DATABASE=_DATABASE,
        CELL_COSMOS_CONTAINER=name,
        CELL_COSMOS_KEY=LOCAL_KEY,
        CELL_STORE_CONNECT_TIMEOUT_S=1.0,
        CELL_STORE_READ_TIMEOUT_S=10.0,
    )
    return connect(settings)


@pytest.fixture(scope="module", params=[1, 4], ids=["one partition", "four partitions"])
def account(request: pytest.FixtureRequest) -> Iterator[Account]:
    with CosmosGateway(partitions=request.param) as gateway, serve(gateway) as server:
        yield Account(server.url)


@pytest.fixture(scope="module")
def small_account() -> Iterator[Account]:
    with CosmosGateway() as gateway, serve(gateway) as server:
        yield Account(server.url)


@pytest.fixture(scope="module")
def clients(account: Account) -> Iterator[ContainerProxy]:
    # Two, as of two instances: the threads of one instance share theirs, and one is slow to make.
    name = account.new_container()
    return itertools.cycle([container(account.url, name), container(account.url, name)])


class TestCosmosCellStore(CellStoreContract):
    @pytest.fixture
    def open_store(self, clients: Iterator[ContainerProxy]) -> OpenStore:
        return lambda: CosmosCellStore(lambda: next(clients))


class TestFailingCosmosCellStore(FailingStoreContract):
    @pytest.fixture
    def broken(self, small_account: Account) -> Iterator[Callable[[Way], Broken]]:
        url, name = small_account.url, small_account.new_container()
        witness = CosmosCellStore(lambda: container(url, name))
        with ExitStack() as relays:

            def break_in(way: Way) -> Broken:
                relay = relays.enter_context(Relay(url, way, breaks=_is_for_items))
                return Broken(CosmosCellStore(lambda: container(relay.url, name)), witness)

            yield break_in

    @pytest.fixture
    def throttled(self, broken: Callable[[Way], Broken]) -> Broken:
        return broken(_THROTTLES)

    @pytest.fixture
    def refused(self, broken: Callable[[Way], Broken]) -> Iterator[Broken]:
        with socket.socket() as held:  # Bound and never listening: a connection is refused.
            held.bind(("127.0.0.1", 0))
            url = f"http://127.0.0.1:{held.getsockname()[1]}/"
            yield Broken(
                CosmosCellStore(lambda: container(url, "gone")), broken(DIES_BEFORE).witness
            )

    @pytest.fixture
    def dies_before(self, broken: Callable[[Way], Broken]) -> Broken:
        return broken(DIES_BEFORE)

    @pytest.fixture
    def dies_after(self, broken: Callable[[Way], Broken]) -> Broken:
        return broken(DIES_AFTER)

    @pytest.fixture
    def errs_after(self, broken: Callable[[Way], Broken]) -> Broken:
        return broken(_ERRS_AFTER)

    @pytest.fixture(params=list(NOISES))
    def garbled(self, broken: Callable[[Way], Broken], request: pytest.FixtureRequest) -> Broken:
        return broken(garbles(NOISES[request.param]))


def _is_for_items(request: HttpRequest) -> bool:
    """Say whether it is the store's own request, not one of the client's about the account."""
    return "/docs" in request.path
