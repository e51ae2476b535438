"""Both zips serve, over their clouds' real runtimes and SDKs, and answer alike."""

import http.client
from typing import Any

import pytest

from cell_devstack.world import AWS, AZURE, World
from tests.e2e.caller import Caller, Reply

pytestmark = [pytest.mark.slow, pytest.mark.xdist_group("e2e-world")]

_OWN_HEADERS = {"x-cell", "x-request-id", "date", "content-length", "server", "connection"}
_OF_THE_EPOCH = {"x-tenant-epoch", "x-tenant-chain"}


@pytest.fixture
def callers(world: World) -> list[Caller]:
    return [Caller(world.cells[name], "T-script") for name in (AWS, AZURE)]


def test_each_cell_provisions_processes_and_reads(caller):
    paid = caller.pay("first")
    account = caller.read("/entities/account.bob")
    books = caller.read("/views/trial_balance")

    assert paid.outcome == (200, "applied")
    assert paid.headers["x-tenant-seq"] == "3"
    assert account.body["body"]["credits_posted"] == "5"
    assert books.body["value"]["balanced"] is True
    assert [event["type"] for event in caller.events_of("first")] == ["ledger.transferred.v1"]


def test_each_cell_says_that_it_is_alive_ready_and_what_it_is(caller):
    alive, ready, described = (
        caller.request("GET", path, grant=False)
        for path in ("/healthz", "/readyz", "/openapi.json")
    )

    assert (alive.outcome, ready.outcome) == ((200, "ok"), (200, "ok"))
    assert described.body["openapi"] == "3.1.0"
    assert "/process" in described.body["paths"]


def test_each_cell_refuses_a_stranger_and_another_tenants_grant(caller):
    envelope = {"tenant_id": "T-other", "domain": "ledger", "command_id": "x"}

    stranger = caller.request("POST", "/process", envelope, grant=False)
    other = caller.request("GET", "/v1/tenants/T-other/domains/ledger/streams/main")

    assert stranger.outcome == (401, "grant_missing")
    assert other.outcome == (403, "grant_tenant")


def test_each_cell_answers_what_http_allows_and_nobody_asked_for(caller):
    origin = http.client.HTTPConnection(caller.cell.base_url.split("/")[2], timeout=30)
    prefix = caller.cell.base_url.split("/", 3)[3:]

    answers = []
    for method in ("PUT", "DELETE", "PATCH"):
        origin.request(method, "/".join(["", *prefix, "process"]))
        answer = origin.getresponse()
        answer.read()
        answers.append((answer.status, answer.headers["allow"]))
    origin.close()

    assert answers == [(405, "POST")] * 3


def test_function_url_and_functions_give_the_same_answers(callers):
    for caller in callers:
        caller.provision()

    aws, azure = ([_comparable(reply) for reply in _script(caller)] for caller in callers)

    assert aws == azure
    statuses = [status for status, _, _ in aws]
    assert statuses == [200, 200, 422, 200, 422, 404, 400, 400, 200, 200, 200, 404]


def _script(caller: Caller) -> list[Reply]:
    """Send what covers successes, replays, rejections, malformed requests and reads."""
    malformed = {"tenant_id": caller.tenant, "domain": "ledger", "command_id": "c7", "extra": 1}
    return [
        caller.pay("c1"),
        caller.pay("c1"),
        caller.pay("c1", amount="6"),
        caller.send("c3", "open_account", account="carol", limit="debits_within_credits"),
        caller.send("c4", "transfer", debit="carol", credit="bob", amount="1"),
        caller.send("c5", "transfer", debit="alice", credit="nobody", amount="1"),
        caller.send("c6", "transfer", debit="alice", credit="bob", amount="-1"),
        caller.request("POST", "/process", malformed),
        caller.read("/entities?limit=2"),
        caller.read("/entities/account.alice"),
        caller.read("/views/trial_balance"),
        caller.read("/entities/account.nobody"),
    ]


def _comparable(reply: Reply) -> tuple[int, dict[str, str], Any]:
    """Return an answer without what names the cell, its epoch, or a moment."""
    cells_own = _OWN_HEADERS | _OF_THE_EPOCH
    headers = {name: value for name, value in reply.headers.items() if name not in cells_own}
    return reply.status, headers, _without_chain(reply.body)


def _without_chain(body: Any) -> Any:
    # The chain covers epoch and time, which differ between two cells.
    if isinstance(body, dict):
        return {name: _without_chain(held) for name, held in body.items() if name != "chain"}
    return body
