"""The DynamoDB store keeps the contract over HTTP, with threads, and when the network breaks."""

import json
import socket
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from typing import TYPE_CHECKING

import pytest

from cell_adapters_aws.store import DynamoCellStore
from cell_devstack.dynamodb import DynamoStandIn
from cell_devstack.http_server import HttpResponse
from tests.contract.dynamo import dynamo_client, new_table
from tests.contract.failing import Broken
from tests.contract.relay import DIES_AFTER, DIES_BEFORE, NOISES, Relay, Way, garbles
from tests.contract.samples import OpenStore
from tests.contract.suite import CellStoreContract, FailingStoreContract

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient

_JSON = (("content-type", "application/x-amz-json-1.0"),)


def _error(status: int, name: str) -> HttpResponse:
    body = {"__type": f"com.amazonaws.dynamodb.v20120810#{name}", "message": "on purpose"}
    return HttpResponse(status=status, headers=_JSON, body=json.dumps(body).encode())


_THROTTLES = Way(applies=False, answer=_error(400, "ThrottlingException"))
_ERRS_AFTER = Way(applies=True, answer=_error(500, "InternalServerError"))


@pytest.fixture(scope="module")
def url() -> Iterator[str]:
    with DynamoStandIn() as stand_in:
        yield stand_in.url


@pytest.fixture(scope="module")
def client(url: str) -> "DynamoDBClient":
    # One for all stores: a client has no state but its connections, and is slow to make.
    return dynamo_client(url)


@pytest.fixture(scope="module")
def table(client: "DynamoDBClient") -> str:
    return new_table(client)


class TestDynamoCellStore(CellStoreContract):
    @pytest.fixture
    def open_store(self, client: "DynamoDBClient", table: str) -> OpenStore:
        return lambda: DynamoCellStore(client, table=table)


class TestFailingDynamoCellStore(FailingStoreContract):
    @pytest.fixture
    def broken(
        self, url: str, client: "DynamoDBClient", table: str
    ) -> Iterator[Callable[[Way], Broken]]:
        witness = DynamoCellStore(client, table=table)
        with ExitStack() as relays:

            def break_in(way: Way) -> Broken:
                relay = relays.enter_context(Relay(url, way, breaks=lambda _: True))
                return Broken(DynamoCellStore(dynamo_client(relay.url), table=table), witness)

            yield break_in

    @pytest.fixture
    def throttled(self, broken: Callable[[Way], Broken]) -> Broken:
        return broken(_THROTTLES)

    @pytest.fixture
    def refused(self, broken: Callable[[Way], Broken], free_port: int) -> Broken:
        gone = dynamo_client(f"http://127.0.0.1:{free_port}")
        return Broken(DynamoCellStore(gone, table="cell"), broken(DIES_BEFORE).witness)

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

    @pytest.fixture
    def free_port(self) -> Iterator[int]:
        with socket.socket() as held:  # Bound and never listening: a connection is refused.
            held.bind(("127.0.0.1", 0))
            yield held.getsockname()[1]
