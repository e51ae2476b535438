"""A client that is slow is cut off in time, whatever it does to look busy."""

import json
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import pytest

from tests.router.framing.client import Client, Got
from tests.router.framing.edge import edge
from tests.router.framing.samples import BODY, GOOD_CHUNKS, READ, chunked, get, sized
from tests.router.framing.upstream import Upstream, answer

LIMIT_S = 0.2
LATEST_S = 1.9
"""The limit, the edge's coarse clock of half a second, and a slow machine."""

FLOOD_BYTES = 16 * 1024 * 1024
"""More than every buffer of the kernel between two sockets holds."""

HELD_BYTES_MAX = 256 * 1024
"""The mark of 64 KiB at which a transport asks to pause, one answer above it, and some room."""

HEADS = {
    "nothing": b"",
    "a byte": b"G",
    "a request line": get().partition(b"\r\n")[0] + b"\r\n",
    "half a head": get()[:80],
    "half a field": get()[:-10],
}
BODIES = {
    "a head": sized()[: -len(BODY)],
    "half a body": sized()[:-30],
    "half a chunk": chunked(body=GOOD_CHUNKS)[:-30],
    "chunks without the last": chunked(body=GOOD_CHUNKS)[:-5],
    "half a trailer": chunked(body=GOOD_CHUNKS[:-2] + b"X-A: 1"),
}


@pytest.fixture(scope="module")
def upstream():
    with Upstream() as upstream:
        yield upstream


@pytest.fixture(scope="module")
def served(upstream):
    with edge(upstream.port, head_s=LIMIT_S, body_s=LIMIT_S, idle_s=LIMIT_S) as running:
        yield running


DRIPS = {
    "a value by drips": (get()[:-2] + b"X-A: ", b"a"),
    "fields by drips": (get()[:-2], b"X-A: 1\r\n"),
    "empty lines by drips": (b"", b"\r\n"),
    "a body by drips": (sized(body=b" " * 60000)[:400], b" "),
    "chunks by drips": (chunked(body=b""), b"1\r\n \r\n"),
    "an extension by drips": (chunked(body=b"1;"), b"a"),
    "a trailer by drips": (chunked(body=b"0\r\nX-A: "), b"a"),
}
KEPT = "a request, and then nothing"


@dataclass
class Waited:
    """What a client got, and after how long it was cut off."""

    got: Got
    took_s: float


@pytest.fixture(scope="module")
def waited(served, upstream):
    """What became of every slow client, all at once: nearly all of it is waiting."""
    silent = {**HEADS, **BODIES, KEPT: get()}
    plans = {**{name: (raw, b"") for name, raw in silent.items()}, **DRIPS}

    def wait(plan: tuple[bytes, bytes]) -> Waited:
        raw, drip = plan
        with Client(served.port) as client:
            began = time.monotonic()
            client.send([raw])
            if drip:
                client.drip(drip, every_s=0.02)
            return Waited(client.read_to_close(), time.monotonic() - began)

    with ThreadPoolExecutor(len(plans)) as threads:
        return dict(zip(plans, threads.map(wait, plans.values()), strict=True))


@pytest.mark.parametrize("name", HEADS)
def test_a_slow_head_is_cut_off(name, waited):
    one = waited[name]

    assert one.got.closed
    assert LIMIT_S <= one.took_s < LATEST_S
    assert [reply.status for reply in one.got.replies] == ([408] if HEADS[name] else [])


@pytest.mark.parametrize("name", BODIES)
def test_a_slow_body_is_cut_off(name, waited):
    one = waited[name]

    assert one.got.closed
    assert LIMIT_S <= one.took_s < LATEST_S
    assert [json.loads(reply.body)["code"] for reply in one.got.replies] == ["request_timeout"]


@pytest.mark.parametrize("name", DRIPS)
def test_a_client_that_drips_is_cut_off_all_the_same(name, waited):
    one = waited[name]

    assert one.got.closed
    assert one.took_s < LATEST_S


def test_an_idle_connection_is_closed_without_a_word(waited):
    one = waited[KEPT]

    assert one.got.closed
    assert LIMIT_S <= one.took_s < LATEST_S
    assert [reply.status for reply in one.got.replies] == [200]


def test_of_all_slow_clients_only_the_one_whole_request_reached_the_upstream(waited, upstream):
    assert upstream.seen().count(READ) == len(upstream.seen()) >= 1


def test_a_slow_client_does_not_keep_others_waiting(served, upstream):
    with Client(served.port) as slow, Client(served.port) as other:
        slow.send([sized()[:-30]])
        began = time.monotonic()
        other.send([get()])
        got = other.read(1)
        took_s = time.monotonic() - began

    assert [reply.status for reply in got.replies] == [200]
    assert took_s < LIMIT_S


def test_a_client_that_does_not_read_is_not_read_either_and_then_cut_off():
    with (
        Upstream(lambda peer, seen: peer.send(answer(b" " * 60_000))) as upstream,
        edge(upstream.port, idle_s=LIMIT_S) as served,
        Client(served.port, buffer_bytes=8192) as client,
    ):
        sent = client.send_until_full(get() * 50, bytes_max=FLOOD_BYTES)
        held_bytes = served.held_bytes()
        is_cut = client.is_cut(within_s=5)

    assert sent < FLOOD_BYTES
    assert held_bytes < HELD_BYTES_MAX
    assert is_cut


def test_too_many_connections_are_turned_away_and_those_that_stand_are_served(upstream):
    with (
        edge(upstream.port, connections_max=2) as served,
        Client(served.port) as first,
        Client(served.port) as second,
    ):
        first.send([get()])
        second.send([get()])
        served_first, served_second = first.read(1), second.read(1)
        with Client(served.port) as third:
            third.send([get()])
            turned_away = third.read_to_close()

    assert len(served_first.replies) == len(served_second.replies) == 1
    assert turned_away.closed
    assert turned_away.replies == []
