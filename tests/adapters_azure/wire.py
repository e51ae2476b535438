"""A Cosmos DB stand-in that keeps a list of what it was asked and can be told to misbehave."""

from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager

from azure.cosmos import ContainerProxy, CosmosClient, PartitionKey

from cell_adapters_azure.bootstrap import Settings, connect
from cell_adapters_azure.store import CosmosCellStore
from cell_devstack.cosmos import LOCAL_KEY, CosmosGateway, serve
from cell_devstack.cosmos.errors import ConnectionCut, CosmosError
from cell_devstack.cosmos.exchange import Request, Response
from tests.contract.samples import document, stand

DATABASE, CONTAINER = "cells", "azure-beta"
DOCS = ("dbs", DATABASE, "colls", CONTAINER, "docs")

Serve = Callable[[Request], Response]
Disturbance = Callable[[Request, Serve], Response]


class Wire:
    """What the server sees of a gateway: every request passes here.

    Attributes:
        seen: "VERB last-part" of each request for items, in order.
        disturbance: Answers requests for items in the gateway's place while it is set.
        consistency: What the account says its level is.
    """

    def __init__(self, gateway: CosmosGateway) -> None:
        self.gateway = gateway
        self.seen: list[str] = []
        self.disturbance: Disturbance | None = None
        self.consistency = "Strong"

    @property
    def faults(self):
        return self.gateway.faults

    def answer(self, request: Request) -> Response:
        if not request.segments:
            return self._account(request)
        if request.segments[:5] != DOCS and "pkranges" not in request.segments:
            return self.gateway.answer(request)
        self.seen.append(f"{request.verb} {request.segments[-1]}")
        if self.disturbance is not None and request.segments[:5] == DOCS:
            return self.disturbance(request, self.gateway.answer)
        return self.gateway.answer(request)

    def _account(self, request: Request) -> Response:
        answer = self.gateway.answer(request)
        text = (answer.text or "").replace('"Strong"', f'"{self.consistency}"')
        return Response(status=answer.status, headers=answer.headers, text=text)


class LocalCosmos:
    """One account with the cell's container, and stores onto it."""

    def __init__(self, wire: Wire, url: str) -> None:
        self.wire = wire
        self.url = url

    def settings(self, **changes: object) -> Settings:
        given = {
            "CELL_ID": "azure-beta",
            "CELL_LOCAL": True,
            "CELL_COSMOS_ENDPOINT": self.url,
            "CELL_COSMOS_DATABASE": DATABASE,
            "CELL_COSMOS_CONTAINER": CONTAINER,
            "CELL_COSMOS_KEY": LOCAL_KEY,
            # Longer than in production: only some tests are about time, and machines are busy.
            "CELL_STORE_CONNECT_TIMEOUT_S": 5.0,
            "CELL_STORE_READ_TIMEOUT_S": 10.0,
        }
        # What else a cell needs is no business of a store's.
        return Settings.model_construct(**(given | changes))

    def create(self) -> None:
        """Make the empty container."""
        with CosmosClient(self.url, LOCAL_KEY) as client:
            database = client.create_database(DATABASE)
            database.create_container(CONTAINER, PartitionKey("/pk"))

    def connect(self, settings: Settings | None = None) -> ContainerProxy:
        return connect(settings or self.settings())

    def open_store(self, **changes: object) -> CosmosCellStore:
        settings = self.settings(**changes)
        return CosmosCellStore(lambda: self.connect(settings))


def always(status: int, sub_status: int | None = None, **headers: str):
    def answer(_request: Request, _serve: object) -> Response:
        raise CosmosError(status, "as told", sub_status=sub_status, headers=headers)

    return answer


def says(text: str, status: int = 200):
    return lambda _request, _serve: Response(status=status, text=text)


def cut(_request: Request, _serve: object) -> Response:
    raise ConnectionCut


@contextmanager
def local_cosmos(*, partitions: int = 1) -> Iterator[LocalCosmos]:
    """Serve a new account with an empty container until the block ends."""
    with ExitStack() as stack:
        wire = Wire(stack.enter_context(CosmosGateway(partitions=partitions)))
        server = stack.enter_context(serve(wire))
        cosmos = LocalCosmos(wire, server.url)
        cosmos.create()
        yield cosmos


def standing(store: CosmosCellStore, cosmos: LocalCosmos, partition: str) -> None:
    """Write a fence and one document, and forget the requests for it."""
    stand(store, partition, document("ENT:a:b:c"))
    cosmos.wire.seen.clear()
