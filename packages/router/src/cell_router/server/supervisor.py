"""The supervisor's shell: processes, signals and messages; what to do is `Fleet`'s to decide.

It holds the listening sockets and no client's bytes, so that it has no reason to fall over. A new
configuration that is wrong, or with which no worker starts, changes nothing.
"""

import asyncio
import logging
import signal
from collections.abc import Awaitable, Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass, replace
from socket import socket
from typing import Final, Protocol

from cell_router.config import Config
from cell_router.config_findings import ConfigError
from cell_router.config_reload import findings_of_reload
from cell_router.server.finder import Finder
from cell_router.server.fleet import (
    Accepted,
    Action,
    End,
    Fleet,
    Kill,
    LetGo,
    Note,
    Spawn,
    TellDrain,
)
from cell_router.server.listeners import reopen_listener
from cell_router.server.metrics import Totals
from cell_router.server.passive_health import PassiveHealth
from cell_router.server.positions import Positions
from cell_router.server.registry_keeper import RegistryKeeper
from cell_router.server.registry_thread import RegistryThread
from cell_router.server.report import Drain, Find, Found, FromWorker, Ready, Report
from cell_router.server.worker_child import WorkerChild, WorkerStart

TICK_S: Final = 0.05
_FIND_THREADS: Final = 4
_SIGNALS: Final = (signal.SIGHUP, signal.SIGTERM, signal.SIGINT)


@dataclass(frozen=True, slots=True, kw_only=True)
class WorkerSpec:
    """What a worker's command line says."""

    slot: int
    generation: int
    listen_fd: int
    report_fd: int


class Admin(Protocol):
    """Serves the admin listener."""

    def serve(self) -> Awaitable[None]:
        """Answer until `stop`."""

    def stop(self) -> None:
        """Let `serve` return soon."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Intake:
    """Where workers' reports go."""

    totals: Totals
    positions: Positions
    health: PassiveHealth

    def take(self, worker: int, report: Report, now_s: float) -> None:
        """Add a report of `worker`."""
        self.totals.add(worker, report)
        self.positions.note(report.positions)
        self.health.note(worker, report.health, now_s)

    def forget(self, worker: int) -> None:
        """Drop what is true only of a living worker."""
        self.totals.forget(worker)
        self.health.forget(worker)


@dataclass(frozen=True, slots=True, kw_only=True)
class Parts:
    """What the supervisor is made of; tests pass fakes.

    Attributes:
        reread: Reads and checks the configuration again; raises `ConfigError`.
        make_keeper: Makes the registry's keeper of a configuration.
        command: Makes a worker's command line.
        environment: A worker's whole environment.
        clock_s: Monotonic.
    """

    fleet: Fleet
    intake: Intake
    registry: RegistryThread
    admin: Admin
    reread: Callable[[], Config]
    make_keeper: Callable[[Config], RegistryKeeper]
    command: Callable[[WorkerSpec], Sequence[str]]
    environment: Mapping[str, str]
    clock_s: Callable[[], float]
    log: logging.Logger


@dataclass(frozen=True, slots=True)
class _Plan:
    """A configuration that was checked, and the registry's keeper made of it.

    Attributes:
        keeper: None for the first one, whose keeper runs already.
    """

    config: Config
    keeper: RegistryKeeper | None = None


