"""The asynchronous SDK talks to the same stand-in."""

import asyncio

import pytest
from azure.core.pipeline.transport import AsyncioRequestsTransport
from azure.cosmos import PartitionKey
from azure.cosmos.aio import CosmosClient
from azure.cosmos.exceptions import CosmosBatchOperationError, CosmosResourceExistsError

from cell_devstack.cosmos import LOCAL_KEY, CosmosGateway, serve


class Transport(AsyncioRequestsTransport):
    """Spares the SDK's optional HTTP library; it knows no per-request timeouts."""

    async def send(self, request, **options):
        for name in ("connection_timeout", "read_timeout"):
            options.pop(name, None)
        return await super().send(request, **options)


def in_container(partitions, scenario):
    async def run(url):
        async with CosmosClient(url, LOCAL_KEY, transport=Transport()) as client:
            database = await client.create_database("db")
            return await scenario(await database.create_container("c", PartitionKey("/pk")))

    with CosmosGateway(partitions=partitions) as gateway, serve(gateway) as server:
        return asyncio.run(run(server.url))


@pytest.mark.parametrize("partitions", [1, 4])
def test_items_are_written_read_queried_and_followed(partitions):
    async def scenario(container):
        for item_id in "cab":
            await container.create_item({"id": item_id, "pk": "a"})
        query = container.query_items("SELECT * FROM c ORDER BY c.id", partition_key="a")
        feed = container.query_items_change_feed(start_time="Beginning")
        read = await container.read_item("a", "a")
        return read["id"], [i["id"] async for i in query], [i["id"] async for i in feed]

    assert in_container(partitions, scenario) == ("a", list("abc"), list("cab"))


@pytest.mark.parametrize("partitions", [1, 4])
def test_a_failed_batch_is_undone(partitions):
    async def scenario(container):
        await container.create_item({"id": "1", "pk": "a"})
        operations = [("create", ({"id": i, "pk": "a"},)) for i in "21"]
        with pytest.raises(CosmosBatchOperationError) as caught:
            await container.execute_item_batch(operations, partition_key="a")
        left = [item["id"] async for item in container.read_all_items()]
        return caught.value.error_index, left

    assert in_container(partitions, scenario) == (1, ["1"])


def test_of_sixteen_tasks_that_create_one_item_one_wins():
    async def scenario(container):
        async def create():
            try:
                await container.create_item({"id": "1", "pk": "a"})
            except CosmosResourceExistsError:
                return 0
            return 1

        return sum(await asyncio.gather(*(create() for _ in range(16))))

    assert in_container(4, scenario) == 1
