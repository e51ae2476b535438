"""A zip runs under the real runtime client, behind plain HTTP, with Lambda's manners."""

import base64
import http.client
import json
import zipfile
from concurrent.futures import ThreadPoolExecutor

import pytest

from cell_devstack.deployment import BadDeployment
from cell_devstack.function_url import MalformedResult, to_event, to_response
from cell_devstack.http_server import HttpRequest
from cell_devstack.lambda_host import HostDown, LambdaHost, Throttled
from cell_devstack.lambda_instance import (
    FunctionRaised,
    FunctionSettings,
    InitFailed,
    InstanceCrashed,
    InvocationTimedOut,
)

WORKER = """
import importlib.util, json, os, time

def handler(event, context):
    action = event.get("action") or event.get("rawPath", "/").rpartition("/")[2]
    if action == "raise":
        raise ValueError("no such tenant")
    if action == "crash":
        os._exit(3)
    if action == "hang":
        time.sleep(60)
    if action == "wait":  # Until as many instances as asked for are in here at once.
        open(os.path.join(event["folder"], str(os.getpid())), "w").close()
        while len(os.listdir(event["folder"])) < event["parties"]:
            time.sleep(0.005)
        return os.getpid()
    if action == "seen":
        return {
            "env": dict(os.environ),
            "importable": [n for n in event["names"] if importlib.util.find_spec(n)],
            "request_id": context.aws_request_id,
            "remaining_ms": context.get_remaining_time_in_millis(),
        }
    if action == "malformed":
        return {"statusCode": "many"}
    if action == "binary":
        return {"statusCode": 200, "body": "AP8=", "isBase64Encoded": True}
    if action == "pid":
        return os.getpid()
    return {
        "statusCode": 201,
        "headers": {"X-Seq": 7},
        "cookies": ["a=1; HttpOnly", "b=2"],
        "body": json.dumps(event),
    }
"""


def make_zip(folder, source=WORKER):
    path = folder / "worker.zip"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("worker.py", source)
    return path


@pytest.fixture(scope="module")
def host(tmp_path_factory):
    settings = FunctionSettings(timeout_s=5)
    zip_path = make_zip(tmp_path_factory.mktemp("zip"))
    with LambdaHost(zip_path, {"CELL_ID": "aws-1"}, instances=2, settings=settings) as running:
        yield running


@pytest.fixture(scope="module")
def hasty(tmp_path_factory):
    settings = FunctionSettings(timeout_s=0.3, waiting_max=0, stage="prod")
    with LambdaHost(make_zip(tmp_path_factory.mktemp("zip")), {}, settings=settings) as running:
        yield running


def ask(host, method, target, body=None, headers=None):
    connection = http.client.HTTPConnection(host.url.removeprefix("http://"), timeout=10)
    try:
        connection.request(method, target, body, headers or {})
        reply = connection.getresponse()
        return reply.status, reply.headers, reply.read()
    finally:
        connection.close()


def test_a_request_becomes_a_function_url_event(host):
    headers = {"Content-Type": "application/json", "X-Twice": "1", "Cookie": "s=1; t=2"}

    _, _, body = ask(host, "POST", "/v1/a%2Fb?x=1&x=%20&y=", b'{"a": 1}', headers)

    event = json.loads(body)
    assert event["version"] == "2.0"
    assert event["rawPath"] == "/v1/a%2Fb"
    assert event["rawQueryString"] == "x=1&x=%20&y="
    assert event["queryStringParameters"] == {"x": "1, ", "y": ""}
    assert event["headers"]["content-type"] == "application/json"
    assert event["cookies"] == ["s=1", "t=2"]
    assert "cookie" not in event["headers"]
    assert (event["body"], event["isBase64Encoded"]) == ('{"a": 1}', False)
    assert event["requestContext"]["http"]["method"] == "POST"
    assert event["requestContext"]["stage"] == "$default"


def test_a_body_that_is_no_text_arrives_in_base64(host):
    _, _, body = ask(host, "POST", "/x", b"\xff\x00", {"Content-Type": "application/json"})

    event = json.loads(body)
    assert event["isBase64Encoded"] is True
    assert base64.b64decode(event["body"]) == b"\xff\x00"


