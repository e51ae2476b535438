"""The one corpus fits both clouds: through their handlers, and on their stores."""

import pytest
from moto import mock_aws

from cell_adapters_aws.store import DynamoCellStore
from tests.adapters_azure.wire import local_cosmos
from tests.contract.dynamo import dynamo_client, new_table
from tests.control.services.probed_cell import ProbedCell
from tests.parity.drivers import Drive, by_function_url, by_functions


@pytest.mark.parametrize("drive", [by_function_url, by_functions])
def test_a_cell_behind_the_handler_of_each_cloud_passes(drive: Drive) -> None:
    cell = ProbedCell(drive=drive)

    assert cell.probe().problems == ()
    assert cell.tenants() == []


@pytest.mark.slow
def test_a_cell_on_dynamodb_as_moto_plays_it_passes() -> None:
    with mock_aws():
        client = dynamo_client()
        cell = ProbedCell(store=DynamoCellStore(client, table=new_table(client)))

        assert cell.probe().problems == ()


@pytest.mark.slow
def test_a_cell_on_cosmos_passes() -> None:
    with local_cosmos(partitions=4) as cosmos:
        cell = ProbedCell(store=cosmos.open_store())

        assert cell.probe().problems == ()
