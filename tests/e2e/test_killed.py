"""The host is killed in the middle of its work and comes back: nothing acknowledged is lost."""

import time
from collections.abc import Callable

import pytest

from cell_devstack.audit import audit
from cell_devstack.cell_client import AtEpoch
from cell_devstack.traffic import Books, Traffic
from cell_devstack.world import LocalCell
from tests.e2e.caller import Caller

pytestmark = [pytest.mark.slow, pytest.mark.xdist_group("e2e-killed")]

_KILLS = 3
_BETWEEN = 10
_WAIT_S = 60.0

LOSSES: dict[str, tuple[Callable[[LocalCell], None], Callable[[LocalCell], None]]] = {
    "the host": (lambda cell: cell.host.kill(), lambda cell: cell.host.restore()),
    "the whole cell": (lambda cell: cell.kill(), lambda cell: cell.restore()),
}


@pytest.mark.parametrize("loss", LOSSES.values(), ids=LOSSES)
def test_what_was_acknowledged_around_a_kill_is_there_once(caller: Caller, loss):
    kill, restore = loss
    cell, tenant = caller.cell, f"{caller.tenant}-traffic"
    cell.client.control("POST", f"/{tenant}/provision", {"role": "active", "epoch": cell.ordinal})
    sender = AtEpoch(cell.client, cell.ordinal)
    traffic = Traffic(sender, tenant, threads=3, seed=7)
    traffic.prepare()

    traffic.start()
    try:
        for _ in range(_KILLS):
            _await_commands(traffic.books, _BETWEEN)
            kill(cell)
            restore(cell)
        _await_commands(traffic.books, _BETWEEN)
    finally:
        traffic.stop()
    cell.client.close()
    finding = audit(cell.client, tenant, cell.ordinal, traffic.books)

    assert finding.problems == ()
    # Unanswered, which a kill may leave: Lambda's front says 502 of an instance that died under a
    # request, and traffic gives up after a minute. No cell answered wrongly.
    assert traffic.books.failed.keys() <= {"502", "gave up"}
    assert traffic.books.retried.total() > 0
    assert finding.entries >= traffic.books.commands >= _BETWEEN * (_KILLS + 1)


def _await_commands(books: Books, more: int) -> None:
    wanted, deadline = books.commands + more, time.monotonic() + _WAIT_S
    while books.commands < wanted:
        assert time.monotonic() < deadline, f"{books.commands} of {wanted}: {books.retried}"
        time.sleep(0.01)
