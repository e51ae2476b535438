"""A cell keeps its promises on DynamoDB over HTTP."""

from typing import TYPE_CHECKING

import pytest

from cell_adapters_aws.store import DynamoCellStore
from cell_devstack.dynamodb import DynamoStandIn
from tests.contract.cell_suite import CellContract
from tests.contract.dynamo import dynamo_client, new_table
from tests.contract.samples import OpenStore

if TYPE_CHECKING:
    from collections.abc import Iterator

    from mypy_boto3_dynamodb import DynamoDBClient

# In every run the same cell runs on memory, both handlers on both clouds' stand-ins are compared,
# and the stores' own suite runs on each; 40 s more are for `make test-slow`.
pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def client() -> "Iterator[DynamoDBClient]":
    with DynamoStandIn() as stand_in:
        yield dynamo_client(stand_in.url)


class TestCellOnDynamo(CellContract):
    @pytest.fixture
    def open_store(self, client: "DynamoDBClient") -> OpenStore:
        table = new_table(client)
        return lambda: DynamoCellStore(client, table=table)
