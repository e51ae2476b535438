"""One worker: serves clients on the socket it inherited until its supervisor lets it drain."""

import asyncio
import contextlib
import itertools
import logging
import os
import random  # noqa: TID251, TC003 - the type of the generator that the bootstrap passes in
import socket
import ssl
import time
from collections.abc import Callable, Sequence
from typing import Final

import uvloop

from cell_core.wire.registry import CellRecord
from cell_router.config import Config
from cell_router.edge import Edge
from cell_router.server.access_log import log_to
from cell_router.server.addresses import AddressPolicy, CheckedAddresses
from cell_router.server.assembly import Machine, build_edge
from cell_router.server.client import ClientConnection
from cell_router.server.link import Link, worker_link
from cell_router.server.listeners import BACKLOG
from cell_router.server.observer import Observer, gauges
from cell_router.server.pool import Pool, Resume
from cell_router.server.report import Drain, Find, Found, Ready, ToWorker
from cell_router.server.serving import Serving
from cell_router.server.tally import Tally
from cell_router.server.tls import server_context, upstream_context
from cell_router.server.tracing import open_tracer
from cell_router.stores.lmdb import LmdbView

REPORT_S: Final = 0.5
LOG_S: Final = 0.1
RESOLVE_S: Final = 3.0
LAST_IDLE_S: Final = 1.0
"""What is left of a drain when idle connections are closed; until then they may ask once more."""

STDOUT: Final = 1


def run(
    config: Config,
    *,
    slot: int,
    generation: int,
    listen_fd: int,
    report_fd: int,
    generator: "random.Random",
    log: logging.Logger,
) -> int:
    """Serve until drained; return the exit code."""
    machine = Machine(
        now_ms=lambda: time.time_ns() // 1_000_000,
        new_id=ids(generator),
        generator=generator,
        log=log,
    )
    worker = Worker(config, machine, slot)
    log.info("worker_started", extra={"fields": {"slot": slot, "generation": generation}})
    return uvloop.run(worker.serve(listen_fd, report_fd))


def ids(generator: "random.Random") -> Callable[[], str]:
    """Return what makes ids: a prefix of this process, and a count."""
    prefix = f"{generator.getrandbits(64):016x}{os.getpid():x}"
    counter = itertools.count(1)
    return lambda: f"{prefix}-{next(counter)}"


