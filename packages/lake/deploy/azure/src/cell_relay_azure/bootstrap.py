"""Composition root of a relay on Azure: the only module here that reads the environment.

Refuses to start with settings that are missing or wrong, and names them. Nothing here touches the
network, so the app loads while its container and the lake are down.
"""

import logging
import os
from collections.abc import Mapping
from typing import TYPE_CHECKING, Final

from cell_adapters_azure.bootstrap import DatabaseSettings, connect
from cell_adapters_azure.store import CosmosCellStore
from cell_core.ports import CellStore
from cell_core.system import SystemClock
from cell_lake.domain.limits import Limits
from cell_lake.domain.shards import Origin
from cell_lake.function import RelayFunction
from cell_lake.relay import Relay
from cell_lake.settings import EVENTS_TABLE, LakeSettings, table_url
from cell_lake.table_delta import DeltaLakeTable
from cell_relay_azure.handler import make_app

if TYPE_CHECKING:
    import azure.functions as func

CLOUD: Final = "azure"


class Settings(LakeSettings, DatabaseSettings):
    """What the function reads from its environment.

    Attributes:
        IDENTITY_ENDPOINT: Where the platform gives out tokens of the function's identity.
    """

    IDENTITY_ENDPOINT: str = ""


def bootstrap() -> "func.FunctionApp":
    """Build the app from the environment; called once per process, at import of `function_app`.

    Raises:
        SettingsError: Says what is missing or wrong.
    """
    settings = load(os.environ)  # noqa: TID251 - composition root
    function = RelayFunction(
        make_relay(settings),
        origin_of(settings),
        SystemClock(),
        run_ms=round(settings.CELL_RELAY_RUN_S * 1000),
    )
    # The SDK logs every request with its headers at INFO: noise that is billed by the byte.
    logging.getLogger("azure").setLevel(logging.WARNING)
    logger = logging.getLogger(f"{settings.CELL_ID}-relay")
    logger.setLevel(settings.CELL_LOG_LEVEL)
    return make_app(function, logger)


def load(environment: Mapping[str, str]) -> Settings:
    """Return the settings in `environment`.

    Raises:
        SettingsError: Says what is missing or wrong.
    """
    return Settings.load(environment)


def origin_of(settings: Settings) -> Origin:
    """Return whose relay this is."""
    return Origin(cell=settings.CELL_ID, ordinal=settings.CELL_ORDINAL, cloud=CLOUD)


def make_relay(settings: Settings, limits: Limits | None = None) -> Relay:
    """Return a relay from the cell's container to the lake; sends nothing yet."""
    return Relay(
        open_store(settings), open_table(settings), origin_of(settings), SystemClock(), limits
    )


def open_store(settings: Settings) -> CellStore:
    """Return the cell's store; sends nothing yet."""
    return CosmosCellStore(lambda: connect(settings))


def open_table(settings: Settings) -> DeltaLakeTable:
    """Return the lake's events; sends nothing yet."""
    url = table_url(settings.CELL_LAKE_URL, EVENTS_TABLE)
    return DeltaLakeTable(url, {**_identity(settings), **settings.CELL_LAKE_OPTIONS})


def _identity(settings: Settings) -> dict[str, str]:
    """Return how delta-rs finds the function's identity; nothing where there is none."""
    if not settings.IDENTITY_ENDPOINT:
        return {}
    found = {"azure_msi_endpoint": settings.IDENTITY_ENDPOINT}
    if settings.AZURE_CLIENT_ID:
        found["azure_client_id"] = settings.AZURE_CLIENT_ID
    return found