def test_a_result_becomes_a_response(host):
    status, headers, _ = ask(host, "GET", "/x")

    assert status == 201
    assert headers["x-seq"] == "7"
    assert headers.get_all("set-cookie") == ["a=1; HttpOnly", "b=2"]


def test_a_base64_result_becomes_bytes(host):
    assert ask(host, "GET", "/binary")[2] == b"\x00\xff"


def test_the_head_of_an_answer_has_no_body(host):
    status, headers, body = ask(host, "HEAD", "/x")

    assert (status, body) == (201, b"")
    assert int(headers["content-length"]) > 0


def test_a_function_sees_its_own_variables_lambdas_and_no_others(host, monkeypatch):
    seen = host.invoke({"action": "seen", "names": []})

    assert seen["env"]["CELL_ID"] == "aws-1"
    assert seen["env"]["AWS_LAMBDA_FUNCTION_NAME"] == "cell"
    assert seen["env"]["AWS_EXECUTION_ENV"].startswith("AWS_Lambda_python3.")
    assert not seen["env"].keys() & {"PYTEST_CURRENT_TEST", "PYTHONPATH", "VIRTUAL_ENV", "USER"}
    assert 0 < seen["remaining_ms"] <= 5000
    assert len(seen["request_id"]) == 36


def test_a_zip_cannot_borrow_what_is_installed_here(host):
    names = ["pytest", "boto3", "botocore", "cell_core", "cell_devstack", "awslambdaric"]

    seen = host.invoke({"action": "seen", "names": names})

    assert seen["importable"] == ["awslambdaric"]


def test_an_exception_is_a_502_and_the_instance_goes_on(hasty):
    before = hasty.invoke({"action": "pid"})

    with pytest.raises(FunctionRaised) as caught:
        hasty.invoke({"action": "raise"})
    status, _, body = ask(hasty, "GET", "/prod/raise")

    assert (caught.value.error_type, caught.value.message) == ("ValueError", "no such tenant")
    assert (status, json.loads(body)) == (502, {"message": "Internal Server Error"})
    assert hasty.invoke({"action": "pid"}) == before
    assert "no such tenant" in hasty.log_path.read_text()


def test_a_crash_is_a_502_and_the_next_invocation_finds_a_new_instance(hasty):
    before = hasty.invoke({"action": "pid"})

    with pytest.raises(InstanceCrashed, match="exit code 3"):
        hasty.invoke({"action": "crash"})
    status, _, _ = ask(hasty, "GET", "/prod/crash")

    assert status == 502
    assert hasty.invoke({"action": "pid"}) != before


def test_a_timeout_is_a_504_and_the_next_invocation_finds_a_new_instance(hasty):
    before = hasty.invoke({"action": "pid"})

    with pytest.raises(InvocationTimedOut):
        hasty.invoke({"action": "hang"})
    status, _, _ = ask(hasty, "GET", "/prod/hang")

    assert status == 504
    assert hasty.invoke({"action": "pid"}) != before


def test_a_malformed_result_is_a_502(hasty):
    assert ask(hasty, "GET", "/prod/malformed")[0] == 502


def test_an_http_api_has_its_stage_in_the_path_and_nothing_beside_it(hasty):
    _, _, body = ask(hasty, "GET", "/prod/x")

    assert hasty.base_url == f"{hasty.url}/prod"
    assert json.loads(body)["rawPath"] == "/prod/x"
    assert json.loads(body)["requestContext"]["stage"] == "prod"
    assert ask(hasty, "GET", "/production/x")[0] == 404


def test_as_many_run_at_once_as_there_are_instances(host, tmp_path):
    event = {"action": "wait", "folder": str(tmp_path), "parties": 2}

    with ThreadPoolExecutor(2) as pool:
        pids = set(pool.map(lambda _: host.invoke(event), range(2)))

    assert len(pids) == 2


