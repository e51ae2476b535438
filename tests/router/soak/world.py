"""The router's real processes, memory cells, and who lives where."""

import threading
from contextlib import ExitStack

from cell_core.domain.ids import next_epoch
from cell_core.wire.registry import TenantRecord
from cell_devstack.cell_client import CellClient
from cell_devstack.local_router import LocalRouter, RouterSettings
from cell_devstack.memory_cell import MemoryCell
from tests.router.soak.keys import SoakKeys
from tests.router.soak.mover import Mover

CELLS = (("aws-alpha", "aws"), ("azure-beta", "azure"), ("aws-gamma", "aws"))


class SoakWorld:
    """A context manager; `homes` says the epoch of each tenant, and so its cell."""

    def __init__(self, folder, *, cells=2, settings=None, seed=1):
        self.keys = SoakKeys()
        self.homes = {}
        self.stripes = {}
        self.cells = {}
        self.clients = {}
        self.moves = 0
        self._lock = threading.Lock()
        self._stack = ExitStack()
        for ordinal, (name, cloud) in enumerate(CELLS[:cells], start=1):
            self.cells[name] = MemoryCell(
                folder / name, name, ordinal, cloud, self.keys.jwks, seed=seed + ordinal
            )
        self.ordinals = {name: cell.record.ordinal for name, cell in self.cells.items()}
        self._mover = Mover(self.clients, self.ordinals)
        self.router = LocalRouter(folder / "router", self.keys.edge, settings or RouterSettings())

    def __enter__(self):
        try:
            for name, cell in self.cells.items():
                self._stack.enter_context(cell)
                client = CellClient(cell.base_url, name, self.keys)
                self.clients[name] = self._stack.enter_context(client)
        except BaseException:
            self._stack.close()
            raise
        return self

    def __exit__(self, *_exc):
        self._stack.close()

    def start_router(self):
        """Start it with the tenants that there are."""
        self.publish()
        self._stack.enter_context(self.router)

    def settle(self, tenant, cell, stripes=1):
        """Give `tenant` its first home."""
        epoch = next_epoch(0, self.ordinals[cell])
        body = {"role": "active", "epoch": epoch, "stripes": stripes}
        self.clients[cell].control("POST", f"/{tenant}/provision", body)
        self.homes[tenant], self.stripes[tenant] = epoch, stripes

    def mark(self, tenant):
        """Let it answer a read with its own name, as its record `self`."""
        cell, epoch = self.home(tenant), self.homes[tenant]
        envelope = {
            "tenant_id": tenant,
            "domain": "records",
            "command": "put",
            "command_id": "self",
            "data": {"id": "self", "value": tenant},
        }
        grant = self.keys.tenant_grant(cell, tenant, epoch)
        assert self.clients[cell].request("POST", "/process", grant, envelope).status == 200

    def home(self, tenant):
        """Return the name of the cell where `tenant` lives."""
        return self.cell_of(self.homes[tenant])

    def cell_of(self, epoch):
        return next(name for name, ordinal in self.ordinals.items() if ordinal == epoch % 16)

    def tenants_of(self, cell):
        return [tenant for tenant in self.homes if self.home(tenant) == cell]

    def move(self, tenant, target, *, publish=True):
        """Move it; the router hears of it, or has to learn it from a 421."""
        source = self.home(tenant)
        epoch = self._mover.move(tenant, self.homes[tenant], source, target)
        self.homes[tenant] = epoch
        if publish:
            self.publish()
        self._mover.seal(tenant, epoch, source, target)
        self.moves += 1

    def hang_up(self):
        """Close this thread's connections to the cells."""
        for client in self.clients.values():
            client.close()

    def publish(self):
        """Let the router's registry say what is so."""
        with self._lock:
            records = [
                TenantRecord(tenant=tenant, epoch=epoch, stripes=self.stripes[tenant])
                for tenant, epoch in sorted(self.homes.items())
            ]
            self.router.publish([cell.record for cell in self.cells.values()], records)
