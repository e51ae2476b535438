"""The local two-cloud world: a cell in "AWS", one in "Azure", the edge and the control plane.

Handlers, SDKs, zips, router and control plane are the real ones, the clouds are stand-ins here.
Everything that is started is ended by its own process id. Refuses to reach beyond this machine.
"""

import tempfile
from collections.abc import Callable, Mapping
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, Literal, Protocol, Self

from cell_core.ports import ChangeReader
from cell_core.wire.registry import CellRecord
from cell_devstack.cell_client import CellClient
from cell_devstack.cosmos import LOCAL_KEY
from cell_devstack.cosmos_process import CosmosStandIn, create_container
from cell_devstack.doorbells import Doorbells, cosmos_reader, dynamo_reader
from cell_devstack.dynamodb import DynamoStandIn, create_table
from cell_devstack.fault_proxy import FaultProxy
from cell_devstack.functions_host import FunctionsHost
from cell_devstack.lambda_host import LambdaHost
from cell_devstack.lambda_instance import FunctionSettings
from cell_devstack.local_control import ControlSettings, LocalControl
from cell_devstack.local_keys import LocalKeys
from cell_devstack.local_lake import LocalLake
from cell_devstack.local_registry import LocalRegistry
from cell_devstack.local_router import LocalRouter, RouterSettings
from cell_devstack.restorable import Restorable

AWS: Final = "aws-alpha"
AZURE: Final = "azure-beta"
REGION: Final = "us-east-1"
_TABLE: Final = "cell-state"
_CONTAINER: Final = "state"
_DATABASE: Final = "cell"
# A laptop that starts everything at once may need longer than Lambda's 10 s for the first import.
_LAMBDA_SETTINGS: Final = FunctionSettings(timeout_s=15, init_timeout_s=60)


@dataclass(frozen=True, slots=True)
class Zips:
    """The deployables, as `make build` writes them."""

    aws: Path
    azure: Path


class _Host(Protocol):
    def kill(self) -> None: ...
    def restore(self) -> None: ...
    @property
    def base_url(self) -> str: ...
    @property
    def log_path(self) -> Path: ...


@dataclass(frozen=True, slots=True, kw_only=True)
class LocalCell:
    """One running cell.

    Attributes:
        link: Between the handler and its database; faults are set on it.
        client: Calls it past the edge, with grants of the local world.
        settings: The function's.
    """

    id: str
    cloud: str
    ordinal: int
    host: _Host
    database: Restorable
    link: FaultProxy
    client: CellClient
    settings: Mapping[str, str]

    @property
    def base_url(self) -> str:
        """Where its API begins."""
        return self.host.base_url

    @property
    def record(self) -> CellRecord:
        """What the registry says of it."""
        return CellRecord(
            id=self.id,
            ordinal=self.ordinal,
            cloud=self.cloud,
            region=REGION,
            base_url=self.base_url,
        )

    def kill(self) -> None:
        """Take the whole cell away: handler and database."""
        self.host.kill()
        self.database.kill()

    def restore(self) -> None:
        """Bring the whole cell back, with what its database had."""
        self.database.restore()
        self.host.restore()


