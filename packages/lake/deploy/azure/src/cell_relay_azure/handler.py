"""The functions that the Azure host calls: `wake` for the change feed, `sweep` on a timer.

A feed goes on whatever becomes of its documents, so `wake` fails for none: what is not published
yet is said in the log, and the next sweep finds it. Refuses to trust a document with its contents.
"""

import json
import logging
from collections.abc import Mapping, Sequence
from typing import Any, Final, Protocol

import azure.functions as func

from cell_adapters_azure.changes import entries_of
from cell_core.domain.documents import LOG
from cell_core.domain.errors import InvariantBroken
from cell_core.domain.journal import Entry
from cell_lake.function import Ring, Rung

EVERY_MINUTE: Final = "30 * * * * *"
"""Six fields: Azure's cron begins with seconds. Not at the worker's own second."""

ITEMS_MAX: Final = 1000
POLL_MS: Final = 5000


class Function(Protocol):
    """What publishes; see `cell_lake.function`."""

    def ring(self, rings: Sequence[Ring], remaining_ms: int | None = None) -> Rung:
        """Publish what `rings` tell of."""

    def sweep(self, remaining_ms: int | None = None) -> Mapping[str, Any]:
        """Publish what nothing told of."""


def make_app(function: Function, logger: logging.Logger) -> func.FunctionApp:
    """Return the app that the Functions host loads."""
    functions = func.FunctionApp(http_auth_level=func.AuthLevel.ADMIN)

    @functions.cosmos_db_trigger(
        arg_name="documents",
        connection="CELL_COSMOS",
        database_name="%CELL_COSMOS_DATABASE%",
        container_name="%CELL_COSMOS_CONTAINER%",
        lease_container_name="%CELL_COSMOS_LEASES%",
        # An identity may not make containers.
        create_lease_container_if_not_exists=False,
        feed_poll_delay=POLL_MS,
        max_items_per_invocation=ITEMS_MAX,
        start_from_beginning=True,  # type: ignore[arg-type]  # the SDK names a time and means this
    )
    def wake(documents: func.DocumentList) -> None:
        rung = function.ring([_ring(one) for one in documents if one["id"].startswith(LOG)])
        _log(logger, "published", {**rung.facts, "waiting": len(rung.waiting)})

    @functions.timer_trigger(arg_name="timer", schedule=EVERY_MINUTE)
    def sweep(timer: func.TimerRequest) -> None:  # noqa: ARG001 - the host passes it by name
        _log(logger, "sweep", function.sweep())

    return functions


def _ring(document: Mapping[str, Any]) -> Ring:
    return Ring(partition=document["pk"], entry=_entry(document))


def _entry(document: Mapping[str, Any]) -> Entry | None:
    try:
        return entries_of([document])[0]
    except InvariantBroken:
        return None


def _log(logger: logging.Logger, message: str, fields: Mapping[str, object]) -> None:
    # One line of JSON is what Application Insights can be asked about.
    logger.info(json.dumps({"message": message, **fields}, separators=(",", ":")))
