"""The functions that the Azure host calls: a request in, a reply out, and one line in the log.

Decides nothing, not even which method or path exists: the host would answer in its own words.
"""

import json
import logging
import time
from collections.abc import Callable, Mapping
from typing import Protocol

import azure.functions as func

from cell_adapters_azure.envelope import from_response, to_request
from cell_core.wire.message import Request, Response

METHODS = ("GET", "POST", "PUT", "PATCH", "DELETE", "HEAD", "OPTIONS")

EVERY_MINUTE = "0 * * * * *"
"""Six fields: Azure's cron begins with seconds."""


class Application(Protocol):
    """The cell's HTTP application, which core makes; it has an answer to every request."""

    def handle(self, request: Request) -> Response:
        """Return the answer to `request`."""

    def sweep(self) -> Mapping[str, object]:
        """Do what has become due, and say how much."""


def make_app(
    app: Application, logger: logging.Logger, timer_s: Callable[[], float] = time.perf_counter
) -> func.FunctionApp:
    """Return the app that the Functions host loads: `serve` for every request, `sweep` on a timer.

    The functions are anonymous to the host because the grant, which core verifies, is who may call.
    """
    functions = func.FunctionApp(http_auth_level=func.AuthLevel.ANONYMOUS)

    @functions.route(route="{*path}", methods=METHODS)
    def serve(req: func.HttpRequest) -> func.HttpResponse:
        began_s = timer_s()
        response = app.handle(to_request(req))
        duration_ms = round((timer_s() - began_s) * 1000)
        line = {**response.facts, "status": response.status, "duration_ms": duration_ms}
        _log(logger, "request", line)
        return from_response(response)

    @functions.timer_trigger(arg_name="timer", schedule=EVERY_MINUTE)
    def sweep(timer: func.TimerRequest) -> None:  # noqa: ARG001 - the host passes it by name
        _log(logger, "sweep", app.sweep())

    return functions


def _log(logger: logging.Logger, message: str, fields: Mapping[str, object]) -> None:
    # One line of JSON is what Application Insights can be asked about.
    logger.info(json.dumps({"message": message, **fields}, separators=(",", ":")))
