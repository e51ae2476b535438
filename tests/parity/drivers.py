"""Four ways into a cell: through both real handlers, in the envelopes that the clouds send.

The cells are alike but for the cloud: same name, clock, patience, ids, keys and grants, so every
byte of an answer must be alike too.
"""

import base64
import io
import itertools
import json
import logging
from collections.abc import Callable, Mapping
from contextlib import redirect_stdout
from dataclasses import dataclass
from types import SimpleNamespace
from typing import Any, Protocol, TypeAlias

import azure.functions as func
from aws_lambda_powertools import Logger, Metrics
from azure.functions.timer import TimerRequest

from cell_adapters_aws.handler import NAMESPACE
from cell_adapters_aws.handler import make_handler as make_lambda
from cell_adapters_azure.handler import make_app as make_functions
from cell_core.app import App
from cell_core.wire.message import Request
from tests.parity.steps import CELL

_NUMBERS = itertools.count()

STAGE = "live"

_CONTEXT = SimpleNamespace(
    function_name="cell",
    function_version="1",
    memory_limit_in_mb=1024,
    invoked_function_arn="arn:aws:lambda:us-east-1:000000000000:function:cell",
    aws_request_id="invocation-1",
)


@dataclass(frozen=True, slots=True)
class Answer:
    """What a caller of either cloud sees; all headers, by lower-case name."""

    status: int
    headers: Mapping[str, str]
    body: bytes

    def json(self) -> Any:
        return json.loads(self.body)


class Driver(Protocol):
    """A cell behind the handler of a cloud."""

    def send(self, request: Request) -> Answer:
        """Send `request` in the cloud's envelope."""

    def sweep(self) -> Mapping[str, int]:
        """Let the cloud's timer fire; return what the handler says that was done."""


Drive: TypeAlias = Callable[[App], Driver]
Event: TypeAlias = dict[str, Any]


class LambdaDriver:
    """The AWS handler; `shape` makes the event of a request."""

    def __init__(self, app: App, shape: Callable[[Request], Event]) -> None:
        logger = Logger(service=CELL, stream=io.StringIO())
        self._handler = make_lambda(app, logger, None, Metrics(namespace=NAMESPACE, service=CELL))
        self._shape = shape

    def send(self, request: Request) -> Answer:
        reply = self._invoke(self._shape(request))
        assert reply["isBase64Encoded"] is False
        json.dumps(reply)  # Lambda encodes it.
        headers = {name.lower(): value for name, value in reply["headers"].items()}
        return Answer(reply["statusCode"], headers, reply["body"].encode())

    def sweep(self) -> Mapping[str, int]:
        return self._invoke({"source": "aws.events", "detail-type": "Scheduled Event"})

    def _invoke(self, event: Event) -> Any:
        with redirect_stdout(io.StringIO()):  # Where Powertools puts metrics.
            return self._handler(json.loads(json.dumps(event)), _CONTEXT)


class FunctionsDriver:
    """The Azure handler, as the host calls it."""

    def __init__(self, app: App) -> None:
        self._lines = _Lines()
        logger = logging.getLogger(f"{__name__}.{next(_NUMBERS)}")
        logger.propagate = False
        logger.setLevel(logging.INFO)
        logger.addHandler(self._lines)
        found = {f.get_function_name(): f for f in make_functions(app, logger).get_functions()}
        self._serve = found["serve"].get_user_function()
        self._sweep = found["sweep"].get_user_function()

    def send(self, request: Request) -> Answer:
        query = f"?{request.query}" if request.query else ""
        reply = self._serve(
            func.HttpRequest(
                request.method,
                f"https://cell.example/api{request.path}{query}",
                headers={name.title(): value for name, value in request.headers.items()},
                body=request.body,
            )
        )
        headers = {name.lower(): value for name, value in reply.headers.items()}
        assert reply.mimetype == headers.get("content-type")
        return Answer(reply.status_code, headers, reply.get_body())

    def sweep(self) -> Mapping[str, int]:
        self._sweep(TimerRequest(past_due=False))
        line = json.loads(self._lines.last)
        return {name: value for name, value in line.items() if name != "message"}


class DirectDriver:
    """The application without a cloud, for tests that are not about handlers."""

    def __init__(self, app: App) -> None:
        self._app = app

    def send(self, request: Request) -> Answer:
        response = self._app.handle(request)
        return Answer(response.status, dict(response.headers), response.body)

    def sweep(self) -> Mapping[str, int]:
        return self._app.sweep()


class _Lines(logging.Handler):
    last = ""

    def emit(self, record: logging.LogRecord) -> None:
        self.last = record.getMessage()


def function_url(request: Request) -> Event:
    """Return the event of a Lambda Function URL; what is no text comes in base64."""
    return _event(request, request.path, stage="$default", encoded=not _is_text(request.body))


def http_api(request: Request) -> Event:
    """Return the event of an HTTP API (payload 2.0) behind a stage."""
    path = f"/{STAGE}{request.path}"
    return _event(request, path, stage=STAGE, encoded=not _is_text(request.body))


def base64_body(request: Request) -> Event:
    """Return the event of a Function URL that takes every body for binary."""
    return _event(request, request.path, stage="$default", encoded=True)


def _event(request: Request, path: str, *, stage: str, encoded: bool) -> Event:
    body = base64.b64encode(request.body).decode() if encoded else request.body.decode()
    return {
        "version": "2.0",
        "routeKey": "$default",
        "rawPath": path,
        "rawQueryString": request.query,
        "headers": {name.title(): value for name, value in request.headers.items()},
        "requestContext": {
            "accountId": "anonymous",
            "apiId": "abc",
            "domainName": "cell.example",
            "http": {"method": request.method, "path": path, "protocol": "HTTP/1.1"},
            "requestId": "gateway-1",
            "stage": stage,
            "time": "12/Mar/2020:19:03:58 +0000",
        },
        **({"body": body} if request.body else {}),
        "isBase64Encoded": encoded,
    }


def _is_text(body: bytes) -> bool:
    try:
        body.decode()
    except UnicodeDecodeError:
        return False
    return True


def by_function_url(app: App) -> Driver:
    return LambdaDriver(app, function_url)


def by_functions(app: App) -> Driver:
    return FunctionsDriver(app)


DRIVES: Mapping[str, Drive] = {
    "Lambda Function URL": by_function_url,
    "HTTP API with a stage": lambda app: LambdaDriver(app, http_api),
    "Lambda with base64 bodies": lambda app: LambdaDriver(app, base64_body),
    "Azure Functions": by_functions,
}
