"""The Lambda handler passes on, and says in one line and a few numbers what happened."""

import io
import itertools
import json
from collections.abc import Mapping
from typing import Any

import pytest
from aws_lambda_powertools import Logger, Metrics, Tracer

from cell_adapters_aws.handler import LambdaHandler, make_handler
from cell_core.wire.message import Request, Response
from tests.adapters_aws.events import Context, url_event

_SECRET = "a-value-in-a-body"
_NUMBERS = itertools.count()


class FakeApp:
    """An application that answers what it is told to, and remembers what it was asked."""

    def __init__(self, response: Response | None = None) -> None:
        self.asked: list[Request] = []
        self.sweeps = 0
        self._response = response or answer(200, "applied")

    def handle(self, request: Request) -> Response:
        self.asked.append(request)
        return self._response

    def sweep(self) -> Mapping[str, Any]:
        self.sweeps += 1
        return {"due": 3, "issued": 2}


class BrokenApp(FakeApp):
    """An application with a bug."""

    def handle(self, request: Request) -> Response:
        raise ZeroDivisionError


def answer(status: int, code: str) -> Response:
    return Response(
        status=status,
        headers={"content-type": "application/json"},
        body=json.dumps({"secret": _SECRET}).encode(),
        facts={
            "request_id": "r-1",
            "cell": "aws-alpha",
            "tenant": "T-1",
            "epoch": 17,
            "code": code,
        },
    )


class Running:
    """A handler, and what it wrote to its log and to its metrics."""

    def __init__(self, app: FakeApp, capsys: pytest.CaptureFixture[str]) -> None:
        self._log = io.StringIO()
        self._capsys = capsys
        # Powertools keeps one logger a name for good, with the stream it was first given.
        logger = Logger(service=f"handled-{next(_NUMBERS)}", stream=self._log, level="INFO")
        metrics = Metrics(namespace="Cells", service="aws-alpha")
        self.handler: LambdaHandler = make_handler(app, logger, None, metrics)

    def call(self, event: Mapping[str, Any]) -> dict[str, Any]:
        return self.handler(event, Context())  # type: ignore[arg-type]

    @property
    def log(self) -> list[dict[str, Any]]:
        return [json.loads(line) for line in self._log.getvalue().splitlines()]

    def metrics(self) -> list[dict[str, Any]]:
        return [json.loads(line) for line in self._capsys.readouterr().out.splitlines()]


def test_a_request_is_passed_on_and_its_answer_back(capsys):
    app = FakeApp()

    reply = Running(app, capsys).call(url_event(method="POST", path="/process", body="{}"))

    assert [(r.method, r.path, r.body) for r in app.asked] == [("POST", "/process", b"{}")]
    assert reply["statusCode"] == 200
    assert json.loads(reply["body"]) == {"secret": _SECRET}


def test_each_request_is_one_line_of_facts(capsys):
    running = Running(FakeApp(answer(421, "moved")), capsys)

    running.call(url_event(body=_SECRET))

    [line] = running.log
    assert line["message"] == "request"
    facts = {"request_id", "cell", "tenant", "epoch", "code", "status", "duration_ms"}
    assert {name: line[name] for name in facts - {"duration_ms"}} == {
        "request_id": "r-1",
        "cell": "aws-alpha",
        "tenant": "T-1",
        "epoch": 17,
        "code": "moved",
        "status": 421,
    }
    assert type(line["duration_ms"]) is int


def test_no_body_is_in_the_log_or_the_metrics_whatever_the_environment_says(capsys, monkeypatch):
    monkeypatch.setenv("POWERTOOLS_LOGGER_LOG_EVENT", "true")
    running = Running(FakeApp(), capsys)

    running.call(url_event(body=_SECRET))

    assert _SECRET not in json.dumps([running.log, running.metrics()])


def test_a_second_line_holds_nothing_of_the_first(capsys):
    app = FakeApp()
    running = Running(app, capsys)
    running.call(url_event())

    running.call({"source": "aws.events"})

    assert "tenant" not in running.log[1]


@pytest.mark.parametrize(
    ("status", "code", "counted"),
    [
        (200, "applied", {"Code.applied"}),
        (409, "contention", {"Code.contention"}),
        (503, "store_unavailable", {"Code.store_unavailable"}),
    ],
)
def test_each_request_is_counted_by_code_and_timed(capsys, status, code, counted):
    running = Running(FakeApp(answer(status, code)), capsys)
    running.call(url_event())
    running.metrics()

    running.call(url_event())

    [metrics] = running.metrics()
    assert {name for name in metrics if metrics[name] == [1.0]} >= counted
    [described] = metrics["_aws"]["CloudWatchMetrics"]
    assert described["Namespace"] == "Cells"
    assert {metric["Name"] for metric in described["Metrics"]} == counted | {"Duration"}


def test_no_metric_has_a_tenant(capsys):
    running = Running(FakeApp(), capsys)

    running.call(url_event())

    lines = running.metrics()
    assert lines
    for metrics in lines:
        [described] = metrics["_aws"]["CloudWatchMetrics"]
        [dimensions] = described["Dimensions"]
        assert set(dimensions) <= {"service", "function_name"}
        assert "T-1" not in json.dumps(metrics)


def test_the_timer_sweeps_and_says_what_it_did(capsys):
    app = FakeApp()
    running = Running(app, capsys)

    reply = running.call({"source": "aws.events", "detail-type": "Scheduled Event", "detail": {}})

    assert reply == {"due": 3, "issued": 2}
    assert (app.sweeps, app.asked) == (1, [])
    [line] = running.log
    assert (line["message"], line["due"], line["issued"]) == ("sweep", 3, 2)


def test_an_event_of_an_unknown_kind_is_core_s_to_refuse(capsys):
    app = FakeApp(answer(404, "path_not_found"))

    reply = Running(app, capsys).call({"Records": [{"eventSource": "aws:sqs"}]})

    assert reply["statusCode"] == 404
    assert app.sweeps == 0


@pytest.mark.filterwarnings("ignore:No application metrics to publish")
def test_a_bug_is_lambda_s_to_report(capsys):
    with pytest.raises(ZeroDivisionError):
        Running(BrokenApp(), capsys).call(url_event())


def test_a_tracer_wraps_the_handler_without_answers_or_errors(capsys):
    wrapped: dict[str, Any] = {}

    class FakeTracer(Tracer):
        def __init__(self) -> None:
            """Load no X-Ray SDK."""

        def capture_lambda_handler(self, lambda_handler, **switches):
            wrapped.update(switches)
            return lambda_handler

    log = Logger(service="cell-traced", stream=io.StringIO())
    handler = make_handler(FakeApp(), log, FakeTracer(), Metrics(namespace="Cells", service="c"))

    assert handler(url_event(), Context())["statusCode"] == 200
    assert wrapped == {"capture_response": False, "capture_error": False}
