"""What Lambda calls: an event in, a reply out, one log line and a few metrics.

Refuses to decide anything, and to log, measure or trace a body: the answer's own facts are all.
"""

from collections.abc import Callable, Mapping
from time import perf_counter
from typing import TYPE_CHECKING, Any, Final, Protocol, TypeAlias

from aws_lambda_powertools.metrics import MetricUnit

from cell_adapters_aws.envelope import from_response, is_timer, to_request
from cell_core.wire.message import Request, Response

if TYPE_CHECKING:
    from aws_lambda_powertools import Logger, Metrics, Tracer
    from aws_lambda_powertools.utilities.typing import LambdaContext

LambdaHandler: TypeAlias = "Callable[[Mapping[str, Any], LambdaContext], dict[str, Any]]"

NAMESPACE: Final = "Cells"
"""Of the metrics. Their one dimension is `service`, the cell: never a tenant, of which there are
too many, and whose names are nobody's business in a dashboard."""


class Application(Protocol):
    """The cell's HTTP application, which core makes; it has an answer to every request."""

    def handle(self, request: Request) -> Response:
        """Return the answer to `request`."""

    def sweep(self) -> Mapping[str, Any]:
        """Do what has become due, and say how much."""


def make_handler(
    app: Application, logger: "Logger", tracer: "Tracer | None", metrics: "Metrics"
) -> LambdaHandler:
    """Return the function that Lambda calls, for requests and for EventBridge's timer.

    Args:
        app: What answers.
        logger: Gets one line an invocation.
        tracer: None where traces are off: even a disabled one loads the X-Ray SDK, which costs
            50 ms of CPU in Lambda and 300 ms outside.
        metrics: Is flushed at the end of each invocation.
    """

    def handler(event: Mapping[str, Any], _context: "LambdaContext") -> dict[str, Any]:
        if is_timer(event):
            return _sweep(app, logger, metrics)
        return _serve(app, logger, metrics, event)

    # The switches are said here, so that no variable of the environment can turn on the logging
    # of events or the tracing of answers.
    measured = metrics.log_metrics(handler, capture_cold_start_metric=True)
    logged = logger.inject_lambda_context(measured, log_event=False, clear_state=True)
    if tracer is None:
        return logged
    return tracer.capture_lambda_handler(logged, capture_response=False, capture_error=False)


def _serve(
    app: Application, logger: "Logger", metrics: "Metrics", event: Mapping[str, Any]
) -> dict[str, Any]:
    began_s = perf_counter()
    response = app.handle(to_request(event))
    duration_ms = round((perf_counter() - began_s) * 1000)
    line = {**response.facts, "status": response.status, "duration_ms": duration_ms}
    logger.info("request", extra=line)
    _count(metrics, f"Code.{response.facts.get('code', 'none')}")
    metrics.add_metric("Duration", MetricUnit.Milliseconds, duration_ms)
    return from_response(response)


def _sweep(app: Application, logger: "Logger", metrics: "Metrics") -> dict[str, Any]:
    _count(metrics, "Sweeps")
    swept = dict(app.sweep())
    logger.info("sweep", extra=swept)
    return swept


def _count(metrics: "Metrics", name: str) -> None:
    metrics.add_metric(name, MetricUnit.Count, 1)
