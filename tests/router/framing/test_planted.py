"""The corpus sees a credulous edge, and the judge sees bytes that can be read in two ways."""

import pytest

from tests.router.framing.corpus import CASES
from tests.router.framing.credulous import CredulousEdge
from tests.router.framing.play import verdict
from tests.router.framing.samples import BODY
from tests.router.framing.strict import Ambiguous, take_reply, take_request
from tests.router.framing.upstream import Upstream

BY_NAME = {case.name: case for case in CASES}

SEEN_THROUGH = (
    "two equal lengths",
    "two lengths that differ",
    "a second length behind a bare CR",
    "chunks",
    "the coding 'xchunked'",
    "a coding before the length and a request behind",
    "a fold with a space",
    "a space before the colon",
    "a NUL in the name",
    "two Hosts in two cases",
    "a target in absolute form",
    "a target of another tenant",
    "the version 'HTTP/1.2'",
    "a request behind Connection: close",
    "an upgrade to h2c and a request",
    "the forged field X-Cell-Grant: forged",
    "the forged field Forwarded: for=forged",
    "twice Authorization",
)


@pytest.fixture(scope="module")
def upstream():
    with Upstream() as upstream:
        yield upstream


@pytest.fixture(scope="module")
def credulous(upstream):
    with CredulousEdge(upstream.port) as edge:
        yield edge


def test_the_corpus_is_as_large_as_it_says_and_every_case_has_its_own_name():
    assert len(CASES) >= 600
    assert len(BY_NAME) == len(CASES)


@pytest.mark.parametrize("name", SEEN_THROUGH)
def test_a_credulous_edge_is_seen_through(name, credulous, upstream):
    found = verdict(BY_NAME[name], credulous, upstream)

    assert found


@pytest.mark.parametrize("name", ["a length", "two requests at once", "a colon in a value"])
def test_even_a_credulous_edge_does_what_is_good_well(name, credulous, upstream):
    found = verdict(BY_NAME[name], credulous, upstream)

    assert found == []


HEAD = b"POST /process HTTP/1.1\r\nhost: c\r\n"


@pytest.mark.parametrize(
    "raw",
    [
        HEAD + b"\r\n",
        HEAD + b"content-length: 1\r\ncontent-length: 1\r\n\r\nx",
        HEAD + b"content-length: 01\r\n\r\nx",
        HEAD + b"content-length: +1\r\n\r\nx",
        HEAD + b"content-length: 1, 1\r\n\r\nx",
        HEAD + b"content-length: 0\r\ntransfer-encoding: chunked\r\n\r\n",
        HEAD + b"content-length: 0\r\nconnection: x-a\r\n\r\n",
        HEAD + b"content-length: 0\r\nx_a: 1\r\n\r\n",
        HEAD + b"content-length: 0\r\nforwarded: for=a\r\n\r\n",
        HEAD + b"content-length: 0\r\nhost: c\r\n\r\n",
        HEAD + b"content-length: 0\r\nx-a: \r1\r\n\r\n",
        HEAD + b"content-length: 0\r\nx-a: \xe9\r\n\r\n",
        HEAD + b"content-length: 0\r\nx-a : 1\r\n\r\n",
        HEAD + b"content-length: 0\nx-a: 1\r\n\r\n",
        HEAD + b"content-length: 0\r\n x-a: 1\r\n\r\n",
        b"POST http://c/process HTTP/1.1\r\nhost: c\r\ncontent-length: 0\r\n\r\n",
        b"POST /process HTTP/1.0\r\nhost: c\r\ncontent-length: 0\r\n\r\n",
        b"POST /a#b HTTP/1.1\r\nhost: c\r\ncontent-length: 0\r\n\r\n",
        b"post /process HTTP/1.1\r\nhost: c\r\ncontent-length: 0\r\n\r\n",
        b"POST /process HTTP/1.1\r\ncontent-length: 0\r\n\r\n",
    ],
)
def test_the_judge_refuses_a_request_that_can_be_read_in_two_ways(raw):
    with pytest.raises(Ambiguous):
        take_request(raw)


@pytest.mark.parametrize(
    "raw",
    [
        b"HTTP/1.1 200 OK\r\n\r\n",
        b"HTTP/1.1 200 OK\r\ncontent-length: 1\r\ncontent-length: 1\r\n\r\nx",
        b"HTTP/1.1 200 OK\r\ncontent-length: 1\r\ntransfer-encoding: chunked\r\n\r\nx",
        b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\ng\r\n",
        b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n1\r\nxyz",
        b"HTTP/1.0 200 OK\r\ncontent-length: 0\r\n\r\n",
    ],
)
def test_the_judge_refuses_an_answer_that_can_be_read_in_two_ways(raw):
    with pytest.raises(Ambiguous):
        take_reply(raw)


def test_the_judge_reads_one_request_and_leaves_the_next():
    raw = HEAD + b"content-length: %d\r\n\r\n" % len(BODY) + BODY

    taken = take_request(raw + b"GET / ")

    assert taken is not None
    assert (taken[0].body, taken[1]) == (BODY, b"GET / ")
