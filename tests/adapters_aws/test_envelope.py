"""What Lambda is given and gives back, as core's request and response."""

import base64
import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cell_adapters_aws.envelope import from_response, is_timer, to_request
from cell_core.domain.canonical import parse
from cell_core.domain.errors import InvalidInput
from cell_core.wire.message import Request, Response
from tests.adapters_aws.events import url_event
from tests.characters import texts

_JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | texts(20),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(texts(20), inner, max_size=3),
    max_leaves=12,
)
_PARTS = ["requestContext", "rawPath", "rawQueryString", "headers", "body", "isBase64Encoded"]


def test_a_function_url_event_is_the_request_it_carries():
    event = url_event(
        method="POST",
        path="/v1/commands",
        query="a=1&b=%20",
        headers={"content-type": "application/json", "x-tenant-id": "T-1"},
        body=b'{"a":1}',
    )

    assert to_request(event) == Request(
        method="POST",
        path="/v1/commands",
        query="a=1&b=%20",
        headers={"content-type": "application/json", "x-tenant-id": "T-1"},
        body=b'{"a":1}',
    )


def test_a_request_without_a_body_has_an_empty_one():
    assert to_request(url_event(path="/healthz")).body == b""


@given(body=st.binary(max_size=200))
def test_a_body_in_base64_is_the_bytes_that_were_sent(body):
    event = url_event(body=base64.b64encode(body).decode(), isBase64Encoded=True)

    assert to_request(event).body == body


@given(body=st.text("aZ09 -_.~é€漢🐎", max_size=100))
def test_a_body_in_text_is_its_bytes_in_utf_8(body):
    assert to_request(url_event(body=body)).body == body.encode()


@pytest.mark.parametrize(
    ("body", "is_base64"),
    [
        pytest.param("e30", True, id="padding is missing"),
        pytest.param("e30=\n", True, id="a line break"),
        pytest.param("e-_0", True, id="the other alphabet"),
        pytest.param("🐎", True, id="not ASCII"),
        pytest.param('"\ud800"', False, id="a lone surrogate"),
    ],
)
def test_a_body_that_cannot_be_decoded_is_one_that_core_refuses_as_json(body, is_base64):
    request = to_request(url_event(body=body, isBase64Encoded=is_base64))

    with pytest.raises(InvalidInput) as error:
        parse(request.body)
    assert error.value.code == "invalid_json"


def test_header_names_become_lower_case_and_doubles_are_joined():
    event = url_event(headers={"Content-Type": "a", "X-Twice": "1", "x-twice": "2"})

    assert to_request(event).headers == {"content-type": "a", "x-twice": "1,2"}


def test_cookies_are_dropped_wherever_they_stand():
    event = url_event(headers={"Cookie": "a=b", "accept": "*/*"}, cookies=["a=b", "c=d"])

    assert to_request(event).headers == {"accept": "*/*"}


@pytest.mark.parametrize(
    ("stage", "raw", "path"),
    [
        ("$default", "/prod/healthz", "/prod/healthz"),
        ("prod", "/prod/healthz", "/healthz"),
        ("prod", "/prod", "/"),
        ("prod", "/prod/", "/"),
        ("prod", "/production/healthz", "/production/healthz"),
        ("prod", "/healthz", "/healthz"),
        ("prod", "/prod/prod/healthz", "/prod/healthz"),
        ("", "/healthz", "/healthz"),
    ],
)
def test_the_stage_of_an_http_api_is_no_part_of_the_path(stage, raw, path):
    assert to_request(url_event(path=raw, stage=stage)).path == path


def test_the_path_and_the_query_are_never_decoded():
    request = to_request(url_event(path="/v1/tenants/T%2F1", query="after=%41&after=%42"))

    assert (request.path, request.query) == ("/v1/tenants/T%2F1", "after=%41&after=%42")


@given(event=_JSON)
def test_any_json_is_some_request(event):
    assert isinstance(to_request(event), Request)


@given(part=st.sampled_from(_PARTS), value=_JSON)
def test_an_event_with_any_part_spoiled_is_some_request(part, value):
    request = to_request(url_event() | {part: value})

    assert isinstance(request, Request)
    assert all(isinstance(text, str) for text in [request.method, request.path, request.query])
    assert isinstance(request.body, bytes)


def test_an_event_that_is_no_request_has_a_path_that_core_does_not_know():
    request = to_request({"Records": []})

    assert (request.method, request.path) == ("", "")


def test_a_response_becomes_lambda_s_reply():
    response = Response(status=421, headers={"x-tenant-epoch": "18"}, body='{"a":"é"}'.encode())

    reply = from_response(response)

    assert reply == {
        "statusCode": 421,
        "headers": {"x-tenant-epoch": "18"},
        "body": '{"a":"é"}',
        "isBase64Encoded": False,
    }
    assert json.loads(json.dumps(reply)) == reply


@pytest.mark.parametrize(
    "event",
    [
        {"source": "aws.events", "detail-type": "Scheduled Event", "detail": {}},
        {"source": "aws.scheduler", "detail": "{}"},
        {"detail-type": "Scheduled Event"},
    ],
)
def test_an_event_of_the_schedule_is_a_timer(event):
    assert is_timer(event)


@pytest.mark.parametrize(
    "event",
    [
        pytest.param(url_event(), id="a request"),
        pytest.param(url_event(body='{"source":"aws.events"}'), id="in the body"),
        pytest.param(url_event(headers={"source": "aws.events"}), id="in a header"),
        pytest.param(url_event() | {"source": "aws.events"}, id="beside a request"),
        pytest.param({"source": "someone.else"}, id="another source"),
        pytest.param([], id="a list"),
        pytest.param(None, id="nothing"),
    ],
)
def test_no_caller_can_make_a_timer(event):
    assert not is_timer(event)
