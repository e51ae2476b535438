"""Whatever a cell does, its client gets a documented problem, and nobody gets another's bytes."""

import json
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import pytest

from tests.router.framing.client import Client, Got
from tests.router.framing.edge import RunningEdge, edge
from tests.router.framing.hostile import HELLO, LASTING, QUICK, Hostile
from tests.router.framing.samples import READ_ONCE, get, sized
from tests.router.framing.upstream import Upstream, echo

EVERY = [*QUICK, *LASTING]
TOTAL_S = 0.3  # Too short for five attempts, which would open the breaker.
DEADLINE_S = 0.3
HANG_S = 15.0
TOGETHER = 12
TRIES_MAX = 20


@dataclass
class Came:
    """What came of one hostile answer.

    Attributes:
        took_s: Until the client knew.
        poisoned: The connections on which the cell was hostile.
        next: What the next client got, on a good cell.
        next_on: The connection of its request.
    """

    got: Got
    took_s: float
    attempts: int
    poisoned: set[int]
    next: Got
    next_on: set[int]
    ambiguities: list[str]


def act(one: Hostile, request: bytes) -> Came:
    """Let a cell be hostile to a request, and then good to another client."""
    with (
        Upstream(one.script) as upstream,
        edge(upstream.port, total_s=TOTAL_S, deadline_max_s=DEADLINE_S) as served,
    ):
        began = time.monotonic()
        with Client(served.port, settle=served.settle) as client:
            client.send([request])
            got = client.read(1)
            took_s = time.monotonic() - began
            served.settle()
            upstream.settle()
            served.settle()
            client.read_what_is_there()
            poisoned = {number for number, _ in upstream.requests}
            attempts = len(upstream.requests)
            upstream.script = echo
            after = next_answer(served)
            next_on = {number for number, _ in upstream.requests[attempts:]}
            client.read_what_is_there()
    return Came(got, took_s, attempts, poisoned, after, next_on, upstream.ambiguities)


def next_answer(served: RunningEdge) -> Got:
    """Ask as the next client does, and once more where a busy machine was too slow for it."""
    for _ in range(TRIES_MAX):
        with Client(served.port, settle=served.settle) as other:
            other.send([get()])
            after = other.read(1)
        if [reply.status for reply in after.replies] not in ([503], [504]):
            break
    return after


@pytest.fixture(scope="module")
def came():
    """What came of every hostile cell: mostly waiting, so some at a time."""
    with ThreadPoolExecutor(TOGETHER) as threads:
        results = threads.map(lambda one: act(one, sized()), EVERY)
        return {one.name: result for one, result in zip(EVERY, results, strict=True)}


def by_name(one: Hostile) -> str:
    return one.name


@pytest.mark.parametrize("one", EVERY, ids=by_name)
def test_the_client_gets_a_documented_problem_or_a_cut_answer_in_time(one, came):
    result = came[one.name]

    assert result.took_s < HANG_S
    assert result.ambiguities == []
    replies = result.got.replies
    if not replies:
        assert one.cut
        assert result.got.closed
        assert result.got.rest
        return
    assert len(replies) == 1
    assert result.got.rest == b""
    if replies[0].status in (200, 204, 304):
        assert one.good
        assert replies[0].body == (HELLO if replies[0].status == 200 else b"")
    else:
        assert (replies[0].status, json.loads(replies[0].body)["code"]) in one.problems


@pytest.mark.parametrize("one", EVERY, ids=by_name)
def test_nothing_that_a_cell_forges_reaches_a_client(one, came):
    got = came[one.name].got

    shown = b"".join(name + value for reply in got.replies for name, value in reply.fields)
    shown += b"".join(reply.body for reply in got.replies) + got.rest

    assert b"forged" not in shown


@pytest.mark.parametrize("one", EVERY, ids=by_name)
def test_the_next_client_gets_its_own_answer_on_another_connection(one, came):
    result = came[one.name]

    assert [reply.status for reply in result.next.replies] == [200]
    asked = json.loads(result.next.replies[0].body)
    assert (asked["method"], asked["target"]) == ("GET", READ_ONCE.requests[0].target)
    if not one.keeps:
        assert not result.poisoned & result.next_on
