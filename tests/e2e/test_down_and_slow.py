"""A database that is gone, silent or slow: answered within 2 s, never guessed at, and outlived.

The 2 s are the cell's contract with the edge, which retries within its own deadline.
"""

from collections.abc import Callable

import pytest

from cell_devstack.fault_proxy import Blackhole, Delay, Refuse
from cell_devstack.world import LocalCell
from tests.e2e.caller import Caller, Reply

pytestmark = [pytest.mark.slow, pytest.mark.xdist_group("e2e-down")]

BOUND_S = 2.0
_UNAVAILABLE = (503, "store_unavailable")
_ASKED = 3

_Break = Callable[[LocalCell], None]

OUTAGES: dict[str, _Break] = {
    "killed": lambda cell: cell.database.kill(),
    "refusing": lambda cell: cell.link.set(Refuse()),
    "silent": lambda cell: cell.link.set(Blackhole()),
}


def _restore(cell: LocalCell) -> None:
    cell.database.restore()
    cell.link.clear()


def _in_time(reply: Reply) -> Reply:
    assert reply.seconds < BOUND_S, reply
    return reply


@pytest.mark.parametrize("outage", OUTAGES.values(), ids=OUTAGES)
def test_a_cell_without_its_database_says_so_in_time_and_recovers(caller: Caller, outage: _Break):
    assert caller.pay("before").outcome == (200, "applied")
    outage(caller.cell)

    down = [_in_time(caller.pay("during")) for _ in range(_ASKED)]
    looked = _in_time(caller.read("/entities/account.bob"))
    ready = _in_time(caller.request("GET", "/readyz", grant=False))
    alive = _in_time(caller.request("GET", "/healthz", grant=False))

    assert {reply.outcome for reply in (*down, looked, ready)} == {_UNAVAILABLE}
    assert alive.outcome == (200, "ok")

    _restore(caller.cell)

    caller.until((200, "applied"), lambda: caller.pay("during"))
    assert caller.read("/entities/account.bob").body["body"]["credits_posted"] == "10"
    assert len(caller.events_of("before")) == len(caller.events_of("during")) == 1


@pytest.mark.parametrize("outage", OUTAGES.values(), ids=OUTAGES)
def test_a_cell_that_starts_without_its_database_comes_up_and_recovers(
    caller: Caller, outage: _Break
):
    caller.cell.host.kill()
    outage(caller.cell)

    caller.cell.host.restore()
    alive = caller.request("GET", "/healthz", grant=False)
    caller.pay("first")  # A cold start loads the SDK at its first request; that is not the bound's.
    down = [_in_time(caller.pay("during")) for _ in range(_ASKED)]

    assert alive.outcome == (200, "ok")
    assert {reply.outcome for reply in down} == {_UNAVAILABLE}

    _restore(caller.cell)

    caller.until((200, "applied"), lambda: caller.pay("during"))
    assert len(caller.events_of("during")) == 1


def test_a_cell_whose_commits_alone_vanish_answers_in_time_that_it_cannot_know(
    caller: Caller, is_commit: bytes
):
    caller.cell.link.set(Blackhole(match=is_commit))

    lost = _in_time(caller.pay("lost"))
    caller.cell.link.clear()

    assert lost.outcome == (503, "outcome_unknown")
    assert caller.until((200, "applied"), lambda: caller.pay("lost")).body["replayed"] is False
    assert len(caller.events_of("lost")) == 1


def test_a_cell_whose_database_is_slow_answers_in_time_and_rightly(caller: Caller):
    caller.cell.link.set(Delay(latency_ms=300))

    paid = [_in_time(caller.pay(f"slow-{number}")) for number in range(_ASKED)]
    looked = _in_time(caller.read("/entities/account.bob"))

    assert [reply.outcome for reply in paid] == [(200, "applied")] * _ASKED
    assert looked.body["body"]["credits_posted"] == str(5 * _ASKED)


def test_a_cell_whose_database_is_slower_than_its_patience_says_so_in_time(caller: Caller):
    caller.cell.link.set(Delay(latency_ms=1500))

    looked = _in_time(caller.read("/entities/account.bob"))
    paid = _in_time(caller.pay("slow"))
    caller.cell.link.clear()

    assert (looked.outcome, paid.outcome) == (_UNAVAILABLE, _UNAVAILABLE)
    caller.until((200, "applied"), lambda: caller.pay("slow"))
    assert len(caller.events_of("slow")) == 1
