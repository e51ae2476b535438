"""Every row of protocol.md 8: real cells behind the real router, which is told late or nothing.

The tenant's client sends one request and gets one answer; what happens in between is the edge's.
"""

import time
from collections.abc import Callable

import pytest

from cell_core.domain.ids import next_epoch
from cell_devstack.fault_proxy import ReplyWith
from cell_devstack.json_client import Answer
from cell_devstack.world import AWS, AZURE
from tests.e2e.edge import Resident, explained

pytestmark = [pytest.mark.slow, pytest.mark.xdist_group("e2e-edge")]

_SHORT_MS = 700
_Call = Callable[..., Answer]

CALLS: dict[str, _Call] = {
    "POST": lambda resident, deadline_ms=5000: resident.pay("paid", deadline_ms),
    "GET": lambda resident, deadline_ms=5000: resident.read(deadline_ms),
}
_JSON = b"Content-Length: %d\r\nContent-Type: application/json\r\n"
THROTTLES = {
    AWS: b'{"__type":"com.amazonaws.dynamodb.v20120810#ThrottlingException","message":"less"}',
    AZURE: b'{"code":"429"}',
}


@pytest.fixture(params=CALLS.values(), ids=CALLS)
def call(request: pytest.FixtureRequest) -> _Call:
    return request.param


def _frozen(resident: Resident) -> None:
    resident.edge.await_verdict(resident.home.id, resident.tenant, 503, "frozen")


def test_an_active_home_at_the_same_epoch_is_asked_once(resident: Resident, call: _Call):
    answer = call(resident)

    assert answer.status == 200
    assert answer.headers["x-processed-by-cloud"] == resident.home.cloud
    assert answer.headers["x-cell"] == resident.home.id
    assert answer.headers["x-tenant-epoch"] == str(resident.epoch)
    assert explained(answer)["attempts"] == "1"
    assert resident.asked == [(resident.home.id, resident.epoch)]


def test_a_sealed_home_sends_the_edge_on_within_the_same_request(resident: Resident, call: _Call):
    moved = resident.mover(publishes=False).run()

    first, second = call(resident), call(resident)

    assert (first.status, second.status) == (200, 200)
    assert {first.headers["x-cell"], second.headers["x-cell"]} == {resident.away.id}
    assert explained(first) | {"attempts": "2", "hops": "1"} == explained(first)
    # What one request has learned, the next one knows, although no feed has told the edge.
    assert explained(second) | {"attempts": "1", "reason": "learned"} == explained(second)
    assert resident.asked == sorted(
        [(resident.home.id, resident.epoch), (resident.away.id, moved.epoch)]
    )


def test_a_command_that_was_sent_on_takes_effect_once_and_only_at_the_new_home(resident: Resident):
    resident.mover(publishes=False).run()

    assert resident.pay().status == 200

    assert resident.journaled("paid", at=resident.home) == 0
    assert resident.journaled("paid", at=resident.away) == 1


def test_a_quarantined_home_sends_the_edge_on(resident: Resident, call: _Call):
    move = resident.mover(publishes=False)
    move.provision()
    move.follow()
    resident.control("activate", at=resident.away, epoch=move.new_epoch, mode="forced")
    resident.control("fence-off", epoch=move.new_epoch, home_hint=resident.away.id)

    answer = call(resident)

    assert (answer.status, answer.headers["x-cell"]) == (200, resident.away.id)
    assert explained(answer)["hops"] == "1"


def test_a_home_that_is_at_a_newer_epoch_is_asked_again_at_that_epoch(
    resident: Resident, call: _Call
):
    epoch = resident.roll_back(publishes=False)

    answer = call(resident)

    assert (answer.status, answer.headers["x-cell"]) == (200, resident.home.id)
    assert answer.headers["x-tenant-epoch"] == str(epoch)
    assert explained(answer)["hops"] == "1"


def test_a_standby_that_becomes_the_home_meanwhile_serves_the_waiting_request(
    resident: Resident, call: _Call
):
    move = resident.mover(publishes=True)
    move.provision()
    move.follow()
    move.freeze()
    move.catch_up()
    move.commit()
    resident.edge.settle()
    answer = resident.edge.in_background(lambda: call(resident))
    resident.edge.await_verdict(resident.away.id, resident.tenant, 421, "moved")

    move.activate()

    # Its 421 names an older epoch than the registry's: the edge waits, and never goes back.
    assert (answer().status, answer().headers["x-cell"]) == (200, resident.away.id)
    assert resident.asked == [(resident.away.id, move.new_epoch)]


def test_a_standby_that_is_never_activated_is_reported_at_the_deadline(
    resident: Resident, call: _Call
):
    move = resident.mover(publishes=True)
    move.provision()
    move.follow()
    move.freeze()
    move.commit()
    resident.edge.settle()

    answer = call(resident, deadline_ms=_SHORT_MS)

    assert (answer.status, answer.code) == (503, "epoch_behind")
    assert int(answer.headers["retry-after"]) >= 1
    assert resident.asked == [(resident.away.id, move.new_epoch)]


