"""What every part of a process stands on: the registry in threads, cells over HTTP, flows between.

Refuses to run anything by itself but the watch of the registry's rev.
"""

from collections.abc import Callable, Mapping

from cell_control.server.cell_addresses import CellAddresses
from cell_control.server.cell_grants import CellGrants
from cell_control.server.cell_link import CellLink
from cell_control.server.given import Given
from cell_control.server.metrics import Figures
from cell_control.server.registry_threads import RegistryThreads
from cell_control.server.runtime import Runtime
from cell_control.server.snapshots import Snapshots
from cell_control.server.watcher import Watcher
from cell_control.service.desk import Desk, Patience


class Reach:
    """The parts below the loops and the API."""

    def __init__(self, given: Given, gauges: Callable[[], Mapping[str, float]]) -> None:
        machine = given.machine
        self.figures = Figures(gauges)
        self.threads = RegistryThreads(
            given.registry, now_s=machine.now_s, observe=self.figures.registry_s.observe
        )
        self.watcher = Watcher(given.registry, machine.log)
        self.addresses = CellAddresses(self.threads, given.policy)
        self.link = CellLink(
            self.addresses,
            CellGrants(given.grants, now_ms=machine.now_ms, new_id=machine.new_id),
            transport=given.transport,
            connections_max=given.connections_max,
            now_s=machine.now_s,
            observe=self.figures.cell_call,
        )
        self.runtime = Runtime(self.threads, self.link)
        self.desk = Desk(
            given.registry,
            machine.clock,
            Patience(machine.generator, machine.sleep),
            contract=given.contract,
        )
        self.snapshots = Snapshots(
            self.threads,
            given.signer,
            rev=lambda: self.watcher.rev,
            now_ms=machine.now_ms,
            now_s=machine.now_s,
        )

    async def close(self) -> None:
        """Let go of everything; nothing may be under way any more."""
        await self.watcher.stop()
        await self.snapshots.close()
        await self.link.close()
        self.threads.close()
        self.threads.registry.close()
