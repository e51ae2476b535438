"""A relay keeps its state in DynamoDB and in Cosmos DB as it does in the reference store."""

from collections.abc import Callable, Iterator
from uuid import uuid4

import pytest
from moto import mock_aws

from cell_adapters_aws.store import DynamoCellStore
from cell_adapters_azure.store import CosmosCellStore
from cell_core.domain.errors import LostRace
from cell_core.ports import CellStore
from cell_devstack.cosmos import CosmosGateway, serve
from cell_lake.domain.limits import Limits
from cell_lake.domain.shards import Stripe
from cell_lake.flows.steps import Append, Commit
from cell_lake.table_memory import MemoryLakeTable
from tests.contract.dynamo import dynamo_client, new_table
from tests.contract.test_cosmos import Account, container
from tests.lake.bench import (
    ALPHA,
    Fault,
    Side,
    check_once,
    drive,
    journal,
    rows_of_journal,
    written,
)

OpenStore = Callable[[], CellStore]


@pytest.fixture(scope="module", params=["DynamoDB", "Cosmos DB"])
def open_store(request: pytest.FixtureRequest) -> Iterator[OpenStore]:
    """Yield a function that opens stores onto one backend."""
    if request.param == "DynamoDB":
        with mock_aws():
            client = dynamo_client()
            table = new_table(client)
            yield lambda: DynamoCellStore(client, table=table)
    else:
        with CosmosGateway() as gateway, serve(gateway) as server:
            account = Account(server.url)
            name = account.new_container()
            yield lambda: CosmosCellStore(lambda: container(server.url, name))


@pytest.fixture
def side(open_store: OpenStore) -> Side:
    return Side(MemoryLakeTable(), limits=Limits(rows_max=3), store=open_store())


def fresh() -> str:
    return f"T-{uuid4().hex}"


def mine(side: Side, stripe: Stripe) -> None:
    """Assert that the lake holds the stripe's rows once; other tests' tenants may be there."""
    rows = [row for row in side.lake.rows if row.tenant_id == stripe.tenant]
    check_once(MemoryLakeTable(rows), rows_of_journal(journal(side, stripe), stripe, ALPHA))


def begun(side: Side, shard: int) -> None:
    """Set the lake's version to where earlier tests have left the shard."""
    found = side.store.read(f"~relay/{shard:02d}", ("INTENT",)).documents.get("INTENT")
    if found is not None:
        n = int(found.body.partition('"n":')[2].partition(",")[0])
        side.lake.versions[f"aws-alpha/{shard}"] = n


def publish_all(side: Side, stripe: Stripe) -> None:
    for _ in range(10):
        done = drive(side, [stripe]).run()
        if done.error is None and not done.result.more:
            return
    raise AssertionError("never done")


def test_a_journal_is_published_once_and_its_cursor_is_kept(side: Side) -> None:
    stripe = written(side, fresh(), 4)
    begun(side, stripe.shard)

    publish_all(side, stripe)
    publish_all(side, stripe)

    mine(side, stripe)
    assert side.cursor(stripe.tenant).seq == 4


@pytest.mark.parametrize("step", [Commit, Append])
def test_an_intent_that_was_left_open_is_finished(side: Side, step: type) -> None:
    stripe = written(side, fresh(), 2)
    begun(side, stripe.shard)
    flow = drive(side, [stripe])
    while not isinstance(flow._next, step):
        flow.step()
    drive(side, [stripe], {len(flow.steps): Fault.CRASH_AFTER}).run()

    publish_all(side, stripe)

    mine(side, stripe)


def test_the_slower_of_two_relays_loses_the_race_for_an_intent(side: Side) -> None:
    stripe = written(side, fresh(), 2)
    begun(side, stripe.shard)
    slow = drive(side, [stripe])
    while not isinstance(slow._next, Commit):
        slow.step()
    publish_all(side, stripe)

    slow.run()

    assert isinstance(slow.error, LostRace)
    mine(side, stripe)