class Supervisor:
    """Runs workers on `listeners` until it is told to stop; whoever opened them closes them."""

    def __init__(self, parts: Parts, config: Config, listeners: list[socket]) -> None:
        self._parts = parts
        self._newest = _Plan(config)
        self._plans: dict[int, _Plan] = {}
        self._listeners = listeners
        self._children: dict[int, WorkerChild] = {}
        self._tasks: set[asyncio.Task[None]] = set()
        self._ended = asyncio.Event()
        self._rereading = asyncio.Lock()
        self._threads = ThreadPoolExecutor(_FIND_THREADS, thread_name_prefix="find")
        self._finder = Finder(parts.registry.find, self._threads, self._tell_found)

    async def run(self) -> int:
        """Serve; return the exit code after a stop."""
        loop = asyncio.get_running_loop()
        loop.add_signal_handler(signal.SIGHUP, lambda: self._background(self.reload()))
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, self.stop)
        self._parts.registry.start()
        admin = asyncio.ensure_future(self._parts.admin.serve())
        try:
            self._do(self._parts.fleet.start(self._now_s()))
            await self._tick_until_ended()
            return 0
        finally:
            for number in _SIGNALS:
                loop.remove_signal_handler(number)
            await self._close(admin)

    def stop(self) -> None:
        """Begin to end, as SIGTERM does; a second time: without the delay."""
        self._do(self._parts.fleet.stop(self._now_s()))

    async def reload(self) -> None:
        """Read the configuration again and, if it is good, start a new generation: SIGHUP."""
        async with self._rereading:
            try:
                self._newest = await asyncio.to_thread(self._plan_again)
            except ConfigError as refused:
                self._parts.fleet.reloads_failed += 1
                findings = [str(finding) for finding in refused.findings]
                self._log(logging.ERROR, "reload_refused", {"findings": findings})
                return
            self._do(self._parts.fleet.reload(self._now_s()))

    def _plan_again(self) -> "_Plan":
        config = self._parts.reread()
        fixed = findings_of_reload(self._newest.config.settings, config.settings)
        if fixed:
            raise ConfigError(fixed)
        return _Plan(config, self._parts.make_keeper(config))

    async def _tick_until_ended(self) -> None:
        while not self._ended.is_set():
            with suppress(TimeoutError):
                await asyncio.wait_for(self._ended.wait(), TICK_S)
            self._do(self._parts.fleet.tick(self._now_s()))

    def _do(self, actions: Sequence[Action]) -> None:
        for action in actions:
            self._do_one(action)

    def _do_one(self, action: Action) -> None:
        match action:
            case Spawn():
                self._spawn(action)
            case LetGo(slot):
                self._let_go(slot)
            case TellDrain(serial):
                self._drain(serial)
            case Kill(serial):
                self._kill(serial)
            case Accepted(generation):
                self._accept(generation)
            case Note(event, fields):
                self._log(logging.INFO, event, fields)
            case End():
                self._ended.set()

    def _spawn(self, action: Spawn) -> None:
        serial, generation = action.serial, action.generation
        plan = self._plans.setdefault(generation, self._newest)

        def command(listen_fd: int, report_fd: int) -> Sequence[str]:
            spec = WorkerSpec(
                slot=action.slot, generation=generation, listen_fd=listen_fd, report_fd=report_fd
            )
            return self._parts.command(spec)

        start = WorkerStart(
            command=command,
            text=plan.config.text,
            environment=self._parts.environment,
            listener=lambda: self._listeners[action.slot],
        )
        child = WorkerChild(
            start,
            received=lambda message: self._receive(serial, message),
            refused=lambda reason: self._log(
                logging.ERROR, "report_refused", {"slot": action.slot, "reason": reason}
            ),
        )
        self._children[serial] = child
        self._background(self._run_child(serial, child))

    def _let_go(self, slot: int) -> None:
        try:
            reopen_listener(self._listeners, slot)
        except OSError as error:
            self._log(logging.ERROR, "listener_kept", {"slot": slot, "errno": error.errno})

    async def _run_child(self, serial: int, child: WorkerChild) -> None:
        exit_code = await child.run()
        del self._children[serial]
        self._parts.intake.forget(serial)
        self._do(self._parts.fleet.on_ended(serial, exit_code, self._now_s()))

    def _receive(self, serial: int, message: FromWorker) -> None:
        now_s = self._now_s()
        self._parts.fleet.on_heard(serial, now_s)
        match message:
            case Ready():
                self._do(self._parts.fleet.on_ready(serial, now_s))
            case Report():
                self._parts.intake.take(serial, message, now_s)
            case Find(tenant):
                self._finder.find(serial, tenant)

    def _tell_found(self, serial: int, tenant: str, present: bool | None) -> None:  # noqa: FBT001 - `Finder`'s answer
        if serial in self._children:
            self._children[serial].send(Found(tenant, present))

    def _drain(self, serial: int) -> None:
        if serial in self._children:
            max_ms = round(self._parts.fleet.rules.drain_max_s * 1000)
            self._children[serial].send(Drain(max_ms))

    def _kill(self, serial: int) -> None:
        if serial in self._children:
            self._children[serial].kill()

    def _accept(self, generation: int) -> None:
        """Let the rest follow the configuration with which all workers have started."""
        plan = self._plans[generation]
        self._plans = {generation: plan}
        fleet, listen = self._parts.fleet, plan.config.settings.listen
        fleet.rules = replace(
            fleet.rules, drain_delay_s=listen.drain_delay_s, drain_max_s=listen.drain_max_s
        )
        if plan.keeper is not None:
            self._parts.registry.replace(plan.keeper)

    def _background(self, work: "Awaitable[None]") -> None:
        task = asyncio.ensure_future(work)
        self._tasks.add(task)
        task.add_done_callback(self._finished)

    def _finished(self, task: "asyncio.Task[None]") -> None:
        self._tasks.discard(task)
        if not task.cancelled() and (bug := task.exception()) is not None:
            self._log(logging.ERROR, "supervisor_bug", {"type": type(bug).__name__})

    async def _close(self, admin: "asyncio.Future[None]") -> None:
        for child in list(self._children.values()):
            child.kill()
        running = list(self._tasks)
        if running:
            await asyncio.wait(running, timeout=5)
        self._parts.admin.stop()
        await asyncio.wait([admin], timeout=5)
        self._parts.registry.stop()
        self._threads.shutdown(wait=False, cancel_futures=True)

    def _now_s(self) -> float:
        return self._parts.clock_s()

    def _log(self, level: int, event: str, fields: Mapping[str, object]) -> None:
        self._parts.log.log(level, event, extra={"fields": fields})
