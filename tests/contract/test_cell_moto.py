"""A cell keeps its promises on DynamoDB, as moto plays it: in one process, without sockets."""

from typing import TYPE_CHECKING

import pytest
from moto import mock_aws

from cell_adapters_aws.store import DynamoCellStore
from tests.contract.cell_suite import CellContract
from tests.contract.dynamo import dynamo_client, new_table
from tests.contract.samples import OpenStore

if TYPE_CHECKING:
    from collections.abc import Iterator

    from mypy_boto3_dynamodb import DynamoDBClient

# The store's own suite runs on moto in every run.
pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def client() -> "Iterator[DynamoDBClient]":
    with mock_aws():
        yield dynamo_client()


class TestCellOnMoto(CellContract):
    no_thousands = "moto copies the whole table for each operation of a transaction"

    @pytest.fixture
    def open_store(self, client: "DynamoDBClient") -> OpenStore:
        table = new_table(client)
        return lambda: DynamoCellStore(client, table=table)
