"""Cells over HTTP: what is sent, what is believed of an answer, and where is never connected to."""

import asyncio
import json
from collections.abc import AsyncIterator, Callable
from typing import Any

import httpx
import pytest

from cell_control.adapters.registry_memory import MemoryRegistry
from cell_control.codec import write_of
from cell_control.domain.records import Cell
from cell_control.flows.effects import Ask, CellAnswer, NoAnswer
from cell_control.server.cell_addresses import CellAddresses, CellPolicy
from cell_control.server.cell_grants import RENEW_S, CellGrants
from cell_control.server.cell_link import ANSWER_BYTES_MAX, CellLink, JudgedTransport
from cell_control.server.registry_threads import RegistryThreads
from cell_core.wire.grants import GrantVerifier
from tests.core.granting import control_key, jwks

NOW_MS = 1_700_000_000_000


class Clock:
    def __init__(self) -> None:
        self.time_ms = NOW_MS

    def now_ms(self) -> int:
        return self.time_ms


class Bench:
    """A link to one cell whose answers a test gives."""

    def __init__(
        self,
        answer: Callable[[httpx.Request], Any],
        *,
        policy: CellPolicy | None = None,
        **cell: Any,
    ) -> None:
        made = {"cloud": "aws", "region": "local", "base_url": "https://alpha.example/api"}
        registry = MemoryRegistry()
        registry.commit([write_of(Cell(id="aws-alpha", ordinal=1, **{**made, **cell}), 0)])
        self.clock = Clock()
        self.threads = RegistryThreads(registry, now_s=lambda: 0.0)
        self.addresses = CellAddresses(self.threads, policy or CellPolicy(local=True))
        ids = iter(range(1000))
        grants = CellGrants(
            control_key().signer(), now_ms=self.clock.now_ms, new_id=lambda: f"g-{next(ids)}"
        )
        self.seen: list[tuple[str, str]] = []
        self.requests: list[httpx.Request] = []
        self.link = CellLink(
            self.addresses,
            grants,
            transport=Scripted(answer, self.requests),
            connections_max=2,
            now_s=lambda: 0.0,
            observe=lambda cell, result, _seconds: self.seen.append((cell, result)),
        )

    def ask(self, **given: Any) -> CellAnswer | NoAnswer:
        async def ask() -> CellAnswer | NoAnswer:
            try:
                return await self.link.ask(Ask(**{**PLAIN, **given}))
            finally:
                await self.link.close()

        try:
            return asyncio.run(ask())
        finally:
            self.threads.close()


PLAIN = {"cell": "aws-alpha", "method": "GET", "path": "/T-1"}


class Scripted(httpx.AsyncBaseTransport):
    def __init__(self, answer: Callable[[httpx.Request], Any], requests: list[Any]) -> None:
        self._answer = answer
        self._requests = requests

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        self._requests.append(request)
        answer = self._answer(request)
        if asyncio.iscoroutine(answer):
            answer = await answer
        if isinstance(answer, Exception):
            raise answer
        if isinstance(answer, httpx.Response):
            return answer
        return httpx.Response(200, stream=httpx.ByteStream(answer))


def test_a_request_carries_a_grant_for_its_tenant_and_cell_and_its_deadline():
    bench = Bench(lambda _: b'{"ok":true}')

    answer = bench.ask(method="POST", path="/T-1/freeze", body={"epoch": 17}, timeout_ms=1234)

    request = bench.requests[0]
    grant = GrantVerifier(jwks(control_key()), audience="aws-alpha").verify(
        request.headers["authorization"].removeprefix("Bearer "), NOW_MS // 1000
    )
    assert answer == CellAnswer(status=200, body={"ok": True})
    assert str(request.url) == "https://alpha.example/api/v1/control/tenants/T-1/freeze"
    assert (grant.tenant, grant.scope, grant.issuer) == ("T-1", "control", "control")
    assert request.headers["x-deadline-ms"] == "1234"
    assert json.loads(request.content) == {"epoch": 17}
    assert bench.seen == [("aws-alpha", "200")]


