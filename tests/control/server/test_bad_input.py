"""Whatever is sent, the answer is a problem with a stable code: never a 500, never a value back."""

import asyncio
from pathlib import Path
from typing import Any

import httpx
import pytest

from cell_control.server.routing import BODY_BYTES_MAX, Route
from tests.control.server.plane import CellsTransport, Plane, running

SECRET = "a-value-that-must-not-come-back"
DEEP = b'{"reason":' * 200 + b"1" + b"}" * 200
BODIES: tuple[bytes, ...] = (
    b"",
    b"{",
    b"[]",
    b"null",
    b"1",
    b'"text"',
    b"\xff\xfe",
    b"{}{}",
    b'{"reason":1}',
    b'{"reason":"' + b"x" * 501 + b'"}',
    b'{"reason":"a","reason":"b"}',
    b'{"reason":NaN}',
    b'{"reason":1e999}',
    b'{"tenants":["T-1",1]}',
    b'{"tenants":{"T-1":1}}',
    b'{"id":"' + SECRET.encode() + b'/../x"}',
    b'{"' + SECRET.encode() + b'":1}',
    b'{"stripes":0,"policy":{"priority":99}}',
    b'{"id":"\\ud800"}',
    b'{"to":"nowhere"}',
    b'{"ordinal":16,"cloud":"aws","region":"eu","base_url":"https://a.example"}',
    b'{"ordinal":true,"cloud":"aws","region":"eu","base_url":"https://a.example"}',
    b'{"ordinal":3,"cloud":"aws","region":"eu","base_url":"https://a.example/?q=1"}',
    DEEP,
    b'{"reason":"' + b"x" * BODY_BYTES_MAX + b'"}',
)
QUERIES = (
    "limit=0",
    "limit=1001",
    "limit=x",
    "limit=1&limit=2",
    "after=" + "%00",
    "after=" + "a" * 3000,
    "unknown=1",
    "after=-1",
    "after=99999999999999999999",
    "after=1&wait_s=nan",
    "status=odd",
)
NAMES = ("..", "%2e%2e", "a b", "a%2Fb", "a%00", "x" * 65, "%c3%a9", "-", "~recovery")


def _path(route: Route, name: str = "T-1") -> str:
    parts = [name if part.startswith("{") else part for part in route.path.split("/")]
    return "/".join(parts)


async def _all(plane: Plane, sends: list[tuple[str, str, dict[str, Any]]]) -> list[httpx.Response]:
    return [await plane.ask(method, path, **given) for method, path, given in sends]


def _judge(answers: list[httpx.Response]) -> None:
    for answer in answers:
        assert 400 <= answer.status_code < 500, (answer.request.url, answer.text)
        assert answer.headers["content-type"] == "application/problem+json"
        assert answer.json()["status"] == answer.status_code
        assert SECRET not in answer.json().get("detail", "")


def test_a_bad_body_is_refused_by_every_write(tmp_path: Path):
    async def scenario() -> tuple[list[httpx.Response], list[Any]]:
        transport = CellsTransport()
        async with running(tmp_path, transport=transport) as plane:
            json_type = {"headers": {"content-type": "application/json"}}
            answers = await _all(
                plane,
                [
                    (row.method, _path(row), {"content": body, **json_type})
                    for row in plane.control.rows
                    if row.body is not None and row.id != "ring_doorbells"
                    for body in BODIES
                ],
            )
            return answers, plane.lines("request_broke")

    answers, broken = asyncio.run(scenario())

    _judge(answers)
    assert broken == []


