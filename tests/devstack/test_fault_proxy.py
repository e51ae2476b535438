"""The proxy lets bytes pass unchanged, and breaks a connection in exactly the way it is told to."""

import http.client
import socket
import threading
import time
from contextlib import suppress

import pytest

from cell_devstack.fault_proxy import (
    ApplyThenCut,
    Blackhole,
    CutBefore,
    CutReply,
    Delay,
    FaultProxy,
    Refuse,
    ReplyWith,
    Watcher,
)
from cell_devstack.http_server import HttpRequest, HttpResponse, LocalHttpServer

CUT = (ConnectionResetError, http.client.RemoteDisconnected, http.client.IncompleteRead)


class Upstream:
    """Counts what it applied, and echoes it."""

    def __init__(self):
        self.applied = []

    def answer(self, request: HttpRequest) -> HttpResponse:
        self.applied.append(request.body)
        return HttpResponse(status=200, headers=(("x-echo", "1"),), body=request.body)


@pytest.fixture
def upstream():
    return Upstream()


@pytest.fixture
def proxy(upstream):
    with (
        LocalHttpServer(upstream.answer) as server,
        FaultProxy(f"http://127.0.0.1:{server.port}") as proxy,
    ):
        yield proxy


@pytest.fixture
def client(proxy):
    connection = http.client.HTTPConnection("127.0.0.1", proxy.port, timeout=5)
    yield connection
    connection.close()


def post(client, body=b"hello", **headers):
    try:
        client.request("POST", "/x", body, headers)
        return client.getresponse().read()
    except Exception:
        client.close()
        raise


def serve_raw(reply):
    """A server that answers any one request with `reply` and hangs up."""
    listener = socket.create_server(("127.0.0.1", 0))

    def serve():
        with listener, listener.accept()[0] as connection:
            connection.recv(65536)
            connection.sendall(reply)

    threading.Thread(target=serve, daemon=True).start()
    return f"http://127.0.0.1:{listener.getsockname()[1]}"


def test_without_a_fault_everything_passes_on_one_kept_connection(client, proxy, upstream):
    answers = [post(client, body) for body in (b"a", b"b" * 100_000, b"\x00\r\n\r\n")]

    assert answers == upstream.applied == [b"a", b"b" * 100_000, b"\x00\r\n\r\n"]
    assert proxy.seen == {"requests": 3}


def test_a_delay_answers_later(client, proxy):
    proxy.set(Delay(latency_ms=80))

    started = time.monotonic()
    answer = post(client)

    assert answer == b"hello"
    assert time.monotonic() - started >= 0.08


def test_refusing_cuts_open_connections_and_takes_no_new_ones(client, proxy, upstream):
    post(client)

    proxy.set(Refuse())

    with pytest.raises((*CUT, BrokenPipeError)):
        post(client)
    with pytest.raises(ConnectionRefusedError):
        post(client)
    assert upstream.applied == [b"hello"]


def test_after_clear_it_listens_on_the_same_url_again(client, proxy):
    proxy.set(Refuse())
    proxy.set(Refuse())

    proxy.clear()
    proxy.clear()

    assert post(client) == b"hello"


def test_a_black_hole_takes_the_request_and_applies_nothing(client, proxy, upstream):
    client.timeout = 0.1
    proxy.set(Blackhole())

    with pytest.raises(TimeoutError):
        post(client)

    assert upstream.applied == []
    assert proxy.seen == {"requests": 1, "Blackhole": 1}


def test_a_request_in_a_black_hole_is_cut_when_the_fault_is_cleared(client, proxy):
    proxy.set(Blackhole())
    client.request("POST", "/x", b"hello")
    deadline = time.monotonic() + 5
    while not proxy.seen.get("Blackhole") and time.monotonic() < deadline:
        time.sleep(0.001)

    proxy.clear()

    with pytest.raises(CUT):
        client.getresponse()


def test_a_reply_can_be_cut_in_the_middle(client, proxy, upstream):
    proxy.set(CutReply(after_bytes=90))

    with pytest.raises(http.client.IncompleteRead):
        post(client, b"x" * 1000)

    assert len(upstream.applied) == 1


def test_apply_then_cut_applies_and_says_nothing(client, proxy, upstream):
    proxy.set(ApplyThenCut(count=1))

    with pytest.raises(CUT):
        post(client, b"once")

    assert upstream.applied == [b"once"]
    assert post(client, b"again") == b"again"


