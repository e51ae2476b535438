"""A world that bears a thousand tenants on two cores.

Real are: the control plane's process over SQLite on disk, the router's processes, HTTP between all
of them, and the cells' application. Stand-ins are the cells' clouds: `MemoryCell` runs the real
application over the memory store in a process of its own, which keeps what it acknowledged. The
zips behind their runtimes and databases are what `tests/e2e/test_live_moves.py` moves.
"""

from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack

from cell_devstack.cell_client import CellClient
from cell_devstack.local_control import ControlSettings, LocalControl
from cell_devstack.local_keys import LocalKeys
from cell_devstack.local_router import LocalRouter, RouterSettings
from cell_devstack.memory_cell import MemoryCell

HOME, AWAY = "aws-alpha", "azure-beta"
CREATORS = 4
LOOPS = {"probe_s": 600, "sweep_s": 300, "followers_max": 8}
"""Everything shares two cores: doorbells are rung, so that sweeps have nothing to find, and few
followers at a time leave the movers their turn."""

SETTLED_S = 600.0


class CampaignWorld:
    """A context manager that starts everything, and ends it."""

    def __init__(self, folder, *, tenants, seed, workers=2):
        self.keys = LocalKeys()
        self._stack = ExitStack()
        self._places = 2 * tenants
        self.cells = {
            name: MemoryCell(folder / name, name, ordinal, cloud, self.keys.jwks, seed=seed)
            for ordinal, (name, cloud) in enumerate(((HOME, "aws"), (AWAY, "azure")), start=1)
        }
        self.clients = {
            name: CellClient(cell.base_url, name, self.keys) for name, cell in self.cells.items()
        }
        settings = ControlSettings(loops=LOOPS)
        self.control = LocalControl(folder / "control", self.keys.control_jwk, settings)
        fed = self.control.feed(RouterSettings(workers=workers))
        self.router = LocalRouter(folder / "router", self.keys.edge_jwk, fed)

    def __enter__(self):
        try:
            for name, cell in self.cells.items():
                self._stack.enter_context(cell)
                self._stack.enter_context(self.clients[name])
            self._stack.enter_context(self.control)
            for cell in self.cells.values():
                self.control.declare(cell.record, tenants=self._places)
            self._stack.enter_context(self.router)
        except BaseException:
            self._stack.close()
            raise
        return self

    def __exit__(self, *_exc):
        self._stack.close()

    def create(self, tenants, *, copied_each):
        """Create `tenants` at home in `HOME`; each so many-th has no standby, and will be copied.

        Yields the number of those that there are, again and again.
        """

        def one(numbered):
            number, tenant = numbered
            standby = False if number % copied_each == 0 else AWAY
            body = {"id": tenant, "home": HOME, "standby": standby}
            self.control.ask("POST", "/tenants", body)

        with ThreadPoolExecutor(CREATORS) as pool:
            for count, _ in enumerate(pool.map(one, enumerate(tenants)), start=1):
                yield count
        self.control.settle(tenants, patience_s=SETTLED_S)

    def level(self):
        """Return once no standby lacks anything, as far as is known."""
        self.control.until(
            lambda: self.control.ask("GET", "/replication")["totals"]["entries"] == 0,
            "standbys stay behind",
            patience_s=SETTLED_S,
        )

    def hang_up(self):
        """Close this thread's connections to the cells."""
        for client in self.clients.values():
            client.close()
