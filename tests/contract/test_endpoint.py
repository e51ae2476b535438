"""The same contract against databases that somebody else runs: an emulator, or a real account.

They are run with `-m emulator` or `-m live` and told where in variables; each test works in
partitions of its own and leaves its documents there, so give them a scratch table. What they need
of an account: nothing but what a cell itself may do.
"""

import os
from collections.abc import Iterator
from typing import TYPE_CHECKING
from uuid import uuid4

import boto3
import pytest
from azure.cosmos import ContainerProxy, CosmosClient, PartitionKey
from azure.identity import DefaultAzureCredential

from cell_adapters_aws.store import DynamoCellStore
from cell_adapters_azure.store import CosmosCellStore
from cell_devstack.cosmos import LOCAL_KEY
from tests.contract.dynamo import TRY_ONCE, dynamo_client, new_table
from tests.contract.samples import OpenStore
from tests.contract.suite import CellStoreContract

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient


def _told(variable: str) -> str:
    value = os.environ.get(variable)
    if not value:
        pytest.skip(f"{variable} is not set")
    return value


@pytest.fixture(scope="module")
def emulated_table() -> "Iterator[tuple[DynamoDBClient, str]]":
    client = dynamo_client(_told("CELL_DYNAMODB_ENDPOINT"))
    table = new_table(client)
    yield client, table
    client.delete_table(TableName=table)


@pytest.fixture(scope="module")
def emulated_container() -> Iterator[ContainerProxy]:
    # The key that every Cosmos emulator is shipped with; it protects nothing.
    with CosmosClient(_told("CELL_COSMOS_ENDPOINT"), LOCAL_KEY) as client:
        database = client.create_database(f"contract-{uuid4().hex}")
        yield database.create_container("cell", PartitionKey("/pk"))
        client.delete_database(database)


@pytest.fixture(scope="module")
def live_container() -> Iterator[ContainerProxy]:
    endpoint, database, container = (
        _told(f"CELL_LIVE_COSMOS_{part}") for part in ("ENDPOINT", "DATABASE", "CONTAINER")
    )
    with (
        DefaultAzureCredential() as credential,
        CosmosClient(endpoint, credential, enable_endpoint_discovery=False) as client,
    ):
        yield client.get_database_client(database).get_container_client(container)


@pytest.mark.emulator
class TestDynamoEmulator(CellStoreContract):
    @pytest.fixture
    def open_store(self, emulated_table: "tuple[DynamoDBClient, str]") -> OpenStore:
        client, table = emulated_table
        return lambda: DynamoCellStore(client, table=table)


@pytest.mark.emulator
class TestCosmosEmulator(CellStoreContract):
    @pytest.fixture
    def open_store(self, emulated_container: ContainerProxy) -> OpenStore:
        return lambda: CosmosCellStore(lambda: emulated_container)


@pytest.mark.live
class TestDynamoAccount(CellStoreContract):
    @pytest.fixture
    def open_store(self) -> OpenStore:
        table = _told("CELL_LIVE_DYNAMODB_TABLE")
        client = boto3.client("dynamodb", config=TRY_ONCE)
        return lambda: DynamoCellStore(client, table=table)


@pytest.mark.live
class TestCosmosAccount(CellStoreContract):
    @pytest.fixture
    def open_store(self, live_container: ContainerProxy) -> OpenStore:
        return lambda: CosmosCellStore(lambda: live_container)