class Worker:
    """What `run` runs; a test may run it in a loop of its own."""

    def __init__(self, config: Config, machine: Machine, slot: int) -> None:
        self._config = config
        self._machine = machine
        self._slot = slot
        self._tally = Tally()
        self._access_log = log_to(STDOUT, config.settings.log.success_sample, os.write)
        self._link: Link[ToWorker] | None = None
        self._asking: dict[str, Callable[[bool | None], None]] = {}
        self._drain_s = 0.0
        self._ending = asyncio.Event()

    async def serve(self, listen_fd: int, report_fd: int) -> int:
        """Serve on the listening socket until the supervisor says `drain` or is gone."""
        settings = self._config.settings
        store = LmdbView.open(self._config.path(settings.registry.cache))
        edge, refresher = build_edge(self._config, store, self._machine)
        tracing = settings.tracing
        tracer = open_tracer(
            tracing.endpoint,
            sample_ratio=tracing.sample_ratio,
            slot=self._slot,
            generator=self._machine.generator,
        )
        observer = Observer(self._tally, self._access_log, tracer, self._bug)
        observer.attach(edge)
        refresher.recall()
        await asyncio.to_thread(refresher.refresh_due)
        refresher.start()
        serving = Serving(
            edge,
            observer=observer,
            pool_of=self._pools(edge),
            ask=self._ask,
            now_s=self._machine.now_s,
            new_id=self._machine.new_id,
        )
        self._link = await worker_link(report_fd, self._received, self._orphaned)
        server = await asyncio.get_running_loop().create_server(
            lambda: ClientConnection(serving),
            sock=socket.socket(fileno=listen_fd),
            ssl=self._tls(),
            backlog=BACKLOG,
        )
        self._link.send(Ready())
        reporting = asyncio.create_task(self._report(edge, serving))
        logging_ = asyncio.create_task(_tick(self._access_log.tick))
        await self._ending.wait()
        server.close()  # The socket itself stays open in the supervisor: nothing queued is lost.
        await self._drain(serving)
        for task in (reporting, logging_):
            task.cancel()
        self._send_report(edge, serving)
        self._access_log.tick()
        refresher.stop()
        if tracer is not None:
            await asyncio.to_thread(tracer.close)
        serving.close()
        store.close()
        return 0

    # ── Parts ────────────────────────────────────────────────────────────────

    def _tls(self) -> ssl.SSLContext | None:
        tls = self._config.settings.listen.tls
        if tls is None:
            return None
        return server_context(self._config.path(tls.certificate), self._config.path(tls.key))

    def _pools(self, edge: Edge) -> Callable[[CellRecord, Resume], Pool]:
        settings = self._config.settings
        policy = AddressPolicy(host_suffixes=settings.cells.host_suffixes, local=settings.local)
        ca = self._config.path(settings.cells.ca) if settings.cells.ca else None
        context = upstream_context(ca)

        def pool_of(record: CellRecord, resume: Resume) -> Pool:
            addresses = CheckedAddresses(
                policy.origin(record.base_url),
                policy,
                resolve,
                interval_s=settings.cells.resolve_s,
            )
            return Pool(addresses, context, edge.limits, resume)

        return pool_of

    # ── The supervisor ───────────────────────────────────────────────────────

    def _received(self, message: ToWorker) -> None:
        if isinstance(message, Drain):
            self._drain_s = message.max_ms / 1000
            self._ending.set()
        elif isinstance(message, Found):
            self._answer(message.tenant, message.present)

    def _orphaned(self, _reason: str) -> None:
        self._ending.set()  # The supervisor is gone: nobody would ever end this process.

    def _ask(self, tenant: str, then: Callable[[bool | None], None]) -> None:
        self._asking[tenant] = then
        if self._link is None or not self._link.send(Find(tenant)):
            asyncio.get_running_loop().call_soon(self._answer, tenant, None)

    def _answer(self, tenant: str, present: bool | None) -> None:  # noqa: FBT001 - the answer itself
        then = self._asking.pop(tenant, None)
        if then is not None:
            then(present)

    def _bug(self, place: str) -> None:
        self._machine.log.error("bug", extra={"fields": {"place": place}})

    async def _report(self, edge: Edge, serving: Serving) -> None:
        while True:
            await asyncio.sleep(REPORT_S)
            self._send_report(edge, serving)

    def _send_report(self, edge: Edge, serving: Serving) -> None:
        if dropped := self._access_log.take_dropped():
            self._tally.count("log_lines_dropped", by=dropped)
        for cell, opened in serving.take_opened():
            if opened:
                self._tally.count("upstream_connects", cell, opened)
        cells = edge.attempts.cells.items()
        breakers = {cell: state.breaker.state_at(edge.now) for cell, state in cells}
        shown = gauges(edge, len(serving.clients), serving.upstream_connections())
        report = self._tally.take_changes(shown, breakers)
        if self._link is None or not self._link.send(report):
            self._tally.put_back(report)

    # ── The end ──────────────────────────────────────────────────────────────

    async def _drain(self, serving: Serving) -> None:
        """Finish what is under way; a client that keeps its connection may ask once more."""
        serving.drain()
        loop = asyncio.get_running_loop()
        end = loop.time() + self._drain_s
        while serving.clients and loop.time() < end:
            if end - loop.time() < LAST_IDLE_S:
                serving.close_idle()
            await asyncio.sleep(0.02)
        serving.close_idle()


async def _tick(tick: Callable[[], None]) -> None:
    while True:
        await asyncio.sleep(LOG_S)
        tick()


async def resolve(host: str, port: int) -> Sequence[str]:
    """Return the addresses of `host`, as `addresses.Resolver`."""
    loop = asyncio.get_running_loop()
    with contextlib.suppress(UnicodeError):
        async with asyncio.timeout(RESOLVE_S):  # A TimeoutError is an OSError.
            found = await loop.getaddrinfo(host, port, type=socket.SOCK_STREAM)
        return list(dict.fromkeys(str(entry[4][0]) for entry in found))
    return []
