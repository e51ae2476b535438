"""Composition root of a relay on AWS: the only module here that reads the environment.

Refuses to start with settings that are missing or wrong, and names them. Nothing here touches the
network, so the function loads while its table and the lake are down.
"""

import os
from collections.abc import Mapping

from aws_lambda_powertools import Logger, Metrics

from cell_adapters_aws.bootstrap import DatabaseSettings, connect
from cell_adapters_aws.handler import NAMESPACE, LambdaHandler
from cell_adapters_aws.store import DynamoCellStore
from cell_core.ports import CellStore
from cell_core.system import SystemClock
from cell_lake.domain.limits import Limits
from cell_lake.domain.shards import Origin
from cell_lake.function import RelayFunction
from cell_lake.relay import Relay
from cell_lake.settings import EVENTS_TABLE, LakeSettings, table_url
from cell_lake.table_delta import DeltaLakeTable
from cell_relay_aws.handler import make_handler

CLOUD = "aws"


class Settings(LakeSettings, DatabaseSettings):
    """What the function reads from its environment."""


def bootstrap() -> LambdaHandler:
    """Build the handler from the environment; called once per process, at import of `relay`.

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
    return make_handler(
        function,
        Logger(service=f"{settings.CELL_ID}-relay", level=settings.CELL_LOG_LEVEL),
        Metrics(namespace=NAMESPACE, service=f"{settings.CELL_ID}-relay"),
    )


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
    """Return a relay from the cell's table to the lake; sends nothing yet."""
    return Relay(
        open_store(settings), open_table(settings), origin_of(settings), SystemClock(), limits
    )


def open_store(settings: Settings) -> CellStore:
    """Return the cell's store; sends nothing yet."""
    return DynamoCellStore(connect(settings), table=settings.CELL_TABLE)


def open_table(settings: Settings) -> DeltaLakeTable:
    """Return the lake's events; sends nothing yet."""
    url = table_url(settings.CELL_LAKE_URL, EVENTS_TABLE)
    # Lambda puts its role's credentials where delta-rs looks for them, too.
    return DeltaLakeTable(url, {"aws_region": settings.AWS_REGION, **settings.CELL_LAKE_OPTIONS})
