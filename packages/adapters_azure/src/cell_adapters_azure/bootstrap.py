"""Composition root: the only module here that reads the environment or builds a client.

Refuses to start with a key or plain HTTP outside the local world, and to serve from an account
whose reads could be stale. Nothing here touches the network until the first request does.
"""

import logging
import os
from typing import TYPE_CHECKING, Self

from pydantic import Field, model_validator
from pydantic_core import PydanticCustomError

from cell_adapters_azure.handler import make_app
from cell_adapters_azure.store import CosmosCellStore
from cell_core.domain.errors import BackendError
from cell_core.system import CellSettings, StoreSettings, build_app

if TYPE_CHECKING:
    import azure.functions as func
    from azure.core.credentials import TokenCredential
    from azure.cosmos import ContainerProxy, CosmosClient


_NAME = r"^[^/\\?#]{1,255}$"


class DatabaseSettings(StoreSettings):
    """Where the cell's container is, with units in the names.

    Attributes:
        CELL_COSMOS_KEY: Empty for the function's managed identity, the only way in production.
        AZURE_CLIENT_ID: Which user-assigned identity; empty for the system-assigned one.
    """

    CELL_COSMOS_ENDPOINT: str = Field(pattern="^https?://[^/]+/?$")
    CELL_COSMOS_DATABASE: str = Field(pattern=_NAME)
    CELL_COSMOS_CONTAINER: str = Field(pattern=_NAME)
    CELL_COSMOS_KEY: str = Field(default="", repr=False)
    AZURE_CLIENT_ID: str = ""

    @model_validator(mode="after")
    def _identity_and_encryption_outside_the_local_world(self) -> Self:
        # The types of these errors are all that is told about a cell that does not start.
        if self.CELL_COSMOS_KEY and not self.CELL_LOCAL:
            raise PydanticCustomError("cosmos_key_outside_the_local_world", "a key was given")
        if not self.CELL_COSMOS_ENDPOINT.startswith("https://") and not self.CELL_LOCAL:
            raise PydanticCustomError("plain_http_outside_the_local_world", "not https")
        return self


class Settings(DatabaseSettings, CellSettings):
    """What the function reads from its environment."""


def bootstrap() -> "func.FunctionApp":
    """Build the app from the environment; called once per process, at import of `function_app`.

    Raises:
        SettingsError: Says what is missing or wrong.
    """
    settings = Settings.load(os.environ)  # noqa: TID251 - composition root
    app = build_app(settings, CosmosCellStore(lambda: connect(settings)))
    # The SDK logs every request with its headers at INFO: noise that is billed by the byte.
    logging.getLogger("azure").setLevel(logging.WARNING)
    logger = logging.getLogger(settings.CELL_ID)
    logger.setLevel(settings.CELL_LOG_LEVEL)
    return make_app(app, logger)


def connect(settings: DatabaseSettings) -> "ContainerProxy":
    """Return the cell's container, after three short requests: account, consistency, container.

    Every request then is one on the wire: the SDK has read what it wants to know beforehand.

    Raises:
        BackendError: The account's consistency is not Strong.
        azure.core.exceptions.AzureError: The account or the container cannot be read.
    """
    client = _client(settings)
    policy = client.get_database_account().ConsistencyPolicy or {}
    if policy.get("defaultConsistencyLevel") != "Strong":
        # With less, another instance may not see the fence this one wrote (protocol.md 4).
        raise BackendError(problem="the account's consistency is not Strong")
    database = client.get_database_client(settings.CELL_COSMOS_DATABASE)
    container = database.get_container_client(settings.CELL_COSMOS_CONTAINER)
    container.read()
    return container


def _client(settings: DatabaseSettings) -> "CosmosClient":
    """Return a client that sends each request once and gives up in time (azure-cosmos 4.17.1)."""
    # 160 ms of imports that a cold start need not pay; nor need it wait for the network.
    from azure.core.pipeline.transport import RequestsTransport  # noqa: PLC0415 - see above
    from azure.cosmos import CosmosClient  # noqa: PLC0415 - see above
    from azure.cosmos.documents import ConnectionPolicy  # noqa: PLC0415 - see above

    # Reading the account has a retry policy of its own, which only the environment can turn off;
    # with its default of 3 a cell whose database is down would answer after seconds.
    os.environ["AZURE_COSMOS_HEALTH_CHECK_MAX_RETRIES"] = "0"  # noqa: TID251 - composition root
    policy = ConnectionPolicy()
    policy.DBAConnectionTimeout = settings.CELL_STORE_CONNECT_TIMEOUT_S  # type: ignore[assignment]  # typed int, used as seconds
    policy.DBAReadTimeout = settings.CELL_STORE_READ_TIMEOUT_S  # type: ignore[assignment]  # as above
    return CosmosClient(
        settings.CELL_COSMOS_ENDPOINT,
        credential=settings.CELL_COSMOS_KEY or managed_identity(settings),
        connection_policy=policy,
        # No proxy variable may send a tenant's data elsewhere.
        transport=RequestsTransport(use_env_settings=False),
        connection_timeout=settings.CELL_STORE_CONNECT_TIMEOUT_S,
        read_timeout=settings.CELL_STORE_READ_TIMEOUT_S,
        # One write region, behind one name. Discovery would resend a write that was answered 503.
        enable_endpoint_discovery=False,
        retry_total=0,
        retry_connect=0,
        retry_read=0,
        retry_status=0,
        retry_throttle_total=-1,  # The SDK takes 0 for "not given" and retries nine times.
        retry_write=0,
        # Otherwise every character beyond ASCII takes 6 or 12 bytes of a batch's 2 MB.
        enable_compact_utf8_item_writes=True,
    )


def managed_identity(settings: DatabaseSettings) -> "TokenCredential":
    """Return the function's identity, which asks for a token when the first request needs one.

    Not DefaultAzureCredential: it would try variables, tools and caches in turn, for seconds, and
    take whichever identity answers. A cell has exactly one.
    """
    from azure.identity import ManagedIdentityCredential  # noqa: PLC0415 - 400 ms, if used at all

    return ManagedIdentityCredential(
        client_id=settings.AZURE_CLIENT_ID or None,
        connection_timeout=settings.CELL_STORE_CONNECT_TIMEOUT_S,
        read_timeout=settings.CELL_STORE_READ_TIMEOUT_S,
        retry_total=0,
    )
