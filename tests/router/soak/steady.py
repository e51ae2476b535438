"""Well-behaved clients that ask all the time, in a thread, while a test changes the world."""

import asyncio
import threading
import time
from collections import Counter
from contextlib import contextmanager

import uvloop

from tests.router.soak.connection import Broken, Connection

AWAITED_MAX_S = 20.0


class SteadyLoad:
    """`clients` connections; each sends the next of its requests after an answer.

    Attributes:
        statuses: How often which status came; `broken` where none came.
        took_s: How long each answer took.
        waits: What each answer but 200 says in Retry-After, 0 for nothing.
        certificates: Of the servers that were connected to, in DER.
    """

    def __init__(self, port, requests, *, clients=8, tls=None):
        self._port = port
        self._requests = requests
        self._clients = clients
        self._tls = tls
        self._stopped = threading.Event()
        self.statuses = Counter()
        self.took_s = []
        self.waits = []
        self.certificates = Counter()
        self.opened = 0

    @property
    def failures(self):
        """Every answer but 200."""
        return {status: count for status, count in self.statuses.items() if status != 200}

    @contextmanager
    def running(self):
        """Ask from the first answer on until the block is over."""
        thread = threading.Thread(target=lambda: uvloop.run(self._run()), name="steady")
        thread.start()
        try:
            self.await_more(1)
            yield self
        finally:
            self._stopped.set()
            thread.join()

    def await_more(self, count):
        """Return after `count` more answers."""
        wanted = self.statuses.total() + count
        end = time.monotonic() + AWAITED_MAX_S
        while self.statuses.total() < wanted:
            assert time.monotonic() < end, f"no more answers: {self.statuses}"
            time.sleep(0.005)

    async def _run(self):
        async with asyncio.TaskGroup() as group:
            for number in range(self._clients):
                group.create_task(self._client(number))

    async def _client(self, number):
        connection = Connection("127.0.0.1", self._port, tls=self._tls)
        loop = asyncio.get_running_loop()
        while not self._stopped.is_set():
            opened, began = connection.opened, loop.time()
            try:
                answer = await connection.request(self._requests[number % len(self._requests)])
            except (Broken, OSError):
                self.statuses["broken"] += 1
                continue
            self.took_s.append(loop.time() - began)
            self.statuses[answer.status] += 1
            if answer.status != 200:
                self.waits.append(int(answer.headers.get(b"retry-after", 0)))
            if connection.opened > opened:
                self.opened += 1
                if self._tls is not None:
                    self.certificates[connection.peer_certificate()] += 1
            number += 1
            await asyncio.sleep(0.002)
        connection.close()
