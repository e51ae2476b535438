"""A zip runs as a function app under Microsoft's runtime, or directly below Python 3.13."""

import http.client
import importlib.util
import json
import sys
import zipfile
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from cell_devstack.functions_host import AppNotStarted, FunctionsHost, TriggerFailed
from cell_devstack.functions_routes import Route, RouteTable

APP = """
import importlib.util, json, os, threading
import azure.functions as func

app = func.FunctionApp(http_auth_level=func.AuthLevel.ANONYMOUS)
both = threading.Barrier(2)

@app.route(route="process/{*path}", methods=["GET", "POST"])
def process(req: func.HttpRequest) -> func.HttpResponse:
    if req.route_params.get("path") == "raise":
        raise ValueError("no such tenant")
    if req.route_params.get("path") == "together":
        both.wait(5)
    seen = {
        "method": req.method, "url": req.url, "headers": dict(req.headers),
        "query": dict(req.params), "route": dict(req.route_params),
        "body": req.get_body().decode("latin-1"), "env": dict(os.environ), "pid": os.getpid(),
        "importable": [n for n in ("pytest", "boto3", "cell_core") if importlib.util.find_spec(n)],
    }
    return func.HttpResponse(
        json.dumps(seen), status_code=201, mimetype="application/json",
        headers={"X-Seq": "7", "Set-Cookie": "a=1; HttpOnly; Path=/"},
    )

@app.route(route="process/literal")
async def literal(req: func.HttpRequest) -> str:
    return "literal"

@app.route(route="tenants/{tenant}/bytes", methods=["PUT"])
def raw(req: func.HttpRequest) -> func.HttpResponse:
    return func.HttpResponse(req.get_body() + req.route_params["tenant"].encode())

@app.timer_trigger(schedule="0 * * * * *", arg_name="timer")
def sweep(timer: func.TimerRequest) -> None:
    print("SWEPT", timer.past_due)

@app.cosmos_db_trigger(arg_name="documents", connection="C", database_name="d", container_name="c")
def feed(documents: func.DocumentList) -> None:
    if not documents:
        raise ValueError("an empty batch")
    print("FED", [document["id"] for document in documents])
"""
SDK_PACKAGES = ("azure", "werkzeug", "markupsafe")


def make_zip(folder, source=APP, host_json='{"version": "2.0"}'):
    path = folder / "app.zip"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("function_app.py", source)
        archive.writestr("host.json", host_json)
    return path


@pytest.fixture(scope="session")
def sdk(tmp_path_factory):
    """A folder with the SDK and nothing else, as a bundle would bring it."""
    folder = tmp_path_factory.mktemp("sdk")
    for name in SDK_PACKAGES:
        spec = importlib.util.find_spec(name)
        (folder / name).symlink_to(Path(next(iter(spec.submodule_search_locations))))
    return folder


@pytest.fixture(scope="module")
def host(tmp_path_factory, sdk):
    zip_path = make_zip(tmp_path_factory.mktemp("zip"))
    with FunctionsHost(zip_path, {"CELL_ID": "azure-1"}, borrow=[sdk]) as running:
        yield running


def ask(host, method, target, body=None, headers=None):
    connection = http.client.HTTPConnection("127.0.0.1", host.port, timeout=10)
    try:
        connection.request(method, target, body, headers or {})
        reply = connection.getresponse()
        return reply.status, reply.headers, reply.read()
    finally:
        connection.close()


def test_a_request_reaches_the_function_whole(host):
    _, _, body = ask(host, "POST", "/api/process/a/b?x=1&x=%20&y=", b"\xff", {"X-A": "1"})

    seen = json.loads(body)
    assert seen["method"] == "POST"
    assert seen["url"] == f"{host.base_url}/process/a/b?x=1&x=%20&y="
    assert seen["query"] == {"x": "1, ", "y": ""}
    assert seen["route"] == {"path": "a/b"}
    assert seen["body"] == "\xff"
    assert seen["headers"]["x-a"] == "1"


def test_an_answer_reaches_the_client_whole(host):
    status, headers, _ = ask(host, "GET", "/api/process/x")

    assert status == 201
    assert headers["x-seq"] == "7"
    assert headers["content-type"].startswith("application/json")
    assert {part.strip() for part in headers["set-cookie"].split(";")} == {
        "a=1",
        "HttpOnly",
        "Path=/",
    }


def test_bytes_and_decoded_route_parameters_pass_through(host):
    _, _, body = ask(host, "PUT", "/api/tenants/T%2D1/bytes", b"\x00\xff")

    assert body == b"\x00\xffT-1"


def test_an_async_function_may_return_plain_text(host):
    status, headers, body = ask(host, "GET", "/api/process/literal")

    assert (status, body) == (200, b"literal")
    assert headers["content-type"] == "text/plain; charset=utf-8"


def test_an_app_sees_its_own_settings_azures_and_no_others(host):
    seen = json.loads(ask(host, "GET", "/api/process")[2])

    assert seen["env"]["CELL_ID"] == "azure-1"
    assert seen["env"]["FUNCTIONS_WORKER_RUNTIME"] == "python"
    assert not seen["env"].keys() & {"PYTEST_CURRENT_TEST", "PYTHONPATH", "VIRTUAL_ENV", "USER"}
    assert seen["importable"] == []


