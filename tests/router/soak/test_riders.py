"""What a command gets that waited to ride along, and was never sent."""

import random

import pytest

from cell_core.wire.registry import CellRecord
from cell_router.attempts import Attempts
from cell_router.decide import Attempt, Failure, Next, after
from cell_router.exchange import Exchange
from cell_router.limits import Limits
from cell_router.messages import EdgeRequest
from cell_router.registry import Route
from cell_router.replies import given_up
from cell_router.tenancy import Call

CELL = CellRecord(id="a", ordinal=1, cloud="aws", region="x", base_url="https://a.example")
ROUTE = Route("T-1", 1, 1, "active", CELL, "tenant")
CALL = Call("T-1", b"/process", b"{}", domain="ledger", stream="main", shareable=True)


def begun(attempts):
    """Return an exchange, and its flow up to what it waits for first."""
    request = EdgeRequest(method=b"POST", path=b"/process", query=b"", headers={}, body=b"", id="r")
    x = Exchange(request, 0.0, 5.0)
    x.call, x.route = CALL, ROUTE
    flow = attempts.send(x, CALL, ROUTE, held=False)
    next(flow)
    return x, flow


@pytest.mark.parametrize(
    ("failure", "code"),
    [(Failure.CLOSED, "cell_unavailable"), (Failure.OVERLOADED, "overloaded")],
)
def test_a_rider_that_was_never_sent_is_told_so_with_retry_after(failure, code):
    attempts = Attempts(Grants(), Limits(), random.Random(1))
    _leader, _ = begun(attempts)
    rider, flow = begun(attempts)

    with pytest.raises(StopIteration) as end:
        flow.send(failure)
    attempt = Attempt(0)
    reply = given_up(rider, after(end.value.value, attempt)[0], end.value.value, 0.0)

    assert after(failure, attempt)[0] is Next.UNAVAILABLE
    assert reply.code == code
    assert (b"retry-after", b"1") in reply.headers


class Grants:
    def lines(self, _route, _now_s):
        return b""
