"""However the network cuts a connection's bytes, they mean the same."""

import pytest

from tests.router.framing.case import Case, Outcome, case, refused
from tests.router.framing.edge import edge
from tests.router.framing.play import verdict
from tests.router.framing.samples import (
    COMMAND_ONCE,
    GOOD_CHUNKS,
    READ_AND_SECOND,
    READ_ONCE,
    SMUGGLED,
    chunked,
    get,
    sized,
)
from tests.router.framing.upstream import Upstream

GOOD = {
    "a read": (get(), READ_ONCE),
    "a command": (sized(), COMMAND_ONCE),
    "a command in chunks": (chunked(b"Expect: 100-continue", body=GOOD_CHUNKS), COMMAND_ONCE),
    "two reads": (get() + SMUGGLED, READ_AND_SECOND),
}
BAD = {
    "a length and a coding": (sized(b"Transfer-Encoding: chunked"), refused(400, 501)),
    "two lengths": (sized(b"Content-Length: 0"), refused(400)),
    "a fold": (get(b"X-A: 1\r\n Content-Length: 5"), refused(400)),
    "a bare LF": (get(b"X-A: 1\nContent-Length: 5"), refused(400)),
    "a bare CR": (get(b"X-A: 1\rContent-Length: 5"), refused(400)),
    "an absolute form": (get(target=b"http://edge.test/"), refused(400)),
    "a chunk without its end": (chunked(body=GOOD_CHUNKS.replace(b"}\r\n", b"}", 1)), refused(400)),
}


@pytest.fixture(scope="module")
def upstream():
    with Upstream() as upstream:
        yield upstream


@pytest.fixture(scope="module")
def served(upstream):
    with edge(upstream.port) as running:
        yield running


def cut(name: str, raw: bytes, outcome: Outcome, every: int) -> list[Case]:
    """Return a case for each `every`th place where `raw` can be cut in two."""
    return [
        case(f"{name} cut at {at}", (raw[:at], raw[at:]), outcome)
        for at in range(1, len(raw), every)
    ]


@pytest.mark.parametrize("name", GOOD)
def test_a_good_request_cut_anywhere_is_the_same_request(name, served, upstream):
    raw, outcome = GOOD[name]

    found = {one.name: verdict(one, served, upstream) for one in cut(name, raw, outcome, every=1)}

    assert {where: why for where, why in found.items() if why} == {}


@pytest.mark.parametrize("name", GOOD)
def test_a_good_request_byte_by_byte_is_the_same_request(name, served, upstream):
    raw, outcome = GOOD[name]
    one = case(name, tuple(bytes([byte]) for byte in raw), outcome)

    found = verdict(one, served, upstream)

    assert found == []


@pytest.mark.parametrize("name", BAD)
def test_a_bad_request_cut_anywhere_is_refused(name, served, upstream):
    raw, outcome = BAD[name]

    found = {one.name: verdict(one, served, upstream) for one in cut(name, raw, outcome, every=3)}

    assert {where: why for where, why in found.items() if why} == {}
