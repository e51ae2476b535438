"""Many requests at once, in virtual time: places, bundles, holds, deadlines."""

import json
import random
from typing import Any

import pytest

from cell_core.wire.registry import Change, TenantRecord, tenant_text
from tests.router.fresh import Modules
from tests.router.sim import Sim, losing, statuses
from tests.router.vectors import world

M = Modules()
Failure = M.decide.Failure
PROBLEM = {b"content-type": b"application/problem+json"}


CODES = (
    (503, "frozen"), (409, "epoch_behind"), (503, "outcome_unknown"), (409, "contention"),
    (429, "throttled"), (401, "grant_expired"), (500, "internal"), (400, "invalid_json"),
)  # fmt: skip


def body(number: int, tenant: str = "T-100", stream: str = "main") -> bytes:
    return json.dumps(
        {"tenant_id": tenant, "domain": "ledger", "stream": stream, "command": "transfer",
         "command_id": f"c-{number}", "data": {}}
    ).encode()  # fmt: skip


def answered(x: Any) -> Any:
    """Answer as a cell does: each command with its own id, alone or in a bundle."""
    headers = {
        b"content-type": b"application/json",
        b"x-tenant-epoch": b"17",
        b"x-tenant-seq": b"1",
    }
    sent = json.loads(x.sent_body)
    if x.target == b"/v1/bundle":
        results = [
            {"status": 200, "body": {"command_id": one["command_id"]}} for one in sent["envelopes"]
        ]
        return M.messages.CellAnswer(200, headers, json.dumps({"results": results}).encode())
    return M.messages.CellAnswer(
        200, headers, json.dumps({"command_id": sent["command_id"]}).encode()
    )


def said(status: int, code: str, epoch: int | None = None) -> Any:
    headers = dict(PROBLEM)
    if epoch is not None:
        headers[b"x-tenant-epoch"] = b"%d" % epoch
    return M.messages.CellAnswer(status, headers, json.dumps({"code": code}).encode())


def store() -> Any:
    return world.store_of(lambda cell: f"http://{cell}")


def serving(seconds: float = 0.01) -> Any:
    return lambda x, now: (seconds, answered(x))


def test_sixty_four_clients_of_a_stripe_share_commits_and_each_gets_its_own_answer():
    sim = Sim(M, store(), serving())

    requests = [sim.ask(body(number)) for number in range(64)]
    sim.run()

    assert statuses(sim, requests) == [200] * 64
    ids = [json.loads(sim.reply(request).body)["command_id"] for request in requests]
    assert ids == [f"c-{number}" for number in range(64)]
    assert sim.most == {"aws-alpha": 1}
    assert len(sim.sent) == 1 + 3  # one at once, then 30, 30 and 3


def test_an_idle_stripe_waits_for_nobody():
    sim = Sim(M, store(), serving())

    requests = [sim.ask(body(n), at=n * 0.02) for n in range(10)]
    sim.run()

    assert [target for _, _, _, target, _ in sim.sent] == [b"/process"] * 10
    assert statuses(sim, requests) == [200] * 10


def test_stripes_do_not_wait_for_each_other():
    sim = Sim(M, store(), serving())

    for n, stream in enumerate(("a", "b", "c", "d", "e", "f")):
        sim.ask(body(n, "T-600", stream))
    sim.run()

    assert sim.most["aws-alpha"] > 1


def test_order_of_one_stripe_is_kept_over_bundles():
    sim = Sim(M, store(), serving())

    for n in range(20):
        sim.ask(body(n), at=n * 0.001)
    sim.run()

    sent = b"".join(sent for *_, sent in sim.sent)
    places = [sent.index(b'"c-%d"' % n) for n in range(20)]
    assert places == sorted(places)


def test_without_coalescing_each_goes_alone():
    sim = Sim(M, store(), serving(), coalesce=False)

    for n in range(10):
        sim.ask(body(n))
    sim.run()

    assert {target for _, _, _, target, _ in sim.sent} == {b"/process"}
    assert sim.most == {"aws-alpha": 10}


