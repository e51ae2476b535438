"""An answer that never comes: sent again with the same command_id, and it has taken effect once.

The fault is between the router and the cell, where nobody can tell a lost request from a lost
answer. A killed cell is waited for, and its tenants are sent nowhere else.
"""

import time
from collections.abc import Callable
from dataclasses import dataclass

import pytest

from cell_devstack.audit import audit
from cell_devstack.fault_proxy import (
    ApplyThenCut,
    Blackhole,
    CutBefore,
    CutReply,
    Delay,
    Fault,
    ReplyWith,
)
from cell_devstack.traffic import Books, Traffic
from tests.e2e.edge import Resident

pytestmark = [pytest.mark.slow, pytest.mark.xdist_group("e2e-edge")]

_UNCODED = b"HTTP/1.1 %s\r\nContent-Type: text/html\r\nContent-Length: 6\r\n\r\n<html>"
_BAD_GATEWAY = _UNCODED % b"502 Bad Gateway"
_INTERNAL = _UNCODED % b"500 Internal Server Error"
_GARBAGE = b"SSH-2.0-OpenSSH_9.6\r\n\r\n"
_WAIT_S = 60.0
_COMMANDS = 30
# What a client may be told while its tenant's cell is gone; each is documented, and retryable.
_WHILE_GONE = {"cell_unavailable", "outcome_unknown", "overloaded", "NoAnswer"}


@dataclass(frozen=True, slots=True)
class _Lost:
    fault: Callable[[bytes], Fault]
    applied: bool


LOSSES = {
    "applied, then reset": _Lost(lambda m: ApplyThenCut(match=m, count=1), applied=True),
    "reset before": _Lost(lambda m: CutBefore(match=m, count=1), applied=False),
    "cut in the status line": _Lost(
        lambda m: CutReply(match=m, count=1, after_bytes=9), applied=True
    ),
    "cut in the body": _Lost(lambda m: CutReply(match=m, count=1, after_bytes=400), applied=True),
    "502 of a gateway, applied": _Lost(
        lambda m: ReplyWith(match=m, count=1, reply=_BAD_GATEWAY, applies=True), applied=True
    ),
    "502 of a gateway, not applied": _Lost(
        lambda m: ReplyWith(match=m, count=1, reply=_BAD_GATEWAY, applies=False), applied=False
    ),
    "500 of a host, applied": _Lost(
        lambda m: ReplyWith(match=m, count=1, reply=_INTERNAL, applies=True), applied=True
    ),
    "not HTTP, applied": _Lost(
        lambda m: ReplyWith(match=m, count=1, reply=_GARBAGE, applies=True), applied=True
    ),
}


@pytest.fixture(params=LOSSES.values(), ids=LOSSES)
def lost(request: pytest.FixtureRequest) -> _Lost:
    return request.param


def test_a_command_without_an_answer_is_sent_again_and_takes_effect_once(
    resident: Resident, lost: _Lost
):
    proxy = resident.edge.proxies[resident.home.id]
    proxy.set(lost.fault(b"POST .*/process"))

    answer = resident.pay()

    assert (answer.status, answer.body["status"]) == (200, "applied")
    assert answer.body["replayed"] is lost.applied
    assert resident.journaled("paid") == 1
    assert resident.read().body["body"]["credits_posted"] == "5"
    assert _asked_for(resident, b'"paid"') == [resident.home.id] * 2


def test_a_read_without_an_answer_is_sent_again(resident: Resident, lost: _Lost):
    proxy = resident.edge.proxies[resident.home.id]
    proxy.set(lost.fault(b"GET .*/entities/"))

    answer = resident.read()

    assert answer.status == 200
    assert _asked_for(resident, b"GET ") == [resident.home.id] * 2


