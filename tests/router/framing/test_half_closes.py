"""A client that sends no more still gets the answer to what it has asked, whenever it ends."""

from queue import SimpleQueue

import pytest

from tests.router.framing.client import Client
from tests.router.framing.edge import edge
from tests.router.framing.samples import SMUGGLED, get
from tests.router.framing.upstream import Upstream, echo

BEHIND = {"nothing": b"", "half a request": SMUGGLED[:40]}


@pytest.fixture
def upstream():
    with Upstream() as upstream:
        yield upstream


@pytest.fixture
def served(upstream):
    with edge(upstream.port) as running:
        yield running


@pytest.mark.parametrize("behind", BEHIND)
@pytest.mark.parametrize("earlier", [0, 2])
def test_an_end_that_comes_together_with_the_answer_does_not_lose_it(
    served, upstream, behind, earlier
):
    asked = SimpleQueue()
    with Client(served.port) as client:
        for number in range(earlier):
            client.send([get()])
            client.read(number + 1)
        upstream.script = lambda *what: asked.put(what)
        client.send([get() + BEHIND[behind]])
        what = asked.get(timeout=5)
        with served.held():
            upstream.act(echo, *what)
            client.end()
        got = client.read_to_close()

    assert [reply.status for reply in got.replies] == [200] * (earlier + 1)
    assert (got.closed, got.hung) == (True, False)