@pytest.mark.parametrize(("path", "tenant"), [("", "*"), ("?limit=5", "*"), ("/T-1?x=1", "T-1")])
def test_a_grant_is_for_every_tenant_only_where_a_directory_is_read(path: str, tenant: str):
    bench = Bench(lambda _: b"{}", grant_header="x-cell-grant")

    bench.ask(path=path)

    token = bench.requests[0].headers["x-cell-grant"]
    verifier = GrantVerifier(jwks(control_key()), audience="aws-alpha")
    assert verifier.verify(token, NOW_MS // 1000).tenant == tenant
    assert "authorization" not in bench.requests[0].headers


def test_a_grant_is_signed_once_until_it_is_old():
    clock = Clock()
    grants = CellGrants(control_key().signer(), now_ms=clock.now_ms, new_id=lambda: "g-1")
    first = grants.token("aws-alpha", "T-1")

    clock.time_ms += (RENEW_S - 1) * 1000
    assert grants.token("aws-alpha", "T-1") is first
    assert grants.token("aws-alpha", "T-2") != first
    clock.time_ms += 1000
    assert grants.token("aws-alpha", "T-1") != first


@pytest.mark.parametrize(
    ("answer", "reason"),
    [
        (b"", "broken_json"),
        (b"{", "broken_json"),
        (b'{"a":1,"a":2}', "broken_json"),
        (b'{"a":NaN}', "broken_json"),
        (b"[" * 100 + b"]" * 100, "broken_json"),
        (b"\xff", "broken_json"),
        (b" " * (ANSWER_BYTES_MAX + 1), "too_large"),
        (httpx.ConnectError("x"), "unreachable"),
        (httpx.ConnectTimeout("x"), "timeout"),
        (httpx.RemoteProtocolError("x"), "connection_lost"),
        (httpx.ReadError("x"), "connection_lost"),
    ],
)
def test_what_is_no_answer_is_one_by_a_code(answer: Any, reason: str):
    bench = Bench(lambda _: answer)

    assert bench.ask() == NoAnswer(reason=reason)
    assert bench.seen == [("aws-alpha", reason)]
    assert len(bench.requests) == 1


def test_a_redirect_is_not_followed():
    headers = {"location": "http://169.254.169.254/"}
    bench = Bench(lambda _: httpx.Response(302, headers=headers, stream=httpx.ByteStream(b"{}")))

    assert bench.ask() == CellAnswer(status=302, body={})
    assert len(bench.requests) == 1


def test_a_cell_that_drips_is_given_up_in_time():
    async def drips() -> AsyncIterator[bytes]:
        yield b"{"
        await asyncio.Event().wait()

    class Dripping(httpx.AsyncByteStream):
        def __aiter__(self) -> AsyncIterator[bytes]:
            return drips()

    bench = Bench(lambda _: httpx.Response(200, stream=Dripping()))

    assert bench.ask(timeout_ms=20) == NoAnswer(reason="timeout")


def test_a_cell_that_hangs_takes_no_more_than_its_places():
    under_way: list[int] = [0, 0]

    async def hang() -> None:
        under_way[0] += 1
        under_way[1] = max(under_way)
        try:
            await asyncio.Event().wait()
        finally:
            under_way[0] -= 1

    bench = Bench(lambda _: hang())

    async def scenario() -> list[CellAnswer | NoAnswer]:
        asks = [bench.link.ask(Ask(**PLAIN, timeout_ms=30)) for _ in range(5)]
        return await asyncio.gather(*asks)

    answers = asyncio.run(scenario())

    assert answers == [NoAnswer(reason="timeout")] * 5
    assert under_way == [0, 2]
    bench.threads.close()


@pytest.mark.parametrize(
    ("url", "reason"),
    [
        ("http://alpha.example", "url_plain"),
        ("https://alpha.example.evil", "host_not_listed"),
        ("https://evilexample", "host_not_listed"),
        ("https://127.0.0.1", "host_not_listed"),
        ("https://alpha.example", ""),
    ],
)
def test_outside_the_local_world_only_listed_hosts_are_asked_over_https(url: str, reason: str):
    policy = CellPolicy(local=False, host_suffixes=(".example",))
    bench = Bench(lambda _: b"{}", policy=policy, base_url=url)

    answer = bench.ask()

    assert isinstance(answer, NoAnswer) == bool(reason)
    if isinstance(answer, NoAnswer):
        assert (answer.reason, bench.requests) == (reason, [])


@pytest.mark.parametrize(
    ("host", "local", "reason"),
    [
        ("127.0.0.1", False, "loopback"),
        ("10.1.2.3", False, "private"),
        ("169.254.169.254", True, "metadata"),
        ("127.0.0.1", True, ""),
    ],
)
def test_an_address_is_judged_before_it_is_connected_to(
    host: str,
    local: bool,  # noqa: FBT001 - a parameter of the test
    reason: str,
):
    requests: list[httpx.Request] = []
    judged = JudgedTransport(Scripted(lambda _: b"{}", requests), local=local)
    bench = Bench(lambda _: b"{}", base_url=f"https://{host}")
    bench.link = CellLink(
        bench.addresses,
        CellGrants(control_key().signer(), now_ms=bench.clock.now_ms, new_id=lambda: "g"),
        transport=judged,
        connections_max=1,
        now_s=lambda: 0.0,
    )

    answer = bench.ask()

    if reason:
        assert (answer, requests) == (NoAnswer(reason=reason), [])
    else:
        assert requests[0].url.host == host
        assert requests[0].extensions["sni_hostname"] == host


def test_a_cell_that_is_not_declared_is_not_asked():
    bench = Bench(lambda _: b"{}")

    assert bench.ask(cell="nobody") == NoAnswer(reason="unknown_cell")
    assert bench.requests == []
