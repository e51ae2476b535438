"""Writes that a standby has to acknowledge: waited for, sent again, never taken for granted."""

import json
from typing import Any

from cell_core.domain.ids import stripe_of
from cell_core.wire.registry import Change, TenantRecord, tenant_text
from tests.router.fresh import Modules
from tests.router.sim import Sim, losing, statuses
from tests.router.vectors import world

M = Modules()


def body(number: int, tenant: str = "T-900") -> bytes:
    return json.dumps(
        {"tenant_id": tenant, "domain": "ledger", "stream": "main", "command": "transfer",
         "command_id": f"c-{number}", "data": {}}
    ).encode()  # fmt: skip


def store() -> Any:
    return world.store_of(lambda cell: f"http://{cell}")


def answered(x: Any, ack: bytes = b"standby") -> Any:
    headers = {b"content-type": b"application/json", b"x-tenant-epoch": b"17",
               b"x-tenant-seq": b"7", b"x-cell-ack": ack}  # fmt: skip
    sent = json.loads(x.sent_body)
    envelopes = sent.get("envelopes")
    if envelopes is None:
        return M.messages.CellAnswer(200, headers, x.sent_body)
    results = [result(one) for one in envelopes]
    return M.messages.CellAnswer(200, headers, json.dumps({"results": results}).encode())


def result(envelope: dict[str, Any]) -> dict[str, Any]:
    """Return what a bundle's answer says of one envelope; each tenth is rejected, or unreadable."""
    number = int(envelope["command_id"].removeprefix("c-"))
    position = {"position": {"stripe": 0, "seq": number, "chain": "c"}}
    if number % 10 == 8:
        return {"status": 422, "body": {"code": "insufficient_funds", **position}}
    if number % 10 == 9:
        return {"status": 400, "body": {"code": "invalid_data"}}
    return {"status": 200, "body": position}


def said(status: int, code: str, epoch: int = 17) -> Any:
    headers = {b"content-type": b"application/problem+json", b"x-tenant-epoch": b"%d" % epoch}
    return M.messages.CellAnswer(status, headers, json.dumps({"code": code}).encode())


def moves(x: Any, now: float) -> tuple[float, Any]:
    """Answer as cells do of which the standby is the home now."""
    return 0.005, (answered(x) if x.route.epoch == 18 else said(421, "moved", 18))


def tell(registry: Any, sim: Sim, record: TenantRecord) -> None:
    change = Change(rev=2, kind="tenant", key=record.tenant, value=tenant_text(record))
    registry.apply(2, [change])
    sim.refresh()


# ── After a move to the standby ──────────────────────────────────────────────


def test_writes_of_a_tenant_that_moved_to_its_standby_go_on_once_the_registry_names_the_next():
    registry, lines = store(), []

    def cell(x: Any, now: float) -> tuple[float, Any]:
        if x.route.epoch == 18:
            lines.append(x.lines)
        return moves(x, now)

    sim = Sim(M, registry, cell)
    requests = [sim.ask(body(number)) for number in range(40)]
    swapped = TenantRecord(tenant="T-900", epoch=18, standby=1, ack="refuse")
    sim.later(0.25, lambda: tell(registry, sim, swapped))
    sim.run()

    assert set(statuses(sim, requests)) == {200, 400, 422}  # The cell's own words.
    assert max(sim.took(request) for request in requests) < 1000.35
    assert lines
    assert all(b"x-cell-standby: http://aws-alpha\r\n" in sent for sent in lines)


def test_while_the_registry_says_nothing_no_cell_is_asked_and_the_deadline_holds():
    sim = Sim(M, store(), moves)

    requests = [sim.ask(body(number), x_deadline_ms="900") for number in range(20)]
    sim.run()

    assert {sim.reply(request).code for request in requests} == {"standby_unavailable"}
    assert max(sim.took(request) for request in requests) <= 1000.9
    assert {cell for _, cell, *_ in sim.sent} == {"aws-alpha"}


def test_writes_without_a_standby_are_held_up_to_a_bound_and_the_rest_is_told_at_once():
    sim = Sim(M, store(), moves, coalesce=False, tenant_in_flight_max=5000, cell_in_flight_max=5000)

    requests = [sim.ask(body(number)) for number in range(1100)]
    sim.run(1.0)

    refused = [sim.reply(request) for request in requests if request.id in sim.replies]
    assert len(refused) == 1100 - 1001
    assert {reply.code for reply in refused} == {"standby_unavailable"}
    sim.run()
    assert sim.edge.parking.held == 0
    assert sim.edge.parking.tenants() == []