def test_an_exception_is_a_500_without_a_body_and_is_logged(host):
    status, _, body = ask(host, "GET", "/api/process/raise")

    assert (status, body) == (500, b"")
    assert "no such tenant" in host.log_path.read_text()


@pytest.mark.parametrize(
    ("method", "target"),
    [("GET", "/api/nothing"), ("DELETE", "/api/process"), ("GET", "/process"), ("GET", "/")],
)
def test_what_no_route_takes_is_a_404(host, method, target):
    assert ask(host, method, target)[0] == 404


def test_many_requests_run_at_once_in_one_process(host):
    with ThreadPoolExecutor(2) as pool:
        answers = list(pool.map(lambda _: ask(host, "GET", "/api/process/together"), range(2)))

    assert [status for status, _, _ in answers] == [201, 201]
    assert len({json.loads(body)["pid"] for _, _, body in answers}) == 1


def test_a_timer_and_a_change_feed_can_be_triggered(host):
    host.trigger("sweep", {"IsPastDue": True})
    host.trigger("feed", [{"id": "1"}, {"id": "2"}])

    log = host.log_path.read_text()
    assert "SWEPT True" in log
    assert "FED ['1', '2']" in log
    assert host.functions == ("feed", "literal", "process", "raw", "sweep")


def test_a_trigger_that_raises_says_so(host):
    with pytest.raises(TriggerFailed, match="an empty batch"):
        host.trigger("feed", [])


@pytest.mark.parametrize("name", ["nothing", "process"])
def test_only_functions_that_are_not_http_can_be_triggered(host, name):
    with pytest.raises(TriggerFailed, match="404"):
        host.trigger(name, {})


def test_nobody_else_can_trigger_a_function(host):
    assert ask(host, "POST", "/admin/functions/feed", b'{"input": []}')[0] == 401


def test_a_killed_host_refuses_connections_and_comes_back_on_the_same_url(host):
    before = json.loads(ask(host, "GET", "/api/process")[2])["pid"]

    host.kill()
    with pytest.raises(ConnectionRefusedError):
        ask(host, "GET", "/api/process")
    with pytest.raises(TriggerFailed):
        host.trigger("sweep", {})
    host.restore()

    assert json.loads(ask(host, "GET", "/api/process")[2])["pid"] != before


def test_the_route_prefix_is_host_jsons(tmp_path, sdk):
    host_json = '{"extensions": {"http": {"routePrefix": ""}}}'

    with FunctionsHost(make_zip(tmp_path, host_json=host_json), {}, borrow=[sdk]) as host:
        status, _, _ = ask(host, "GET", "/process/literal")

        assert host.base_url == host.url
        assert status == 200


def test_a_zip_without_the_sdk_does_not_start(tmp_path):
    with pytest.raises(AppNotStarted, match="No module named 'azure'"):
        FunctionsHost(make_zip(tmp_path), {}).__enter__()


@pytest.mark.parametrize(
    ("source", "reason"),
    [("import boto3", "No module named 'boto3'"), ("x = 1", "function app")],
)
def test_an_app_that_cannot_be_loaded_says_why(tmp_path, sdk, source, reason):
    with pytest.raises(AppNotStarted, match=reason):
        FunctionsHost(make_zip(tmp_path, source), {}, borrow=[sdk]).__enter__()


@pytest.mark.skipif(sys.version_info < (3, 13), reason="only the runtime knows output bindings")
def test_an_output_binding_is_refused(tmp_path, sdk):
    source = """
import azure.functions as func
app = func.FunctionApp()
@app.timer_trigger(schedule="0 * * * * *", arg_name="timer")
@app.queue_output(arg_name="out", queue_name="q", connection="C")
def sweep(timer: func.TimerRequest, out: func.Out[str]) -> None:
    out.set("x")
"""
    with (
        FunctionsHost(make_zip(tmp_path, source), {}, borrow=[sdk]) as host,
        pytest.raises(TriggerFailed, match="output bindings"),
    ):
        host.trigger("sweep", {})


def table(*templates):
    routes = [Route(function=t, template=t, methods=frozenset()) for t in templates]
    return RouteTable("api", routes)


def test_the_most_literal_route_wins():
    routes = table("{*rest}", "a/{b}", "a/b")

    assert routes.match("GET", "/api/a/b") == ("a/b", {})
    assert routes.match("GET", "/api/a/c") == ("a/{b}", {"b": "c"})
    assert routes.match("GET", "/api/a/c/d") == ("{*rest}", {"rest": "a/c/d"})
    assert routes.match("GET", "/api") == ("{*rest}", {})


@pytest.mark.parametrize("template", ["a/{id:int}", "a/x{id}", "{a?}"])
def test_a_route_beyond_what_is_imitated_is_refused(template):
    with pytest.raises(ValueError, match="route segment"):
        table(template)
