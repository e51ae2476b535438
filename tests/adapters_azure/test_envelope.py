"""A request and a response keep every byte on their way through the Functions host."""

import azure.functions as func
import pytest

from cell_adapters_azure.envelope import from_response, to_request
from cell_core.wire.message import Response


def request(url: str, method: str = "GET", body: bytes = b"", **headers: str) -> func.HttpRequest:
    return func.HttpRequest(method, url, headers=headers, body=body)


@pytest.mark.parametrize(
    ("url", "path", "query"),
    [
        ("http://h/api/process", "/process", ""),
        ("https://h:443/api/v1/commands", "/v1/commands", ""),
        ("http://h/api", "/", ""),
        ("http://h/api/", "/", ""),
        ("http://h", "/", ""),
        ("http://h/healthz", "/healthz", ""),
        ("http://h/apiary/x", "/apiary/x", ""),
        ("http://h/api/api/x", "/api/x", ""),
        ("http://h/api/a%2Fb/c%3Fd", "/a%2Fb/c%3Fd", ""),
        ("http://h/api//a/../b", "//a/../b", ""),
        ("http://h/api/x?after=a%2Bb&limit=10&limit=11", "/x", "after=a%2Bb&limit=10&limit=11"),
        ("http://h/api/x?a=b?c", "/x", "a=b?c"),
    ],
)
def test_a_url_becomes_a_path_without_prefix_and_a_query_as_it_was(url, path, query):
    made = to_request(request(url))

    assert (made.path, made.query) == (path, query)


def test_method_headers_and_body_are_carried_over():
    made = to_request(
        request("http://h/api/process", "POST", b'{"a":1}\x00\xff', **{"X-Tenant-Id": "T-1, T-2"})
    )

    assert made.method == "POST"
    assert made.headers == {"x-tenant-id": "T-1, T-2"}
    assert made.body == b'{"a":1}\x00\xff'


def test_a_response_keeps_status_headers_and_bytes():
    headers = {"content-type": "application/problem+json", "x-tenant-epoch": "17"}

    reply = from_response(Response(status=421, headers=headers, body=b"\x00\xff"))

    assert reply.status_code == 421
    assert dict(reply.headers) == headers
    assert reply.get_body() == b"\x00\xff"
    assert reply.mimetype == "application/problem+json"


def test_a_response_without_a_type_is_not_called_text():
    assert from_response(Response(status=200, headers={}, body=b"x")).mimetype != "text/plain"
