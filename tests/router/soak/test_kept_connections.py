"""A connection that is used is kept, however long it lives."""

import time

import pytest

from cell_devstack.local_router import RouterSettings
from tests.router.soak.connection import get
from tests.router.soak.steady import SteadyLoad
from tests.router.soak.traffic import READ_PATH
from tests.router.soak.world import SoakWorld

IDLE_S = 0.5
CLIENTS = 4


@pytest.mark.slow
def test_a_connection_outlives_the_idle_time_by_being_used(tmp_path):
    settings = RouterSettings(workers=1, limits={"idle_ms": int(IDLE_S * 1000)})
    with SoakWorld(tmp_path, cells=1, settings=settings) as world:
        world.settle("T-1", "aws-alpha")
        world.mark("T-1")
        world.start_router()
        reads = [get(READ_PATH.format("T-1"), world.router.api_key)]
        load = SteadyLoad(world.router.port, reads, clients=CLIENTS)

        began = time.monotonic()
        with load.running():
            while time.monotonic() < began + 4 * IDLE_S:
                load.await_more(10)

    assert not load.failures
    assert load.opened == CLIENTS