def test_one_that_cannot_be_read_does_not_spoil_the_others():
    def cell(x: Any, now: float) -> tuple[float, Any]:
        if b'"c-3"' in x.sent_body:
            return 0.01, said(400, "invalid_json")
        return 0.01, answered(x)

    sim = Sim(M, store(), cell)
    requests = [sim.ask(body(n)) for n in range(6)]
    sim.run()

    assert statuses(sim, requests) == [200, 200, 200, 400, 200, 200]


def test_a_lost_bundle_is_sent_again_with_the_same_ids():
    outcomes = iter([None, Failure.UNKNOWN])

    def cell(x: Any, now: float) -> tuple[float, Any]:
        lost = next(outcomes, None)
        return 0.01, lost or answered(x)

    sim = Sim(M, store(), cell)
    requests = [sim.ask(body(n)) for n in range(4)]
    sim.run()

    assert statuses(sim, requests) == [200] * 4
    ids = [json.loads(sim.reply(request).body)["command_id"] for request in requests]
    assert ids == [f"c-{number}" for number in range(4)]


def test_a_frozen_bundle_is_held_and_served():
    thawed = 1000.35

    def cell(x: Any, now: float) -> tuple[float, Any]:
        return 0.005, (said(503, "frozen", 17) if now < thawed else answered(x))

    sim = Sim(M, store(), cell)
    requests = [sim.ask(body(n)) for n in range(50)]
    sim.run()

    assert statuses(sim, requests) == [200] * 50
    assert max(sim.took(request) for request in requests) < thawed + 0.3


def test_a_held_request_is_not_tried_so_late_that_a_slower_answer_would_leave_a_doubt():
    def cell(x: Any, now: float) -> tuple[float, Any]:
        return (0.001 if now < 1000.9 else 0.045), said(503, "frozen", 17)

    sim = Sim(M, store(), cell)
    # Its probes are at 0, 101, ... 808 and 909 ms.
    request = sim.ask(body(1), x_deadline_ms="940")
    sim.run()

    assert (sim.reply(request).status, sim.reply(request).code) == (503, "frozen")


def test_of_many_held_only_one_asks_now_and_then():
    sim = Sim(M, store(), lambda x, now: (0.001, said(503, "frozen", 17)), coalesce=False)

    for n in range(20):
        sim.ask(body(n))
    sim.run(1.0)
    asked = len(sim.sent)
    sim.run(2.0)

    assert asked <= 20 + 11
    assert len(sim.sent) - asked <= 20


def test_a_move_that_the_registry_tells_wakes_all_at_once():
    registry = store()

    def cell(x: Any, now: float) -> tuple[float, Any]:
        return 0.005, (answered(x) if x.route.epoch == 34 else said(503, "frozen", 17))

    sim = Sim(M, registry, cell)
    requests = [sim.ask(body(n)) for n in range(40)]

    def move() -> None:
        moved = tenant_text(TenantRecord(tenant="T-100", epoch=34))
        registry.apply(2, [Change(rev=2, kind="tenant", key="T-100", value=moved)])
        sim.refresh()

    sim.later(0.2, move)
    sim.run()

    assert statuses(sim, requests) == [200] * 40
    assert max(sim.took(request) for request in requests) < 1000.3
    assert {cell for _, cell, epoch, *_ in sim.sent if epoch == 34} == {"azure-beta"}


def test_held_requests_are_bounded_and_the_rest_is_told_to_come_back():
    sim = Sim(
        M, store(), lambda x, now: (0.001, said(503, "frozen", 17)), coalesce=False,
        tenant_in_flight_max=5000, cell_in_flight_max=5000,
    )  # fmt: skip

    requests = [sim.ask(body(n)) for n in range(1100)]
    sim.run(1.0)

    refused = [sim.reply(r) for r in requests if r.id in sim.replies]
    assert len(refused) == 1100 - 1001
    assert {reply.code for reply in refused} == {"frozen"}
    assert all(dict(reply.headers)[b"retry-after"] == b"1" for reply in refused)


