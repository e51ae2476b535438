"""The whole of one process but for its listener: the API over the loops over what both reach.

Refuses, while the registry is behind the cells' fences, to change or publish any of it.
"""

from collections.abc import Mapping
from dataclasses import asdict
from functools import cache
from typing import Final

from cell_control.errors import Unavailable
from cell_control.server.app import build_app
from cell_control.server.cell_routes import CellRoutes
from cell_control.server.feed import Feed
from cell_control.server.feed_routes import FeedRoutes
from cell_control.server.gate import Gate
from cell_control.server.given import Given
from cell_control.server.insight_routes import InsightRoutes
from cell_control.server.lake_routes import LakeRoutes
from cell_control.server.openapi import openapi
from cell_control.server.operation_routes import OperationRoutes
from cell_control.server.reach import Reach
from cell_control.server.recovery_routes import RecoveryRoutes
from cell_control.server.routing import Route
from cell_control.server.status_routes import Looking, StatusRoutes
from cell_control.server.tenant_routes import TenantRoutes
from cell_control.server.verification_routes import VerificationRoutes
from cell_control.server.verifications import Verifications
from cell_control.server.work import Work
from cell_control.service.cells import Cells
from cell_control.service.operations import Operations
from cell_control.service.tenants import Tenants

ALWAYS: Final = frozenset({"begin_recovery", "recover_without", "ring_doorbells"})
FEED: Final = frozenset({"registry_snapshot", "registry_changes", "registry_tenant"})


class ControlPlane:
    """One process; for one event loop."""

    def __init__(self, given: Given) -> None:
        """Start nothing yet."""
        self._given = given
        self._stopping = False
        self.reach = Reach(given, self._gauges)
        self.work = Work(given, self.reach)
        machine = given.machine
        self.feed = Feed(
            self.reach.threads,
            self.reach.watcher,
            given.signer,
            machine.now_ms,
            on_ahead=self.work.recoveries.ahead,
        )
        self.verifications = Verifications(self.reach.runtime, machine.new_id, machine.log)
        gate = Gate(
            tokens=given.tokens,
            log=machine.log,
            now_s=machine.now_s,
            new_id=machine.new_id,
            observe=self.reach.figures.request,
            admits=self._admits,
        )
        status = StatusRoutes(self._looking())
        self.rows = (*status.rows(), *self._rows())
        self.app = build_app(gate, self.rows)
        status.describe = cache(lambda: openapi(self.rows))

    async def start(self) -> None:
        """Follow the registry, and begin all loops."""
        self.reach.watcher.start()
        self.work.start()

    def drain(self) -> None:
        """Say from now on that this process is not ready, and let long polls go."""
        self._stopping = True
        self.reach.watcher.release()

    async def stop(self, grace_s: float) -> None:
        """Give a cut-over that is under way `grace_s`, then stop everything in order."""
        self.drain()
        await self.verifications.stop()
        await self.work.stop(grace_s)
        await self.reach.close()

    def _rows(self) -> list[Route]:
        reach, desk, machine = self.reach, self.reach.desk, self._given.machine
        return [
            *FeedRoutes(self.feed, reach.snapshots, self.work.ring).rows(),
            *CellRoutes(Cells(desk), reach.threads, self.work.probes.run).rows(),
            *TenantRoutes(Tenants(desk), reach.threads, machine.new_id).rows(),
            *OperationRoutes(Operations(desk), reach.threads).rows(),
            *InsightRoutes(
                reach, self.work.followers.lags, machine.now_ms, self.work.stops.next_of
            ).rows(),
            *LakeRoutes(reach).rows(),
            *VerificationRoutes(self.verifications, desk, reach.threads).rows(),
            *RecoveryRoutes(self.work.recoveries, desk, reach.threads).rows(),
        ]

    def _admits(self, route: Route) -> None:
        if self._stopping:
            raise Unavailable("stopping")
        is_kept = route.id in FEED or (route.writes and route.id not in ALWAYS)
        if is_kept and self.work.recoveries.running:
            raise Unavailable("recovering")

    def _looking(self) -> Looking:
        return Looking(
            process=self._given.machine.process,
            figures=self.reach.figures,
            rev=lambda: self.reach.watcher.rev,
            missing=self._missing,
            gauges=self._gauges,
            targets=lambda: self.work.targets,
        )

    def _missing(self) -> tuple[str, ...]:
        checks = {
            "stopping": self._stopping,
            "registry": not self.reach.watcher.reachable,
            "recovery": self.work.recoveries.running,
        }
        return tuple(name for name, is_so in checks.items() if is_so)

    def _gauges(self) -> Mapping[str, float]:
        reach, work = self.reach, self.work
        lag = work.followers.lags.totals(self._given.machine.now_ms())
        return {
            "registry_rev": reach.watcher.rev,
            "registry_reachable": float(reach.watcher.reachable),
            "open_tenants": len(work.movers),
            "movers_running": work.movers.running,
            "followers_running": work.followers.running,
            "follower_errors": work.followers.errors,
            "open_operations": len(work.campaigns),
            "feed_clients": self.feed.clients,
            "snapshot_build_seconds": reach.snapshots.took_s,
            "recovering": float(work.recoveries.running),
            **{f"lag_{name}": float(value) for name, value in asdict(lag).items()},
        }
