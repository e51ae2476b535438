"""Composition root: the only module here that reads the environment or builds a client.

Refuses to start with another endpoint than the real service's outside the local world. Nothing
here touches the network until the first request does, so a cell starts with its database down.
"""

import os
from typing import TYPE_CHECKING, Final, Self, cast

import botocore.session
from aws_lambda_powertools import Logger, Metrics, Tracer
from botocore.config import Config
from botocore.credentials import CredentialResolver, EnvProvider
from pydantic import Field, model_validator

from cell_adapters_aws.changes import StreamReader
from cell_adapters_aws.handler import NAMESPACE, LambdaHandler, make_handler
from cell_adapters_aws.store import DynamoCellStore
from cell_core.system import CellSettings, StoreSettings, build_app

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient

_CONNECTIONS_MAX: Final = 16
"""Lambda sends one request at a time; a local host sends as many as it has threads."""


class DatabaseSettings(StoreSettings):
    """Where the cell's table is, with units in the names.

    Attributes:
        AWS_REGION: Set by Lambda.
        CELL_DYNAMODB_ENDPOINT: Of a stand-in in the local world; empty for the real service.
    """

    AWS_REGION: str = Field(pattern="^[a-z0-9-]{1,32}$")
    CELL_TABLE: str = Field(pattern="^[A-Za-z0-9_.-]{3,255}$")
    CELL_DYNAMODB_ENDPOINT: str = ""

    @model_validator(mode="after")
    def _the_real_service_outside_the_local_world(self) -> Self:
        if self.CELL_DYNAMODB_ENDPOINT and not self.CELL_LOCAL:
            raise ValueError("CELL_DYNAMODB_ENDPOINT is for the local world only")
        return self


class Settings(DatabaseSettings, CellSettings):
    """What the function reads from its environment.

    Attributes:
        CELL_TRACING: Whether the function sends traces to X-Ray.
    """

    CELL_TRACING: bool = False


def bootstrap() -> LambdaHandler:
    """Build the handler from the environment; called once per process, at import of `worker`.

    Raises:
        SettingsError: Says what is missing or wrong.
    """
    settings = Settings.load(os.environ)  # noqa: TID251 - composition root
    store = DynamoCellStore(connect(settings), table=settings.CELL_TABLE)
    return make_handler(
        build_app(settings, store),
        Logger(service=settings.CELL_ID, level=settings.CELL_LOG_LEVEL),
        Tracer(service=settings.CELL_ID, auto_patch=False) if settings.CELL_TRACING else None,
        Metrics(namespace=NAMESPACE, service=settings.CELL_ID),
    )


def connect(settings: DatabaseSettings) -> "DynamoDBClient":
    """Return a client that sends each request once and gives up in time; sends nothing yet.

    It is botocore's, which is what boto3's clients are, without 60 ms of CPU for boto3's resources.
    It is made at start, when Lambda gives a function its most CPU, and not at the first request.
    """
    client = _session().create_client(
        "dynamodb",
        region_name=settings.AWS_REGION,
        endpoint_url=settings.CELL_DYNAMODB_ENDPOINT or None,
        config=_config(settings),
    )
    return cast("DynamoDBClient", client)


def change_reader(settings: DatabaseSettings, *, stream_arn: str, tokens: str = "") -> StreamReader:
    """Return a reader of the table's stream, for a worker that serves no requests.

    Raises:
        InvalidInput: As `StreamReader`.
    """
    import boto3  # noqa: PLC0415 - see `connect`: nothing that serves requests may load it

    client = boto3.Session(botocore_session=_session()).client(
        "dynamodbstreams",
        region_name=settings.AWS_REGION,
        endpoint_url=settings.CELL_DYNAMODB_ENDPOINT or None,
        config=_config(settings),
    )
    return StreamReader(client, stream_arn=stream_arn, tokens=tokens)


def _session() -> botocore.session.Session:
    session = botocore.session.Session()
    # The one way in which Lambda gives credentials. The usual chain would go on to a person's
    # profile and, over the network, to the role of the machine.
    session.register_component("credential_provider", CredentialResolver([EnvProvider()]))
    # No variable but ours may send a tenant's data elsewhere; `proxies` below is for the same end.
    session.set_config_variable("ignore_configured_endpoint_urls", True)  # noqa: FBT003 - botocore's
    return session


def _config(settings: DatabaseSettings) -> Config:
    return Config(
        connect_timeout=settings.CELL_STORE_CONNECT_TIMEOUT_S,
        read_timeout=settings.CELL_STORE_READ_TIMEOUT_S,
        # Core retries, and nobody else: it alone knows the deadline and what is idempotent.
        retries={"mode": "standard", "total_max_attempts": 1},
        max_pool_connections=_CONNECTIONS_MAX,
        tcp_keepalive=True,
        proxies={},
        # What is sent is made by typed code and bounded by core; checking it once more takes a
        # third of a call's CPU (0.5 of 1.6 ms for a commit).
        parameter_validation=False,
    )
