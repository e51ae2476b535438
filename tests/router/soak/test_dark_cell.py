"""A cell that is dark costs the other cell's tenants nothing, and its own get a quick answer."""

import time

import pytest

from cell_devstack.local_router import RouterSettings
from tests.router.soak.connection import get
from tests.router.soak.steady import SteadyLoad
from tests.router.soak.traffic import READ_PATH
from tests.router.soak.world import SoakWorld

pytestmark = pytest.mark.slow

FAST_MS = 50
OPEN_MAX_S = 30.0
CONNECT_MS = 500


def test_a_dark_cell_does_not_slow_the_other_down_and_comes_back_by_itself(tmp_path):
    settings = RouterSettings(workers=1, limits={"total_ms": 1500, "connect_ms": CONNECT_MS})
    with SoakWorld(tmp_path, cells=2, settings=settings) as world:
        for tenant, cell in (("T-lit", "aws-alpha"), ("T-dark", "azure-beta")):
            world.settle(tenant, cell)
            world.mark(tenant)
        world.start_router()
        key, port = world.router.api_key, world.router.port
        lit_reads = [get(READ_PATH.format("T-lit"), key)]
        dark_reads = [get(READ_PATH.format("T-dark"), key)]
        before = SteadyLoad(port, lit_reads, clients=4)
        with before.running():
            before.await_more(400)

        world.cells["azure-beta"].process.stop()
        during, dark = SteadyLoad(port, lit_reads, clients=4), SteadyLoad(port, dark_reads)
        with dark.running(), during.running():
            during.await_more(800)
            opened = breaker(world.router, "azure-beta")
            world.cells["azure-beta"].process.resume()
            _until(lambda: dark.statuses[200] > 0)
            dark.await_more(50)
        refused = [took_s for took_s in dark.took_s if took_s * 1000 < FAST_MS]

    assert not before.failures
    assert not during.failures
    assert percentile(during, 0.5) <= 2 * percentile(before, 0.5) + 0.010
    # Whoever waited for the dark cell would wait for `connect_ms` or longer.
    assert percentile(during, 0.99) <= 2 * percentile(before, 0.99) + CONNECT_MS / 2000
    assert opened == "open"
    assert set(dark.failures) <= {503, 504}
    assert dark.statuses[503] > dark.statuses[504], "most were told at once, by the breaker"
    assert min(dark.waits) >= 1
    assert 3 <= max(dark.waits) <= 73, "what the breaker has left: 5 to 60 s, with jitter"
    assert len(refused) >= 0.5 * len(dark.took_s)


def breaker(router, cell):
    cells = {one["cell"]: one for one in router.admin("/health/cells")["cells"]}
    return cells[cell]["breaker"]


def percentile(load, share):
    ordered = sorted(load.took_s)
    return ordered[int((len(ordered) - 1) * share)]


def _until(true):
    end = time.monotonic() + OPEN_MAX_S
    while not true():
        assert time.monotonic() < end
        time.sleep(0.02)