def test_a_bad_query_is_refused_by_every_list(tmp_path: Path):
    async def scenario() -> list[httpx.Response]:
        async with running(tmp_path) as plane:
            sends = [
                ("GET", f"/v1/{what}?{query}", {})
                for what in ("tenants", "operations", "audit")
                for query in QUERIES
                if not (query in ("status=odd", "after=-1") and what == "audit")
            ]
            feed = [("GET", f"/v1/registry/changes?{query}", {}) for query in QUERIES]
            return await _all(
                plane,
                [
                    s
                    for s in sends
                    if "after=-1" not in s[1] and "after=9" not in s[1] and "wait_s" not in s[1]
                ]
                + feed,
            )

    _judge([answer for answer in asyncio.run(scenario()) if "after=1001" not in str(answer.url)])


def test_a_bad_name_in_a_path_is_refused_everywhere(tmp_path: Path):
    async def scenario() -> list[httpx.Response]:
        async with running(tmp_path) as plane:
            return await _all(
                plane,
                [
                    (row.method, _path(row, name), {"body": {}} if row.body else {})
                    for row in plane.control.rows
                    if "{" in row.path
                    for name in NAMES
                ],
            )

    _judge(asyncio.run(scenario()))


@pytest.mark.parametrize(
    ("kind", "status"),
    [
        ("application/json", 200),
        ("application/json; charset=utf-8", 200),
        ("application/json; charset=latin-1", 415),
        ("text/plain", 415),
        ("application/x-www-form-urlencoded", 415),
    ],
)
def test_a_body_is_json_in_utf_8(tmp_path: Path, kind: str, status: int):
    async def scenario() -> int:
        async with running(tmp_path) as plane:
            answer = await plane.ask(
                "POST", "/v1/doorbells", content=b'{"tenants":[]}', headers={"content-type": kind}
            )
            return answer.status_code

    assert asyncio.run(scenario()) == status


def test_a_method_that_is_not_there_is_named_with_those_that_are(tmp_path: Path):
    async def scenario() -> tuple[int, str, int]:
        async with running(tmp_path) as plane:
            wrong = await plane.ask("DELETE", "/v1/cells/aws-alpha")
            missing = await plane.ask("GET", "/v1/nothing")
            return wrong.status_code, wrong.headers["allow"], missing.status_code

    assert asyncio.run(scenario()) == (405, "GET, PATCH, PUT", 404)


def test_a_bug_is_a_500_without_its_text_and_a_line_with_its_place(tmp_path: Path):
    async def scenario() -> tuple[httpx.Response, list[Any]]:
        async with running(tmp_path) as plane:

            async def breaks(_after: int, _wait_s: float) -> bytes:
                raise ZeroDivisionError(SECRET)

            plane.control.feed.changes = breaks  # type: ignore[method-assign]
            answer = await plane.ask("GET", "/v1/registry/changes?after=1")
            return answer, plane.lines("request_broke")

    answer, broken = asyncio.run(scenario())

    assert (answer.status_code, answer.json()["code"]) == (500, "internal")
    assert SECRET not in answer.text
    assert broken[0]["error"] == "ZeroDivisionError"
    assert SECRET not in str(broken)
    assert any(place.startswith("test_bad_input.py:") for place in broken[0]["at"])


def test_a_request_keeps_the_id_it_came_with_if_it_is_one(tmp_path: Path):
    async def scenario() -> list[str]:
        async with running(tmp_path) as plane:
            answers = [
                await plane.ask("GET", "/healthz", headers={"x-request-id": given})
                for given in ("r-77", "not an id", "x" * 100)
            ]
            return [answer.headers["x-request-id"] for answer in answers]

    kept, *made = asyncio.run(scenario())

    assert kept == "r-77"
    assert all(one.startswith("id-") for one in made)


def test_a_line_of_the_access_log_has_no_token_and_no_body(tmp_path: Path):
    async def scenario() -> str:
        async with running(tmp_path) as plane:
            await plane.ask("POST", "/v1/tenants", {"id": "T-1", "reason": SECRET})
            return plane.log.getvalue()

    log = asyncio.run(scenario())

    assert '"route":"create_tenant"' in log
    assert SECRET not in log
    assert "cc_local" not in log
