"""Every request reaches the application, and each leaves one line in the log."""

import json
import logging
from collections.abc import Callable

import azure.functions as func
import pytest
from azure.functions.timer import TimerRequest

from cell_adapters_azure.handler import METHODS, make_app
from cell_core.wire.message import Request, Response

FACTS = {"request_id": "r-1", "tenant": "T-1", "cell": "azure-beta", "epoch": 17, "code": "moved"}


class FakeApp:
    def __init__(self) -> None:
        self.requests: list[Request] = []
        self.sweeps = 0

    def handle(self, request: Request) -> Response:
        self.requests.append(request)
        return Response(status=421, headers={"content-type": "text/x"}, body=b"secret", facts=FACTS)

    def sweep(self) -> dict[str, object]:
        self.sweeps += 1
        return {"expired": 3}


@pytest.fixture
def app() -> FakeApp:
    return FakeApp()


@pytest.fixture
def functions(app: FakeApp) -> dict[str, func.Function]:
    ticks = iter([10.0, 10.0125])
    made = make_app(app, logging.getLogger("azure-beta"), timer_s=lambda: next(ticks))
    return {one.get_function_name(): one for one in made.get_functions()}


@pytest.fixture
def serve(functions: dict[str, func.Function]) -> Callable[..., func.HttpResponse]:
    return functions["serve"].get_user_function()


def request(method: str = "POST", path: str = "process") -> func.HttpRequest:
    return func.HttpRequest(method, f"http://h/api/{path}?a=1", headers={"X": "y"}, body=b"secret")


def test_one_function_takes_every_path_and_method_from_anyone(functions):
    trigger = functions["serve"].get_trigger().get_dict_repr()

    assert trigger["route"] == "{*path}"
    assert trigger["authLevel"] == func.AuthLevel.ANONYMOUS
    assert {str(one.value) for one in trigger["methods"]} == set(METHODS)


@pytest.mark.parametrize("method", METHODS)
def test_each_method_is_the_application_s_to_judge(serve, app, method):
    reply = serve(request(method, "v1/x"))

    assert app.requests == [
        Request(method=method, path="/v1/x", query="a=1", headers={"x": "y"}, body=b"secret")
    ]
    assert (reply.status_code, reply.get_body()) == (421, b"secret")


def test_a_request_leaves_one_line_without_bodies(serve, caplog):
    caplog.set_level(logging.INFO, "azure-beta")

    serve(request())

    [record] = caplog.records
    assert json.loads(record.message) == {
        "message": "request",
        "status": 421,
        "duration_ms": 12,
        **FACTS,
    }
    assert "secret" not in record.message


def test_the_timer_sweeps_every_minute_and_says_so(functions, app, caplog):
    caplog.set_level(logging.INFO, "azure-beta")
    trigger = functions["sweep"].get_trigger().get_dict_repr()

    functions["sweep"].get_user_function()(TimerRequest(past_due=False))

    assert trigger["schedule"] == "0 * * * * *"
    assert app.sweeps == 1
    [record] = caplog.records
    assert json.loads(record.message) == {"message": "sweep", "expired": 3}


def test_no_other_function_is_there(functions):
    assert set(functions) == {"serve", "sweep"}