def test_a_tenant_has_so_many_places_and_the_rest_waits_fifty_milliseconds():
    sim = Sim(M, store(), serving(0.2), coalesce=False, tenant_in_flight_max=8)

    requests = [sim.ask(body(n)) for n in range(20)]
    sim.run()

    assert sim.most == {"aws-alpha": 8}
    assert sorted(statuses(sim, requests)) == [200] * 8 + [503] * 12
    refused = [r for r in requests if sim.reply(r).status == 503]
    assert {sim.reply(r).code for r in refused} == {"overloaded"}
    assert {round(sim.took(r) - 1000.0, 3) for r in refused} == {0.05}


def test_a_place_that_gets_free_in_time_is_taken():
    sim = Sim(M, store(), serving(0.02), coalesce=False, tenant_in_flight_max=8)

    requests = [sim.ask(body(n)) for n in range(20)]
    sim.run()

    assert statuses(sim, requests) == [200] * 20
    assert sim.most == {"aws-alpha": 8}


def test_one_tenant_does_not_take_anothers_places():
    sim = Sim(M, store(), serving(0.2), coalesce=False, tenant_in_flight_max=4)

    for n in range(10):
        sim.ask(body(n))
    other = sim.ask(body(99, "T-302"))
    sim.run()

    assert sim.reply(other).status == 200


def test_a_cell_has_so_many_places():
    sim = Sim(M, store(), serving(0.2), coalesce=False, cell_in_flight_max=5)

    requests = [sim.ask(body(n, tenant)) for n, tenant in enumerate(("T-100", "T-302") * 5)]
    sim.run()

    assert sim.most == {"aws-alpha": 5}
    assert sorted(statuses(sim, requests)) == [200] * 5 + [503] * 5


def test_places_are_given_back_whatever_comes():
    outcomes = [Failure.UNKNOWN, Failure.NOT_SENT, Failure.INVALID, said(503, "frozen", 17)] * 5

    def cell(x: Any, now: float) -> tuple[float, Any]:
        return 0.01, (outcomes.pop() if outcomes else answered(x))

    sim = Sim(M, store(), cell, coalesce=False, tenant_in_flight_max=2)
    for n in range(40):
        sim.ask(body(n), at=n * 0.1)
    sim.run()
    requests = [sim.ask(body(100)), sim.ask(body(101), at=0.1), sim.ask(body(102), at=0.1)]
    sim.run()

    assert statuses(sim, requests) == [200] * 3  # The first probes a breaker that was open.
    assert all(gate.in_flight == 0 for gate in sim.edge.attempts.tenants.values())
    assert len(sim.edge.attempts.lanes) == 0
    assert sim.edge.parking.held == 0


def test_whoever_waits_for_a_bundle_until_the_deadline_was_never_sent():
    sim = Sim(M, store(), serving(3.0), total_s=10.0)
    sim.ask(body(0))

    waited = sim.ask(body(1), at=0.01, x_deadline_ms="500")
    sim.run()

    assert sim.reply(waited).code == "overloaded"
    assert not any(b'"c-1"' in sent for *_, sent in sim.sent)


def test_whoever_is_under_way_at_the_deadline_is_in_doubt():
    seconds = iter([0.1, 3.0])
    sim = Sim(M, store(), lambda x, now: (next(seconds), answered(x)), total_s=10.0)
    sim.ask(body(0))
    leader = sim.ask(body(1), at=0.01)

    carried = sim.ask(body(2), at=0.02, x_deadline_ms="500")
    sim.run()

    assert sim.reply(carried).code == "outcome_unknown"
    assert sim.reply(leader).status == 200


def test_the_leaders_deadline_is_not_that_of_its_riders():
    seconds = iter([0.1, 3.0, 0.1, 0.1])
    sim = Sim(M, store(), lambda x, now: (next(seconds, 0.1), answered(x)), total_s=10.0)
    sim.ask(body(0))
    leader = sim.ask(body(1), at=0.01, x_deadline_ms="500")
    carried = sim.ask(body(2), at=0.02)
    sim.run()

    assert sim.reply(leader).code == "outcome_unknown"
    assert sim.reply(carried).status == 200