class World:
    """Both cells, the edge and the control plane; a context manager that starts and ends them.

    Args:
        zips: What to run.
        folder: Where databases keep their files; by default a temporary folder.
        instances: Lambda executions at a time.
        partitions: Physical partitions of the Cosmos account.
        router: What the edge router is started with.
        control: What the control plane is started with; without it there is none, and `registry`
            tells the router by hand where tenants are.
        lake: Whether a relay beside each cell writes what it does to a lake in `folder`; needs
            `control`, which knows whose word counted when.
        store_s: How long cells wait for an answer of their databases; by default as they do
            anywhere, which is short for databases that share a busy machine with all the rest.
    """

    router: LocalRouter
    registry: LocalRegistry
    control: LocalControl
    lake: LocalLake

    def __init__(  # noqa: PLR0913 - each is a part of the world, and most leave all but one out
        self,
        zips: Zips,
        *,
        folder: Path | None = None,
        instances: int = 2,
        partitions: int = 1,
        router: RouterSettings | None = None,
        control: ControlSettings | None = None,
        lake: bool = False,
        store_s: float | None = None,
    ) -> None:
        self.keys = LocalKeys()
        self.cells: dict[str, LocalCell] = {}
        self._zips = zips
        self._folder = folder
        self._instances = instances
        self._partitions = partitions
        self._router_settings = router or RouterSettings()
        self._control_settings = control
        self._with_lake = lake
        self._store_s = store_s
        self._stack = ExitStack()

    def __enter__(self) -> Self:
        try:
            folder = self._folder or Path(
                self._stack.enter_context(tempfile.TemporaryDirectory(prefix="world-"))
            )
            self.cells = {AWS: self._aws(folder), AZURE: self._azure(folder)}
            if self._control_settings is None:
                self._start_by_hand(folder / "router")
            else:
                self._start_controlled(folder, self._control_settings)
        except BaseException:
            self.close()
            raise
        return self

    def __exit__(self, *_exc: object) -> None:
        self.close()

    def close(self) -> None:
        """End everything, in the opposite order of its start."""
        self._stack.close()

    def provision(self, tenant: str, home: str, *, stripes: int = 1) -> int:
        """Make the cell `home` the home of a new tenant, tell the edge, and return the epoch.

        The edge knows the tenant after `registry.settle()`.
        """
        cell = self.cells[home]
        body = {"role": "active", "epoch": cell.ordinal, "stripes": stripes}
        cell.client.control("POST", f"/{tenant}/provision", body)
        self.registry.assign(tenant, cell.ordinal, stripes=stripes)
        return cell.ordinal

    def _start_controlled(self, folder: Path, settings: ControlSettings) -> None:
        self.control = LocalControl(folder / "control", self.keys.control_jwk, settings)
        self._stack.enter_context(self.control)
        for cell in self.cells.values():
            self.control.declare(cell.record)
        fed = self.control.feed(self._router_settings)
        self.router = LocalRouter(folder / "router", self.keys.edge_jwk, fed)
        self._stack.enter_context(self.router)
        self._stack.enter_context(Doorbells(self._readers(), self.control.ring))
        if self._with_lake:
            relays = {cell.id: (cell.cloud, cell.settings) for cell in self.cells.values()}
            self.lake = LocalLake(_made(folder / "lake"), relays, self.control)
            self._stack.enter_context(self.lake)

    def _readers(self) -> list[Callable[[], ChangeReader]]:
        aws, azure = (self.cells[cell].database.url for cell in (AWS, AZURE))
        return [
            lambda: dynamo_reader(
                dynamo_client(aws), _TABLE, dynamo_client(aws, "dynamodbstreams")
            ),
            lambda: cosmos_reader(azure, _DATABASE, _CONTAINER),
        ]

    def _start_by_hand(self, folder: Path) -> None:
        self.router = LocalRouter(folder, self.keys.edge_jwk, self._router_settings)
        self.registry = LocalRegistry(self.router)
        self.registry.describe(*(cell.record for cell in self.cells.values()))
        self._stack.enter_context(self.router)

    def _aws(self, folder: Path) -> LocalCell:
        home = _made(folder / "dynamodb")
        database = self._stack.enter_context(DynamoStandIn(folder=home))
        create_table(dynamo_client(database.url), _TABLE)
        link = self._stack.enter_context(FaultProxy(database.url))
        settings = {
            **self._settings(AWS, 1),
            "CELL_TABLE": _TABLE,
            "CELL_DYNAMODB_ENDPOINT": link.url,
            "AWS_REGION": REGION,
        }
        host = self._stack.enter_context(
            LambdaHost(
                self._zips.aws, settings, instances=self._instances, settings=_LAMBDA_SETTINGS
            )
        )
        return self._cell(settings, "aws", host, database, link)

    def _azure(self, folder: Path) -> LocalCell:
        home = _made(folder / "cosmos")
        database = self._stack.enter_context(
            CosmosStandIn(folder=home, partitions=self._partitions)
        )
        create_container(database.url, _DATABASE, _CONTAINER)
        link = self._stack.enter_context(FaultProxy(database.url))
        settings = {
            **self._settings(AZURE, 2),
            "CELL_COSMOS_ENDPOINT": link.url,
            "CELL_COSMOS_DATABASE": _DATABASE,
            "CELL_COSMOS_CONTAINER": _CONTAINER,
            "CELL_COSMOS_KEY": LOCAL_KEY,
        }
        host = self._stack.enter_context(FunctionsHost(self._zips.azure, settings))
        return self._cell(settings, "azure", host, database, link)

    def _settings(self, cell: str, ordinal: int) -> dict[str, str]:
        waits = {} if self._store_s is None else {"CELL_STORE_READ_TIMEOUT_S": str(self._store_s)}
        return {
            **waits,
            "CELL_ID": cell,
            "CELL_ORDINAL": str(ordinal),
            "CELL_GRANT_KEYS": self.keys.jwks,
            "CELL_LOCAL": "1",
        }

    def _cell(
        self,
        settings: Mapping[str, str],
        cloud: str,
        host: _Host,
        database: Restorable,
        link: FaultProxy,
    ) -> LocalCell:
        cell = settings["CELL_ID"]
        client = self._stack.enter_context(CellClient(host.base_url, cell, self.keys))
        return LocalCell(
            id=cell,
            cloud=cloud,
            ordinal=int(settings["CELL_ORDINAL"]),
            host=host,
            database=database,
            link=link,
            client=client,
            settings=settings,
        )


def dynamo_client(url: str, service: Literal["dynamodb", "dynamodbstreams"] = "dynamodb") -> Any:  # noqa: ANN401 - boto3's clients are made at run time
    """Return a client of the DynamoDB stand-in at `url`, with credentials that open nothing."""
    import boto3  # noqa: PLC0415 - 200 ms that a world without AWS need not pay

    return boto3.client(
        service,
        endpoint_url=url,
        region_name=REGION,
        aws_access_key_id="local",
        aws_secret_access_key="local",  # noqa: S106 - the stand-in takes any
    )


def _made(folder: Path) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    return folder
