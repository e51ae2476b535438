"""A home that was written to after it lost its tenant: fenced off, its tail kept, then undone."""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from typing import Any, get_args

import pytest

from cell_control.codec import read
from cell_control.domain.placement import usage_writes
from cell_control.domain.records import Base, Tenant, Usage
from cell_control.flows.follow import follow
from cell_core.domain.fence import Role
from cell_core.domain.ids import owner
from tests.control.bench import CELLS
from tests.control.mover.waiting import is_done
from tests.control.moves import ALPHA, BETA, Scene, forced, level, orphans_in
from tests.control.shell import Drive, Fault, run


def failed_over(*, lost: int = 6) -> Scene:
    """Return a tenant that was forced away from a home whose last `lost` writes nobody else has."""
    scene = Scene.made(stripes=2, writes=9)
    level(scene)
    for _ in range(lost):
        scene.write()
    put(scene, forced(scene.bench.tenant()))
    return scene


def put(scene: Scene, tenant: Tenant) -> None:
    """Make this the tenant's record, and what its cells are used for."""
    usages: dict[str, Any] = {
        record.key: read(Usage, record) for record in scene.bench.registry.list("usage", limit=10)
    }
    for usage in usage_writes(scene.bench.tenant(), tenant, usages):
        scene.bench.put(usage)
    scene.bench.put(tenant)


def level_back(scene: Scene) -> None:
    """Bring the old home level with the new one, as a replicator does."""
    for _ in range(2):
        run(scene.bench, follow("T-1"))


@contextmanager
def two_homes(scene: Scene) -> Iterator[None]:
    """Allow two homes at different epochs, which a forced failover may make for a while."""
    before = scene.check_now
    scene.check_now = lambda **_: before(forced=True)  # type: ignore[method-assign]
    yield
    scene.check_now = before  # type: ignore[method-assign]


def settle(scene: Scene, name: str = "m-1", faults: dict[int, Fault] | None = None) -> int:
    """Settle after a forced failover; return how many steps it took."""
    with two_homes(scene):
        return len(scene.settle(scene.mover(name), faults=faults, writes=True, until=is_done))


def test_every_orphan_is_kept_at_the_home_before_it_is_undone():
    scene = failed_over()
    lost = scene.client.acked[9:15]

    settle(scene)

    orphans = orphans_in(scene, BETA)
    assert set(lost) <= set(orphans)
    assert len(orphans) == len(set(orphans))
    scene.check_end(BETA, orphans=orphans)
    rows = scene.rows()
    assert rows.index("activate_forced") < rows.index("fence_off") < rows.index("orphans")


def test_a_record_that_names_a_home_which_was_fenced_off_believes_its_successor():
    scene = failed_over()
    drive = scene.drive(scene.mover())
    with two_homes(scene):
        while scene.bench.cells[ALPHA].fences("T-1")[0].role is not Role.QUARANTINE:
            drive.step()
    # A backup from before the failover, raised above all fences by a rollback that came late.
    forgetful = replace(
        scene.bench.tenant(),
        home=ALPHA,
        epoch=33,
        standby=BETA,
        standby_ordinal=2,
        base=Base(mode="rollback", source=ALPHA, source_epoch=17),
        settled=False,
    )
    put(scene, forgetful)

    settle(scene, "m-2")

    tenant = scene.bench.tenant()
    assert (tenant.home, tenant.epoch, tenant.base.mode) == (BETA, 34, "recovered")
    scene.client.epoch = 34
    scene.check_end(BETA, orphans=orphans_in(scene, BETA))
    assert "home_lost" in scene.rows()


def test_an_old_home_without_orphans_becomes_the_standby():
    scene = failed_over(lost=0)

    scene.client.epoch = 18
    settle(scene)

    assert orphans_in(scene, BETA) == []
    scene.check_end(BETA)
    assert scene.bench.tenant().standby == ALPHA


@pytest.mark.parametrize(
    "stride", [16, pytest.param(1, marks=pytest.mark.slow)], ids=["some", "all"]
)
@pytest.mark.parametrize("fault", get_args(Fault))
def test_orphans_survive_a_fault_at_any_step(fault: Fault, stride: int):
    base = failed_over()
    lost = base.client.acked[9:15]
    count = settle(base.copied())
    for step in range(0, count + 1, stride):
        scene = base.copied()

        settle(scene, faults={step: fault})

        orphans = orphans_in(scene, BETA)
        assert set(lost) <= set(orphans), step
        scene.check_end(BETA, orphans=orphans)


def test_nothing_is_undone_where_the_home_lost_an_orphan():
    scene = failed_over()
    drive = Drive(scene.bench, scene.mover().run("T-1"))
    held = scene.bench.cells[ALPHA].fences("T-1")
    while not drive.is_over:
        drive.step()
        # Whatever is adopted is gone at once: a store that does not keep its promises.
        for partition in scene.bench.cells[BETA].backend.partitions.values():
            for key in [key for key in partition.documents if key.startswith("ORPH:")]:
                del partition.documents[key]

    tenant = scene.bench.tenant()
    assert "could not be kept" in tenant.alarm
    assert [f.seq for f in scene.bench.cells[ALPHA].fences("T-1")] == [f.seq for f in held]
    assert drive.result.row == "orphans"


@pytest.mark.parametrize("asleep", [0, 2, 4, 6, 8, 10])
def test_a_mover_that_wakes_among_orphans_which_another_removed_alarms_nobody(asleep: int):
    scene = failed_over()
    sleeper = scene.drive(scene.mover("sleeper"), writes=False)
    with two_homes(scene):
        while scene.bench.cells[ALPHA].fences("T-1")[-1].role is not Role.QUARANTINE:
            sleeper.step()
        for _ in range(asleep):
            sleeper.step()
        settle(scene, "m-2")
        kept = orphans_in(scene, BETA)
        scene.write()
        level_back(scene)

        sleeper.run()

    assert scene.bench.tenant().alarm == ""
    assert orphans_in(scene, BETA) == kept


def test_an_edge_that_knows_the_old_home_only_is_told_where_to_go():
    scene = failed_over()
    settle(scene)
    scene.client.epoch = 17

    assert scene.write() == "acked"
    assert CELLS[owner(scene.client.epoch) - 1] == BETA


def test_a_frozen_home_whose_tail_was_lost_is_compared_and_not_sealed():
    scene = Scene.made(stripes=2, writes=9)
    scene.begin(BETA)
    drive = scene.drive(scene.mover(), writes=False)
    while "freeze" not in scene.rows():
        drive.step()
    scene.bench.put(forced(scene.bench.tenant()))
    lost = list(scene.client.acked)

    scene.settle(scene.mover("m-2"), until=is_done)

    assert "seal" not in scene.rows()
    assert set(orphans_in(scene, BETA)) == set(lost)
    fences = scene.bench.cells[ALPHA].fences("T-1")
    assert [(fence.role.value, fence.seq) for fence in fences] == [("standby", 0)] * 2
    assert json.loads(scene.bench.cells[BETA].fences("T-1")[0].base)["mode"] == "forced"