def test_five_dead_connections_let_the_next_fail_at_once():
    sim = Sim(M, store(), lambda x, now: (0.001, Failure.NOT_SENT), total_s=2.0)

    first = [sim.ask(body(n), at=n * 0.2) for n in range(6)]
    sim.run(3.0)
    sent = len(sim.sent)
    late = sim.ask(body(99))
    sim.run(1.0)

    assert {sim.reply(r).code for r in first} == {"cell_unavailable"}
    assert sim.reply(late).code == "cell_unavailable"
    assert len(sim.sent) == sent
    assert int(dict(sim.reply(late).headers)[b"retry-after"]) >= 1


def test_a_dead_cell_does_not_touch_tenants_of_another():
    def cell(x: Any, now: float) -> tuple[float, Any]:
        dead = x.cell.record.id == "aws-alpha"
        return 0.01, (Failure.NOT_SENT if dead else answered(x))

    sim = Sim(M, store(), cell)
    for n in range(20):
        sim.ask(body(n), at=n * 0.05)
    others = [sim.ask(body(n + 100, "T-200"), at=n * 0.05) for n in range(20)]
    sim.run()

    assert statuses(sim, others) == [200] * 20
    assert all(sim.took(r) - 1000.0 < n * 0.05 + 0.02 for n, r in enumerate(others))


def test_retries_stay_within_a_fifth_of_the_requests():
    sim = Sim(M, store(), lambda x, now: (0.001, said(503, "outcome_unknown")), coalesce=False)

    for n in range(1000):
        sim.ask(body(n), at=n * 0.001)
    sim.run()

    assert 1000 < len(sim.sent) <= 1000 + 200 + 3 * 10


def test_a_breaker_that_opens_midway_does_not_make_a_doubt_a_certainty():
    outcomes = iter([Failure.UNKNOWN] * 5)
    sim = Sim(M, store(), lambda x, now: (0.001, next(outcomes, Failure.UNKNOWN)), coalesce=False)

    requests = [sim.ask(body(n)) for n in range(5)]
    sim.run()

    assert {sim.reply(r).code for r in requests} == {"outcome_unknown"}


@pytest.mark.parametrize("seed", range(20))
def test_whatever_cells_do_every_request_is_answered_once_and_nothing_is_left(seed: int):
    rng = random.Random(seed)

    def cell(x: Any, now: float) -> tuple[float, Any]:
        kind = rng.random()
        seconds = rng.choice([0.001, 0.01, 0.1, 1.0])
        if kind < 0.6:
            return seconds, answered(x)
        if kind < 0.8:
            return seconds, said(*rng.choice(CODES))
        if kind < 0.85:
            return seconds, said(421, "moved", x.route.epoch + 16)
        return seconds, rng.choice([Failure.UNKNOWN, Failure.NOT_SENT, Failure.INVALID])

    sim = Sim(M, store(), cell, total_s=2.0, tenant_in_flight_max=8)
    requests = [
        sim.ask(body(n, rng.choice(["T-100", "T-200", "T-600", "T-302"]), rng.choice("abcd")),
                at=rng.random() * 3)
        for n in range(400)
    ]  # fmt: skip
    sim.run(120.0)

    assert all(request.id in sim.replies for request in requests)
    assert all(sim.took(request) <= 1003.0 + 2.0 + 0.001 for request in requests)
    for request in requests:
        reply = sim.reply(request)
        if reply.status == 200:
            assert json.loads(reply.body)["command_id"] == json.loads(request.body)["command_id"]
        if reply.status in (429, 503, 504) and reply.title:
            assert b"retry-after" in dict(reply.headers)
    assert all(gate.in_flight == 0 for gate in sim.edge.attempts.tenants.values())
    assert all(state.gate.in_flight == 0 for state in sim.edge.attempts.cells.values())
    assert len(sim.edge.attempts.lanes) == 0
    assert sim.edge.parking.tenants() == []


def test_a_cell_that_fails_does_not_spend_the_retries_of_another():
    cell = losing("T-100", "T-200", said(503, "outcome_unknown"), answered)
    sim = Sim(M, store(), cell, coalesce=False)
    for n in range(500):
        sim.ask(body(n), at=n * 0.001)
    sim.run(0.5)
    other = sim.ask(body(501, "T-200"))
    sim.run()

    assert statuses(sim, [other]) == [200]