def test_cut_before_applies_nothing(client, proxy, upstream):
    proxy.set(CutBefore(count=1))

    with pytest.raises(CUT):
        post(client)

    assert upstream.applied == []


def test_a_fault_with_a_count_ends_by_itself(client, proxy, upstream):
    proxy.set(CutBefore(count=2))

    for _ in range(2):
        with pytest.raises(CUT):
            post(client)

    assert post(client) == b"hello"
    assert proxy.seen == {"requests": 3, "CutBefore": 2}


def test_a_fault_with_a_match_hits_only_that(client, proxy, upstream):
    proxy.set(ApplyThenCut(match=rb"(?i)x-amz-target: .*TransactWriteItems", count=1))

    assert post(client, b"get", **{"X-Amz-Target": "DynamoDB_20120810.GetItem"}) == b"get"
    with pytest.raises(CUT):
        post(client, b"put", **{"X-Amz-Target": "DynamoDB_20120810.TransactWriteItems"})

    assert upstream.applied == [b"get", b"put"]
    assert proxy.seen == {"requests": 2, "ApplyThenCut": 1}


def test_a_new_fault_hits_a_connection_that_was_open_before(client, proxy):
    post(client)

    proxy.set(ApplyThenCut())

    with pytest.raises(CUT):
        post(client)


@pytest.mark.parametrize(
    ("reply", "body"),
    [
        (b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\n", b"abc"),
        (b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n0\r\nX-T: 1\r\n\r\n", b""),
        (b"HTTP/1.1 200 OK\r\nConnection: close\r\n\r\nto the end", b"to the end"),
        (b"HTTP/1.0 200 OK\r\nContent-Length: 2\r\n\r\nok", b"ok"),
        (b"HTTP/1.1 204 No Content\r\n\r\n", b""),
    ],
)
def test_replies_of_every_framing_pass(reply, body):
    with FaultProxy(serve_raw(reply)) as proxy:
        client = http.client.HTTPConnection("127.0.0.1", proxy.port, timeout=5)

        answer = post(client)
        client.close()

    assert answer == body


@pytest.mark.parametrize(
    "reply",
    [
        b"",
        b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nab",
        b"HTTP/1.1 200 OK\r\nContent-Length: x\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n",
        b"HTTP/1.1 200 OK\r\nX: " + b"x" * 70_000,
    ],
    ids=["none", "short", "no length", "no chunk", "endless head"],
)
def test_a_reply_without_an_end_is_not_passed_on(reply):
    with FaultProxy(serve_raw(reply)) as proxy:
        client = http.client.HTTPConnection("127.0.0.1", proxy.port, timeout=5)

        with pytest.raises(CUT):
            post(client)


def test_a_server_that_is_down_looks_like_a_cut():
    with socket.create_server(("127.0.0.1", 0)) as gone:
        url = f"http://127.0.0.1:{gone.getsockname()[1]}"

    with FaultProxy(url) as proxy:
        client = http.client.HTTPConnection("127.0.0.1", proxy.port, timeout=5)

        with pytest.raises(CUT):
            post(client)


def test_it_speaks_no_tls():
    with pytest.raises(ValueError, match="plain http"):
        FaultProxy("https://127.0.0.1:1")


@pytest.mark.parametrize(("applies", "applied"), [(True, [b"hello"]), (False, [])])
def test_reply_with_says_what_it_is_told_whether_applied_or_not(
    client, proxy, upstream, applies, applied
):
    reply = b"HTTP/1.1 502 Bad Gateway\r\nContent-Length: 4\r\n\r\noops"
    proxy.set(ReplyWith(reply=reply, applies=applies, count=1))

    answers = [post(client) for _ in range(2)]

    assert answers == [b"oops", b"hello"]
    assert upstream.applied == [*applied, b"hello"]


def test_a_watcher_sees_each_request_and_each_reply_of_the_upstream(upstream):
    seen = []

    class Notes(Watcher):
        def asked(self, request):
            seen.append(("asked", request.body))

        def answered(self, request, reply):
            seen.append(("answered", reply.body))

    with (
        LocalHttpServer(upstream.answer) as server,
        FaultProxy(f"http://127.0.0.1:{server.port}", watcher=Notes()) as proxy,
    ):
        proxy.set(CutBefore(count=1))
        for body in (b"cut", b"passed"):
            connection = http.client.HTTPConnection("127.0.0.1", proxy.port, timeout=5)
            with suppress(*CUT):
                post(connection, body)
            connection.close()

    assert seen == [("asked", b"cut"), ("asked", b"passed"), ("answered", b"passed")]
