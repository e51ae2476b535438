"""Three times what a cell can do: it still does what it can, as fast, and the rest is told so."""

import pytest

from cell_devstack.local_router import RouterSettings
from cell_devstack.memory_cell_faults import CellFaults
from tests.router.soak.connection import get
from tests.router.soak.load_process import Load, offer
from tests.router.soak.traffic import READ_PATH
from tests.router.soak.world import SoakWorld

PLACES = 8
SERVICE_MS = 40
CAPACITY = PLACES * 1000 / SERVICE_MS
WORKERS = 2
LIMITS = {"cell_in_flight_max": PLACES // WORKERS, "queue_ms": 100, "coalesce": False}
SECONDS = 3.0
ROUNDS_MAX = 3
"""What a busy machine takes from one round it does not take from all."""


@pytest.fixture
def overloaded(tmp_path):
    """A router before one cell that does `CAPACITY` requests a second, and what to ask it."""
    settings = RouterSettings(workers=WORKERS, limits=LIMITS)
    with SoakWorld(tmp_path, cells=1, settings=settings) as world:
        tenants = [f"T-{number}" for number in range(50)]
        for tenant in tenants:
            world.settle(tenant, "aws-alpha")
            world.mark(tenant)
        cell = world.cells["aws-alpha"]
        cell.break_with(CellFaults(places=PLACES, service_ms=SERVICE_MS))
        world.start_router()
        key = world.router.api_key
        reads = [get(READ_PATH.format(tenant), key).decode() for tenant in tenants]
        yield world, cell, reads


def offered_at(world, reads, rate, seconds=SECONDS):
    return offer(
        Load(
            port=world.router.port,
            requests=reads,
            rate=rate,
            seconds=seconds,
            connections=600,
        )
    )


@pytest.mark.slow
def test_three_times_the_capacity_costs_no_goodput_no_latency_and_no_attempts(overloaded):
    world, cell, reads = overloaded
    offered_at(world, reads, CAPACITY / 2, 1.0)  # Connections and caches.

    rounds = []
    for _ in range(ROUNDS_MAX):
        levels = [offered_at(world, reads, CAPACITY * share) for share in (0.9, 1.0, 1.1)]
        before = sum(cell.told()["fates"].values())
        over = offered_at(world, reads, CAPACITY * 3)
        sent = sum(cell.told()["fates"].values()) - before
        rounds.append((levels, over))

        assert not over.undocumented, f"{rounds}"
        assert sent <= 1.2 * over.good
        assert over.refused.keys() == {"503 overloaded"}
        assert over.unsent == 0
        if as_fast(levels, over):
            break

    assert as_fast(levels, over), f"{rounds}"


def as_fast(levels, over):
    """Say whether what is served is served as at the peak, and what is not is told so in time."""
    peak = max(levels, key=lambda found: found.goodput)
    refused_ms = max(found.refused_ms[1] for found in levels)  # On a quiet machine, the queue's.
    return (
        over.goodput >= 0.9 * peak.goodput
        and over.good_ms[1] <= 2 * peak.good_ms[1]
        and over.refused_ms[0] <= 2 * LIMITS["queue_ms"] + 50
        and over.refused_ms[1] <= max(2 * LIMITS["queue_ms"] + 50, 1.5 * refused_ms)
    )