def test_a_lost_answer_whose_tenant_then_moves_is_the_first_answer_at_the_new_home(
    resident: Resident,
):
    proxy = resident.edge.proxies[resident.home.id]
    proxy.set(ApplyThenCut(match=b"POST .*/process"))
    assert resident.pay(deadline_ms=500).code in ("outcome_unknown", "cell_unavailable")
    proxy.clear()
    resident.mover(publishes=True).run()
    resident.edge.settle()

    answer = resident.reached(resident.pay)

    assert (answer.status, answer.body["replayed"]) == (200, True)
    assert answer.headers["x-cell"] == resident.away.id
    assert resident.journaled("paid", at=resident.away) == 1


@pytest.mark.parametrize(
    ("fault", "applied"),
    [(Blackhole(count=1), False), (Delay(count=1, latency_ms=1500), True)],
    ids=["swallowed", "executed after the deadline"],
)
def test_a_command_that_times_out_is_unknown_and_may_be_sent_again(
    resident: Resident, fault: Fault, *, applied: bool
):
    proxy = resident.edge.proxies[resident.home.id]
    proxy.set(fault)
    began = time.monotonic()

    first = resident.pay(deadline_ms=700)
    took_s = time.monotonic() - began
    _until(lambda: not applied or resident.journaled("paid") == 1)
    second = resident.pay()

    assert (first.status, first.code) == (504, "outcome_unknown")
    assert int(first.headers["retry-after"]) >= 1
    assert 0.6 < took_s < 1.5
    assert (second.status, second.body["replayed"]) == (200, applied)
    assert resident.journaled("paid") == 1


def test_a_killed_cell_is_waited_for_and_its_neighbour_notices_nothing(
    new_resident: Callable[[str], Resident], home: str
):
    resident = new_resident(home)
    neighbour = new_resident(resident.away.id)
    tenants = [_with_traffic(each, f"{each.tenant}-busy") for each in (resident, neighbour)]
    (hurt, hurt_traffic), (well, well_traffic) = tenants

    for traffic in (hurt_traffic, well_traffic):
        traffic.start()
    try:
        _await_commands(hurt_traffic.books, _COMMANDS)
        resident.home.host.kill()
        _await_commands(well_traffic.books, _COMMANDS)
        _until(lambda: hurt_traffic.books.retried.total() > 0)
        resident.home.host.restore()
        _await_commands(hurt_traffic.books, _COMMANDS)
    finally:
        for traffic in (hurt_traffic, well_traffic):
            traffic.stop()
    resident.home.client.close()  # Its connection died with the host.
    findings = [
        audit(each.home.client, tenant, each.epoch, traffic.books)
        for each, tenant, traffic in (
            (resident, hurt, hurt_traffic),
            (neighbour, well, well_traffic),
        )
    ]

    assert [finding.problems for finding in findings] == [(), ()]
    assert hurt_traffic.books.failed.keys() == well_traffic.books.failed.keys() == set()
    assert hurt_traffic.books.retried.keys() <= _WHILE_GONE
    assert well_traffic.books.retried.keys() == set()
    # The edge's own words while the cell was gone, and one cloud's answers before and after.
    assert hurt_traffic.books.served.keys() == {resident.home.cloud}
    assert well_traffic.books.served.keys() == {neighbour.home.cloud}


def _asked_for(resident: Resident, what: bytes) -> list[str]:
    """Return which cells were asked, in their order, by the requests that hold `what`."""
    return [each.cell for each in resident.edge.sent_for(resident.tenant) if what in each.raw]


def _with_traffic(resident: Resident, tenant: str) -> tuple[str, Traffic]:
    """Provision another tenant at the resident's home, with traffic through the edge."""
    edge = resident.edge
    edge.epochs[tenant] = {edge.world.provision(tenant, resident.home.id)}
    edge.settle()
    traffic = Traffic(edge.client, tenant, threads=3, seed=7)
    traffic.prepare()
    return tenant, traffic


def _await_commands(books: Books, more: int) -> None:
    wanted = books.commands + more
    _until(lambda: books.commands >= wanted)


def _until(so: Callable[[], bool]) -> None:
    deadline = time.monotonic() + _WAIT_S
    while not so():
        assert time.monotonic() < deadline
        time.sleep(0.01)