def test_a_write_that_waits_is_let_go_when_its_policy_is_eased():
    registry = store()
    sim = Sim(M, registry, moves)

    request = sim.ask(body(1))
    sim.later(0.2, lambda: tell(registry, sim, TenantRecord(tenant="T-900", epoch=18)))
    sim.run()

    assert sim.reply(request).status == 200
    assert sim.took(request) < 1000.25


# ── While the standby is away ────────────────────────────────────────────────


def test_a_standby_that_is_away_does_not_spend_the_retries_of_its_tenants_home():
    cell = losing("T-900", "T-302", said(503, "outcome_unknown"), answered)
    sim = Sim(M, store(), cell, coalesce=False)
    writes = [sim.ask(body(n), at=n * 0.001, x_deadline_ms="900") for n in range(500)]
    sim.run(0.5)
    other = sim.ask(body(500, "T-302"))
    sim.run()

    assert statuses(sim, [other]) == [200]
    assert {sim.reply(write).code for write in writes} == {"outcome_unknown"}
    # Nobody asked the standby anything, so that little more than 3 a second may be sent again.
    assert len(sim.sent) < 520


def test_a_write_that_the_standby_took_late_has_one_effect_and_one_answer():
    effects: list[str] = []
    refusals = iter([said(503, "outcome_unknown")] * 2)

    def cell(x: Any, now: float) -> tuple[float, Any]:
        command_id = json.loads(x.sent_body)["command_id"]
        if command_id not in effects:
            effects.append(command_id)
        return 0.01, next(refusals, None) or answered(x)

    sim = Sim(M, store(), cell)
    request = sim.ask(body(1))
    sim.run()

    assert sim.reply(request).status == 200
    assert (effects, len(sim.sent)) == (["c-1"], 3)
    assert {sent for *_, sent in sim.sent} == {body(1)}


def test_a_dark_standby_costs_a_fifth_more_attempts_and_leaves_every_write_in_doubt():
    sim = Sim(M, store(), lambda x, now: (0.001, said(503, "outcome_unknown")), coalesce=False)

    requests = [sim.ask(body(n), at=n * 0.002) for n in range(500)]
    sim.run()

    assert {sim.reply(request).code for request in requests} == {"outcome_unknown"}
    assert len(sim.sent) <= 500 + 100 + 3 * 10
    assert not any(b"x-cell-ack" in dict(sim.reply(request).headers) for request in requests)


def test_each_command_of_a_bundle_is_told_who_has_it_if_it_is_in_a_journal():
    sim = Sim(M, store(), lambda x, now: (0.01, answered(x)))

    requests = [sim.ask(body(number)) for number in range(40)]
    sim.run()

    assert len(sim.sent) == 3
    acks = [dict(sim.reply(request).headers).get(b"x-cell-ack") for request in requests]
    assert statuses(sim, requests)[8:10] == [422, 400]
    assert acks == [None if number % 10 == 9 else b"standby" for number in range(40)]


# ── Acknowledged positions ───────────────────────────────────────────────────


def position_after(sent: bytes, *outcomes: Any, target: bytes = b"/process") -> Any:
    """Return the position that the exchange of one request has acknowledged."""
    seen: list[Any] = []
    left = iter(outcomes)

    def cell(x: Any, now: float) -> tuple[float, Any]:
        seen.append(x)
        return 0.01, next(left, None) or answered(x)

    sim = Sim(M, store(), cell)
    sim.begin(b"POST", target, {b"content-type": b"application/json"}, sent)
    sim.run()
    return seen[-1].position


def test_what_the_standby_did_not_take_is_no_acknowledged_position():
    assert position_after(body(1), *[said(503, "outcome_unknown")] * 99) is None


def test_what_it_took_at_last_is_one():
    assert position_after(body(1), said(503, "outcome_unknown")) == (0, 17, 7)


def test_a_client_s_bundle_is_one_of_its_first_command_s_stripe():
    envelopes = b'{"envelopes":[%s]}' % body(1, "T-600").replace(b'"main"', b'"a"')

    position = position_after(envelopes, target=b"/v1/bundle")

    assert position == (stripe_of("ledger", "a", 4), 17, 7)
    assert position[0] != 0
