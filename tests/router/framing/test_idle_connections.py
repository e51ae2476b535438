"""Ten thousand clients that say nothing cost memory by the kilobyte, and nobody else's time."""

import contextlib
import resource
import socket
import subprocess
import sys
import time
from statistics import quantiles

import pytest

from tests.router.framing.client import Client
from tests.router.framing.samples import get
from tests.router.framing.upstream import Upstream

CONNECTIONS = 10_000
SPARE = 500
KIB_A_CONNECTION_MAX = 8
REQUESTS = 2000
P99_MAX_S = 0.25

pytestmark = pytest.mark.slow


@pytest.fixture
def files():
    """Allow this process as many files as it may have; without enough of them nothing is shown."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if hard < CONNECTIONS + SPARE:
        pytest.skip(f"needs {CONNECTIONS + SPARE} open files, and the hard limit is {hard}")
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    yield
    resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


class Child:
    """The edge in a process of its own."""

    def __init__(self, upstream_port: int) -> None:
        self._process = subprocess.Popen(
            [sys.executable, "-m", "tests.router.framing.idle_edge", str(upstream_port)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        self.port = int(self._line())

    def resident_kib(self) -> int:
        assert self._process.stdin is not None
        self._process.stdin.write("memory\n")
        self._process.stdin.flush()
        return int(self._line())

    def end(self) -> int:
        self._process.communicate(timeout=30)
        return self._process.returncode

    def _line(self) -> str:
        assert self._process.stdout is not None
        return self._process.stdout.readline()


@pytest.fixture
def child(files):
    with Upstream() as upstream:
        child = Child(upstream.port)
        yield child
        assert child.end() == 0


def ask(client):
    """Return how long a request took; its answer must be good."""
    began = time.monotonic()
    client.send([get()])
    replies = client.read(len(client.got.replies) + 1).replies
    assert replies.pop().status == 200
    return time.monotonic() - began


def test_ten_thousand_idle_connections_leave_the_edge_serving(child, record_property):
    with contextlib.ExitStack() as open_now, Client(child.port) as client:
        for _ in range(200):
            ask(client)
        before_kib = child.resident_kib()
        for number in range(CONNECTIONS):
            idle = socket.create_connection(("127.0.0.1", child.port), timeout=5)
            open_now.callback(idle.close)
            # Some say nothing, some stop inside a head: each costs what it costs.
            if number % 2:
                idle.sendall(get()[:60])
        took_s = [ask(client) for _ in range(REQUESTS)]
        after_kib = child.resident_kib()

    p99_s = quantiles(took_s, n=100)[-1]
    record_property("kib_a_connection", (after_kib - before_kib) / CONNECTIONS)
    record_property("p99_ms", p99_s * 1000)
    assert after_kib - before_kib < KIB_A_CONNECTION_MAX * CONNECTIONS
    assert p99_s < P99_MAX_S
