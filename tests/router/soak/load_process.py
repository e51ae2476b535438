"""An open-loop load generator in a process of its own: requests leave when they are due.

It does not wait for answers before it sends more, as a crowd does not; latency counts from when a
request was due. Run with one JSON argument, see `Load`; prints one JSON line.
"""

import asyncio
import json
import subprocess
import sys
from collections import Counter, deque
from dataclasses import asdict, dataclass

import uvloop

from tests.router.soak.connection import Broken, Connection
from tests.router.soak.verdicts import fault_in

TICK_S = 0.002


@dataclass(frozen=True, slots=True, kw_only=True)
class Load:
    """What to offer.

    Attributes:
        requests: Whole requests in latin-1; they are sent in turn.
        rate: A second.
        connections: At most so many requests are unanswered at a time.
    """

    port: int
    requests: list[str]
    rate: float
    seconds: float
    connections: int


@dataclass(slots=True)
class Offered:
    """What came of it.

    Attributes:
        offered: Requests that became due.
        unsent: Of those: no connection was free, so they were never sent.
        good: Answered with 2xx.
        refused: By status and code.
        undocumented: Answers that no table has, and connections that broke.
        good_ms, refused_ms: p50 and p99 from when a request was due.
    """

    offered: int
    unsent: int
    good: int
    refused: dict[str, int]
    undocumented: list[str]
    good_ms: tuple[float, float]
    refused_ms: tuple[float, float]
    seconds: float

    @property
    def goodput(self):
        return self.good / self.seconds


def offer(load):
    """Run `load` in a new process and return what came of it."""
    command = [sys.executable, "-m", "tests.router.soak.load_process", json.dumps(asdict(load))]
    done = subprocess.run(command, capture_output=True, check=True, timeout=load.seconds + 60)
    return Offered(**json.loads(done.stdout))


class _Generator:
    def __init__(self, load):
        self._load = load
        self._requests = [text.encode("latin-1") for text in load.requests]
        self._idle = deque(Connection("127.0.0.1", load.port) for _ in range(load.connections))
        self._under_way = set()
        self._good_s, self._refused_s = [], []
        self._refused = Counter()
        self._undocumented = []
        self._offered = self._unsent = 0

    async def run(self):
        loop = asyncio.get_running_loop()
        began = loop.time()
        end = began + self._load.seconds
        while (now := loop.time()) < end:
            due = int((now - began) * self._load.rate)
            while self._offered < due:
                self._begin(began + self._offered / self._load.rate)
            await asyncio.sleep(TICK_S)
        if self._under_way:
            await asyncio.wait(self._under_way, timeout=30)
        return Offered(
            offered=self._offered,
            unsent=self._unsent,
            good=len(self._good_s),
            refused=dict(self._refused),
            undocumented=self._undocumented[:20],
            good_ms=_percentiles(self._good_s),
            refused_ms=_percentiles(self._refused_s),
            seconds=self._load.seconds,
        )

    def _begin(self, due):
        data = self._requests[self._offered % len(self._requests)]
        self._offered += 1
        if not self._idle:
            self._unsent += 1
            return
        task = asyncio.get_running_loop().create_task(self._send(self._idle.popleft(), data, due))
        self._under_way.add(task)
        task.add_done_callback(self._under_way.discard)

    async def _send(self, connection, data, due):
        try:
            answer = await connection.request(data)
        except (Broken, OSError) as broken:
            self._undocumented.append(type(broken).__name__)
        else:
            self._take(answer, asyncio.get_running_loop().time() - due)
        finally:
            # Least lately used first: so both workers get their share.
            self._idle.append(connection)

    def _take(self, answer, took_s):
        if 200 <= answer.status < 300:
            self._good_s.append(took_s)
            return
        wrong, code = fault_in(answer)
        if wrong:
            self._undocumented.append(wrong)
        self._refused[f"{answer.status} {code}"] += 1
        self._refused_s.append(took_s)


def _percentiles(took_s):
    ordered = sorted(took_s) or [0.0]
    return tuple(ordered[int((len(ordered) - 1) * share)] * 1000 for share in (0.5, 0.99))


if __name__ == "__main__":
    found = uvloop.run(_Generator(Load(**json.loads(sys.argv[1]))).run())
    sys.stdout.write(json.dumps(asdict(found)) + "\n")
