"""What the databases' stand-ins bear by themselves: the bound of any copy that ends in them.

Writes documents as large as a copy's, 80 in one atomic write, over the SDKs and with no cell.
"""

import time
import uuid
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from cell_devstack.cosmos import LOCAL_KEY
from cell_devstack.world import AWS, AZURE, World, dynamo_client

DOCUMENTS = 80
BODY = "x" * 600
THREADS = 4


def documents_per_s(world: World, cell: str, *, seconds: float = 3.0) -> float:
    """Return how many documents a second the database of `cell` takes from four writers."""
    write = {AWS: _dynamo, AZURE: _cosmos}[cell](world.cells[cell].database.url)
    deadline = time.monotonic() + seconds
    began = time.monotonic()

    def run(_number: int) -> int:
        done = 0
        while time.monotonic() < deadline:
            write()
            done += DOCUMENTS
        return done

    with ThreadPoolExecutor(THREADS) as pool:
        total = sum(pool.map(run, range(THREADS)))
    return total / (time.monotonic() - began)


def _dynamo(url: str) -> Any:
    client = dynamo_client(url)

    def write() -> None:
        partition = {"S": f"bench-{uuid.uuid4().hex}/00"}
        client.transact_write_items(
            TransactItems=[
                {
                    "Put": {
                        "TableName": "cell-state",
                        "Item": {"pk": partition, "sk": {"S": f"X:{n:04d}"}, "body": {"S": BODY}},
                    }
                }
                for n in range(DOCUMENTS)
            ]
        )

    return write


def _cosmos(url: str) -> Any:
    from azure.cosmos import CosmosClient

    database = CosmosClient(url, LOCAL_KEY).get_database_client("cell")
    container = database.get_container_client("state")

    def write() -> None:
        partition = f"bench-{uuid.uuid4().hex}/00"
        container.execute_item_batch(
            [
                ("create", ({"id": f"X:{n:04d}", "pk": partition, "body": BODY},))
                for n in range(DOCUMENTS)
            ],
            partition_key=partition,
        )

    return write
