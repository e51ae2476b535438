"""A stand-in account with the real SDK connected to it, for the tests of the stand-in."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

from azure.cosmos import ContainerProxy, CosmosClient, DatabaseProxy, PartitionKey
from azure.cosmos.exceptions import CosmosHttpResponseError

from cell_devstack.cosmos import LOCAL_KEY, CosmosGateway, CosmosServer, serve


@dataclass
class Clock:
    """Stands still until a test moves it."""

    seconds: float = 1_700_000_000.0

    def __call__(self) -> float:
        return self.seconds


@dataclass
class LocalAccount:
    """One account, its SDK client and a database in it."""

    server: CosmosServer
    client: CosmosClient
    database: DatabaseProxy
    clock: Clock
    slept_s: list[float]
    partitions: int
    made: int = field(default=0)

    @property
    def gateway(self) -> CosmosGateway:
        return self.server.gateway

    def new_container(self, **options) -> ContainerProxy:
        """An empty container partitioned by /pk unless told otherwise."""
        self.made += 1
        options.setdefault("partition_key", PartitionKey("/pk"))
        return self.database.create_container(f"c{self.made}", **options)


@contextmanager
def local_account(partitions: int = 1, **client_options) -> Iterator[LocalAccount]:
    """Serve an empty account in memory, its clock standing still."""
    clock, slept_s = Clock(), []
    with (
        CosmosGateway(partitions=partitions, now=clock, sleep=slept_s.append) as gateway,
        serve(gateway) as server,
        CosmosClient(server.url, LOCAL_KEY, **client_options) as client,
    ):
        database = client.create_database("db")
        yield LocalAccount(server, client, database, clock, slept_s, partitions)


def status_of(action) -> int:
    """The status with which the SDK reports that `action` was refused."""
    try:
        action()
    except CosmosHttpResponseError as error:
        return error.status_code
    raise AssertionError("the action was not refused")