def test_who_finds_no_place_to_wait_is_throttled(tmp_path):
    settings = FunctionSettings(timeout_s=30.0, waiting_max=0)
    within = tmp_path / "within"
    within.mkdir()
    event = {"action": "wait", "folder": str(within), "parties": 2}

    with (
        LambdaHost(make_zip(tmp_path), {}, settings=settings) as one,
        ThreadPoolExecutor(1) as pool,
    ):
        waiting = pool.submit(one.invoke, event)
        while not list(within.iterdir()):
            assert not waiting.done()
        status, _, _ = ask(one, "GET", "/pid")
        with pytest.raises(Throttled):
            one.invoke({"action": "pid"})
        (within / "second").touch()

        assert status == 429
        assert isinstance(waiting.result(), int)


def test_a_killed_host_refuses_connections_and_comes_back_on_the_same_url(host):
    before = host.invoke({"action": "pid"})

    host.kill()
    with pytest.raises(ConnectionRefusedError):
        ask(host, "GET", "/x")
    with pytest.raises(HostDown):
        host.invoke({})
    host.restore()

    assert ask(host, "GET", "/x")[0] == 201
    assert host.invoke({"action": "pid"}) != before


def test_killing_the_host_cuts_a_request_in_the_middle(host, tmp_path):
    event = {"action": "wait", "folder": str(tmp_path), "parties": 3}

    with ThreadPoolExecutor(1) as pool:
        waiting = pool.submit(host.invoke, event)
        while not list(tmp_path.iterdir()):
            assert not waiting.done()
        host.kill()
        error = waiting.exception(timeout=5)
    host.restore()

    assert isinstance(error, InstanceCrashed)


def test_a_module_that_cannot_be_loaded_says_why(tmp_path):
    zip_path = make_zip(tmp_path, "import boto3\n")

    with pytest.raises(InitFailed, match="No module named 'boto3'"), LambdaHost(zip_path, {}):
        pass


def test_a_module_that_takes_too_long_is_given_up(tmp_path):
    zip_path = make_zip(tmp_path, "import time; time.sleep(60)")
    settings = FunctionSettings(init_timeout_s=0.3)

    with (
        pytest.raises(InitFailed, match="not ready within"),
        LambdaHost(zip_path, {}, settings=settings),
    ):
        pass


def test_lambdas_own_variables_cannot_be_set(tmp_path):
    with pytest.raises(ValueError, match="LAMBDA_TASK_ROOT"):
        LambdaHost(make_zip(tmp_path), {"LAMBDA_TASK_ROOT": "/"})


@pytest.mark.parametrize("name", ["../evil.py", "/evil.py"])
def test_a_zip_that_leaves_its_folder_is_refused(tmp_path, name):
    path = tmp_path / "worker.zip"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr(name, "")

    with pytest.raises(BadDeployment):
        LambdaHost(path, {})


def test_what_is_no_zip_is_refused(tmp_path):
    path = tmp_path / "worker.zip"
    path.write_bytes(b"PK?")

    with pytest.raises(BadDeployment, match="no zip"):
        LambdaHost(path, {})


def test_repeated_headers_are_joined_by_a_comma():
    request = HttpRequest(method="GET", target="/", headers=(("x-a", "1"), ("x-a", "2")))

    assert to_event(request)["headers"]["x-a"] == "1,2"


def test_a_result_without_a_status_is_a_200_with_its_json():
    response = to_response({"ok": True})

    assert (response.status, response.body) == (200, b'{"ok": true}')


@pytest.mark.parametrize(
    "result",
    [
        {"statusCode": 99},
        {"statusCode": 200, "headers": ["x"]},
        {"statusCode": 200, "headers": {"x": {}}},
        {"statusCode": 200, "cookies": "a=1"},
        {"statusCode": 200, "body": {}},
        {"statusCode": 200, "body": "?", "isBase64Encoded": True},
        {"statusCode": 200, "body": "x" * (6 * 1024 * 1024 + 1)},
    ],
)
def test_a_result_that_is_no_answer_is_malformed(result):
    with pytest.raises(MalformedResult):
        to_response(result)
