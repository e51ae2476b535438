"""Composition root of the supervisor's process: makes its parts and runs it.

Reads no environment and no clock: `bootstrap` passes what is of this machine.
"""

import logging
import socket
from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from cell_core.wire.registry import read_tenant
from cell_router.config import Config
from cell_router.registry import Registry
from cell_router.server.admin import AdminSources, RouteShown, build_admin
from cell_router.server.admin_server import AdminServer
from cell_router.server.fleet import Fleet, Rules
from cell_router.server.listeners import close_listeners, open_admin_listener, open_listeners
from cell_router.server.metrics import Own, RouterCollector, Totals
from cell_router.server.passive_health import PassiveHealth
from cell_router.server.positions import Positions
from cell_router.server.registry_keeper import RegistryKeeper, SyncKeeper
from cell_router.server.registry_thread import RegistryThread
from cell_router.server.supervisor import Intake, Parts, Supervisor, WorkerSpec
from cell_router.sources.following import follow
from cell_router.stores.lmdb import LmdbStore

if TYPE_CHECKING:
    import random  # noqa: TID251 - the type of what `bootstrap` passes in


@dataclass(frozen=True, slots=True, kw_only=True)
class Machine:
    """What `bootstrap` found here.

    Attributes:
        workers: How many "one a core" are.
        environment: What workers may see of it.
        python: The interpreter.
        now_s, now_ms: The monotonic and the wall clock.
    """

    workers: int
    environment: Mapping[str, str]
    python: str
    generator: "random.Random"
    now_s: Callable[[], float]
    now_ms: Callable[[], int]
    log: logging.Logger


async def supervise(
    config: Config, path: Path, machine: Machine, reread: Callable[[], Config]
) -> int:
    """Run the supervisor; return its exit code after a stop.

    Raises:
        ConfigError: No registry source can be made of the settings.
        OSError: An address cannot be listened on.
        Unavailable: The cache cannot be written, or another router writes it.
    """
    with ExitStack() as held:
        listeners, admin_listener = _listen(config, machine, held)
        store = held.enter_context(LmdbStore.open(config.path(config.settings.registry.cache)))
        if store.recovered:
            machine.log.warning("registry_cache_moved_aside", extra={"fields": {}})

        def make_keeper(of: Config) -> RegistryKeeper:
            return _keeper(of, store, machine)

        fleet = Fleet(_rules(config, len(listeners)), machine.generator)
        intake = Intake(totals=Totals(), positions=Positions(), health=PassiveHealth())
        registry = RegistryThread(make_keeper(config))
        admin = build_admin(_admin_sources(config, fleet, intake, registry, store, machine))
        parts = Parts(
            fleet=fleet,
            intake=intake,
            registry=registry,
            admin=AdminServer(admin, admin_listener),
            reread=reread,
            make_keeper=make_keeper,
            command=_command(path, machine),
            environment=machine.environment,
            clock_s=machine.now_s,
            log=machine.log,
        )
        return await Supervisor(parts, config, listeners).run()


def _listen(
    config: Config, machine: Machine, held: ExitStack
) -> tuple[list[socket.socket], socket.socket]:
    listen, admin = config.settings.listen, config.settings.admin
    listeners = open_listeners(listen.address, listen.port, listen.workers or machine.workers)
    held.callback(close_listeners, listeners)
    admin_listener = open_admin_listener(admin.address, admin.port)
    held.callback(admin_listener.close)
    fields = {
        "port": listeners[0].getsockname()[1],
        "admin_port": admin_listener.getsockname()[1],
        "workers": len(listeners),
    }
    machine.log.info("bound", extra={"fields": fields})
    return listeners, admin_listener


def _rules(config: Config, slots: int) -> Rules:
    listen = config.settings.listen
    return Rules(slots=slots, drain_delay_s=listen.drain_delay_s, drain_max_s=listen.drain_max_s)


def _keeper(config: Config, store: LmdbStore, machine: Machine) -> RegistryKeeper:
    sync = follow(config, store, machine.generator.random)
    return SyncKeeper(sync, store, machine.now_ms, machine.log)


def _command(path: Path, machine: Machine) -> Callable[[WorkerSpec], Sequence[str]]:
    def command(spec: WorkerSpec) -> Sequence[str]:
        return [
            machine.python, "-P",  # Nothing is imported from the folder that it was started in.
            "-m", "cell_router", "worker",
            "--config", str(path.absolute()),
            "--slot", str(spec.slot),
            "--generation", str(spec.generation),
            "--listen-fd", str(spec.listen_fd),
            "--report-fd", str(spec.report_fd),
        ]  # fmt: skip

    return command


def _admin_sources(
    config: Config,
    fleet: Fleet,
    intake: Intake,
    registry: RegistryThread,
    store: LmdbStore,
    machine: Machine,
) -> AdminSources:
    def own() -> Own:
        status, now_ms = registry.status(), machine.now_ms()
        return Own(
            workers_ready=fleet.ready,
            workers_wanted=fleet.rules.slots,
            worker_restarts=fleet.restarts,
            reloads=fleet.reloads,
            reloads_failed=fleet.reloads_failed,
            registry_rev=status.rev,
            registry_tenants=status.tenants,
            registry_age_s=_age_s(status.created_ms, now_ms),
            registry_fresh_age_s=_age_s(status.fresh_ms, now_ms),
            positions=len(intake.positions),
            positions_forgotten=intake.positions.forgotten,
        )

    age_max_s = config.settings.registry.age_max_s
    return AdminSources(
        fleet=fleet,
        collector=RouterCollector(intake.totals, own),
        positions=intake.positions,
        health=intake.health,
        registry=registry.status,
        lookup=_lookup(store, machine.now_s),
        registry_age_max_s=lambda: age_max_s,
        now_s=machine.now_s,
        now_ms=machine.now_ms,
    )


def _lookup(store: LmdbStore, now_s: Callable[[], float]) -> Callable[[str], RouteShown | None]:
    registry = Registry(store)

    def lookup(tenant: str) -> RouteShown | None:
        registry.refresh(now_s())
        route, row = registry.find(tenant), store.get(f"t:{tenant}".encode())
        if route is None or row is None:
            return None
        return RouteShown(
            tenant=tenant,
            epoch=route.epoch,
            stripes=route.stripes,
            group=read_tenant(tenant, row.decode()).group,
            status=route.status,
            reason=route.reason,
            cell=asdict(route.cell) if route.cell else None,
            ack=route.standby.policy if route.standby else "local",
            standby=route.standby.cell.id if route.standby and route.standby.cell else None,
        )

    return lookup


def _age_s(then_ms: int, now_ms: int) -> float:
    return max(0, now_ms - then_ms) / 1000 if then_ms else 0.0
