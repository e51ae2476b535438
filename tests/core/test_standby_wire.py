"""Where a standby may be, and what its answers mean."""

import json

import pytest

from cell_core.wire.message import Response
from cell_core.wire.standby import (
    Declined,
    Held,
    Missing,
    Push,
    Standby,
    Superseded,
    Unsure,
    apply_request,
    is_cell_url,
    read_verdict,
)

CHAIN = "ab" * 32


@pytest.mark.parametrize(
    "url",
    [
        "https://cell.example",
        "https://a1-b2.lambda-url.eu-west-1.on.aws/",
        "https://cell.azurewebsites.net/api",
        "https://Cell.Example:8443/live/api",
    ],
)
def test_a_cell_is_at_a_name_over_https(url: str) -> None:
    assert is_cell_url(url, local=False)
    assert is_cell_url(url, local=True)


@pytest.mark.parametrize(
    "url", ["http://127.0.0.1:7072/api", "http://localhost:8080", "http://[::1]:80"]
)
def test_plain_http_and_addresses_are_for_the_local_world(url: str) -> None:
    assert is_cell_url(url, local=True)
    assert not is_cell_url(url, local=False)


@pytest.mark.parametrize(
    "url",
    [
        "",
        "https://",
        "ftp://cell.example",
        "https://user@cell.example",
        "https://user:word@cell.example",
        "https://cell.example?x=1",
        "https://cell.example#x",
        "https://cell.example/a?b",
        "https://cell.example/a/../b",
        "https://cell.example/%2e%2e/b",
        "https://cell.example//x",
        "https://cell.example:123456",
        "https://cell.example\n",
        "https://cell.example /",
        "https://céll.example",
        "https://" + "a." * 200 + "example",
        "https://cell.example" + "/a" * 9,
        "//cell.example",
        "cell.example",
    ],
)
@pytest.mark.parametrize("local", [False, True])
def test_what_is_more_or_less_than_a_cell_s_url_is_none(url: str, local: object) -> None:
    assert not is_cell_url(url, local=bool(local))


@pytest.mark.parametrize(
    "url",
    ["https://169.254.169.254/", "https://10.0.0.1", "https://localhost", "https://2852039166"],
)
def test_outside_the_local_world_no_address_and_no_bare_name_is_a_cell_s(url: str) -> None:
    assert not is_cell_url(url, local=False)


def _answer(status: int, body: object, **headers: str) -> Response:
    raw = body if isinstance(body, bytes) else json.dumps(body).encode()
    return Response(status=status, headers=headers, body=raw)


FENCE = {"role": "standby", "epoch": 17, "seq": 5, "chain": CHAIN, "home_hint": "aws-alpha"}


@pytest.mark.parametrize(
    ("answer", "verdict"),
    [
        (_answer(200, {"fence": FENCE}), Held(5, CHAIN)),
        (_answer(200, {"fence": {**FENCE, "role": "frozen"}}), Unsure("unreadable")),
        (_answer(200, {"fence": {**FENCE, "seq": True}}), Unsure("unreadable")),
        (_answer(200, {"fence": {**FENCE, "seq": -1}}), Unsure("unreadable")),
        (_answer(200, {"fence": {**FENCE, "chain": "x"}}), Unsure("unreadable")),
        (_answer(200, []), Unsure("unreadable")),
        (_answer(200, b'{"fence":{},"fence":{}}'), Unsure("unreadable")),
        (_answer(200, b"[" * 5000), Unsure("unreadable")),
        (_answer(409, {"code": "gap", "have": 3}), Missing(3)),
        (_answer(409, {"code": "gap", "have": "3"}), Declined("gap")),
        (_answer(409, {"code": "gap"}), Declined("gap")),
        (_answer(409, {"code": "contention"}), Unsure("contention")),
        (_answer(429, {"code": "throttled"}), Unsure("throttled")),
        (_answer(503, {"code": "overloaded"}), Unsure("overloaded")),
        (_answer(500, {}), Unsure("status_500")),
        (_answer(404, {"code": "tenant_not_found"}), Declined("tenant_not_found")),
        (_answer(403, {"code": ["x"]}), Declined("status_403")),
        (
            _answer(
                409,
                {"code": "fence_refused", "fence": {**FENCE, "role": "active"}},
                **{"x-cell": "azure-beta"},
            ),
            Superseded(17, "azure-beta"),
        ),
        (
            _answer(409, {"code": "fence_refused", "fence": {**FENCE, "role": "quarantine"}}),
            Superseded(17, "aws-alpha"),
        ),
        (
            _answer(409, {"code": "fence_refused", "fence": {**FENCE, "home_hint": "a b"}}),
            Superseded(17, ""),
        ),
        (_answer(409, {"code": "fence_refused"}), Declined("fence_refused")),
        (_answer(409, {"code": "fence_refused", "fence": {}}), Declined("fence_refused")),
    ],
)
def test_an_answer_has_one_meaning(answer: Response, verdict: object) -> None:
    assert read_verdict(answer) == verdict


def test_a_push_is_a_request_to_apply() -> None:
    push = Push(tenant="T-1", stripe=3, epoch=17, bodies=['{"é":1}'], request_id="q")
    to = Standby(
        base_url="https://c.example", grant="a.b.c", grant_header="x-cell-grant", degrade=False
    )

    request = apply_request(push, to, timeout_ms=250)

    assert request.path == "/v1/control/tenants/T-1/stripes/3/apply"
    assert json.loads(request.body) == {"epoch": 17, "entries": ['{"é":1}']}
    assert request.headers == {
        "content-type": "application/json",
        "x-cell-grant": "a.b.c",
        "x-tenant-id": "T-1",
        "x-tenant-epoch": "17",
        "x-deadline-ms": "250",
        "x-request-id": "q",
    }


def test_a_grant_does_not_show_where_a_standby_does() -> None:
    to = Standby(
        base_url="https://c.example", grant="a.b.c", grant_header="x-cell-grant", degrade=False
    )

    assert "a.b.c" not in repr(to)