@pytest.mark.parametrize("published", [True, False], ids=["the feed says so", "the seal says so"])
def test_a_request_for_a_frozen_tenant_is_held_and_served_at_the_new_home(
    resident: Resident, call: _Call, *, published: bool
):
    move = resident.mover(publishes=published)
    move.provision()
    move.follow()
    move.freeze()
    answer = resident.edge.in_background(lambda: call(resident))
    _frozen(resident)

    move.catch_up()
    move.commit()
    move.activate()
    move.seal()

    assert (answer().status, answer().headers["x-cell"]) == (200, resident.away.id)
    assert (resident.home.id, move.new_epoch) not in resident.asked
    assert resident.journaled("paid", at=resident.home) == 0


@pytest.mark.parametrize("published", [True, False], ids=["the feed says so", "the home says so"])
def test_a_request_for_a_frozen_tenant_is_held_and_served_after_a_rollback(
    resident: Resident, call: _Call, *, published: bool
):
    resident.control("freeze", epoch=resident.epoch, op="given-up")
    answer = resident.edge.in_background(lambda: call(resident))
    _frozen(resident)

    epoch = resident.unfreeze(publishes=published)

    assert (answer().status, answer().headers["x-cell"]) == (200, resident.home.id)
    assert answer().headers["x-tenant-epoch"] == str(epoch)


def test_a_freeze_that_never_ends_is_reported_at_the_deadline(resident: Resident, call: _Call):
    resident.control("freeze", epoch=resident.epoch, op="endless")
    began = time.monotonic()

    answer = call(resident, deadline_ms=_SHORT_MS)

    assert (answer.status, answer.code) == (503, "frozen")
    assert int(answer.headers["retry-after"]) >= 1
    assert _SHORT_MS / 2000 < time.monotonic() - began < _SHORT_MS / 1000 + 1
    assert resident.journaled("paid") == 0


def test_a_hundred_requests_held_for_one_freeze_are_all_served_once(resident: Resident):
    resident.control("freeze", epoch=resident.epoch, op="given-up")
    ids = [f"held-{number}" for number in range(100)]
    answers = [
        resident.edge.in_background(lambda id_=id_: resident.pay(id_, 10_000)) for id_ in ids
    ]
    _frozen(resident)

    resident.unfreeze(publishes=True)

    assert {answer().status for answer in answers} == {200}
    assert resident.read().body["body"]["credits_posted"] == "500"


def test_a_home_that_is_behind_serves_the_waiting_request_once_it_activates(
    resident: Resident, call: _Call
):
    epoch = resident.announced(next_epoch(resident.epoch, resident.home.ordinal))
    resident.edge.world.registry.assign(resident.tenant, epoch)
    resident.edge.settle()
    answer = resident.edge.in_background(lambda: call(resident))
    resident.edge.await_verdict(resident.home.id, resident.tenant, 409, "epoch_behind")

    resident.control("activate", epoch=epoch, mode="rollback")

    assert (answer().status, answer().headers["x-tenant-epoch"]) == (200, str(epoch))


def test_a_home_that_stays_behind_is_reported_at_the_deadline(resident: Resident, call: _Call):
    epoch = resident.announced(next_epoch(resident.epoch, resident.home.ordinal))
    resident.edge.world.registry.assign(resident.tenant, epoch)
    resident.edge.settle()

    answer = call(resident, deadline_ms=_SHORT_MS)

    assert (answer.status, answer.code) == (503, "epoch_behind")
    assert int(answer.headers["retry-after"]) >= 1
    assert resident.journaled("paid") == 0


def test_a_throttled_store_is_told_to_the_client_who_may_send_it_again(resident: Resident):
    body = THROTTLES[resident.home.id]
    status = b"429 Too Many" if resident.home.id == AZURE else b"400 Bad Request"
    reply = b"HTTP/1.1 %s\r\n%s\r\n%s" % (status, _JSON % len(body), body)
    resident.home.link.set(ReplyWith(reply=reply, applies=False))

    answer = resident.pay()
    resident.home.link.clear()

    assert (answer.status, answer.code) == (429, "throttled")
    assert int(answer.headers["retry-after"]) >= 1
    assert explained(answer)["attempts"] == "1"
    assert resident.pay().status == 200
    assert resident.journaled("paid") == 1


def test_a_request_to_the_wrong_cell_would_be_seen(resident: Resident):
    edge = resident.edge
    edge.reach(resident.home.id, through=resident.away.id)

    answer = resident.pay()
    seen = edge.illegitimate()
    edge.reach(resident.home.id, through=resident.home.id)
    edge.recorders[resident.away.id].sent.clear()

    assert {(sent.cell, sent.audience) for sent in seen} == {(resident.away.id, resident.home.id)}
    # The other cell takes no grant that is not for it, and the client learns nothing of that.
    assert (answer.status, answer.code) == (502, "cell_refused")
