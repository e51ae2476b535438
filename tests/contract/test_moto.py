"""The DynamoDB store keeps the contract over moto: in one process, without sockets."""

from typing import TYPE_CHECKING

import pytest
from moto import mock_aws

from cell_adapters_aws.store import DynamoCellStore
from tests.contract.dynamo import dynamo_client, new_table
from tests.contract.samples import OpenStore
from tests.contract.suite import CellStoreContract

if TYPE_CHECKING:
    from collections.abc import Iterator

    from mypy_boto3_dynamodb import DynamoDBClient


@pytest.fixture(scope="module")
def client() -> "Iterator[DynamoDBClient]":
    with mock_aws():
        yield dynamo_client()


class TestDynamoCellStoreOverMoto(CellStoreContract):
    no_races = "moto has no locks: it loses updates that two threads make at once"
    no_thousands = "moto copies the whole table for each operation of a transaction"

    @pytest.fixture
    def open_store(self, client: "DynamoDBClient") -> OpenStore:
        table = new_table(client)
        return lambda: DynamoCellStore(client, table=table)
