"""A tenant moves, and comes back, while its client writes; what the registry says of it after."""

from dataclasses import replace
from typing import Any

import pytest

from cell_control.codec import read
from cell_control.domain.pace import Limits
from cell_control.domain.records import Audit, Leaving, Lineage, Operation, OperationStatus
from cell_control.flows.run import Stop
from cell_control.ports import Key
from tests.control.mover.waiting import is_done
from tests.control.moves import ALPHA, BETA, GAMMA, Scene, contents
from tests.control.shell import run


def records(scene: Scene, kind: Any) -> list[Any]:
    kinds: dict[str, Any] = {"audit": Audit, "lineage": Lineage}
    return [read(kinds[kind], record) for record in scene.bench.registry.list(kind, limit=100)]


@pytest.mark.parametrize("stripes", [1, 3])
def test_a_tenant_moves_to_its_standby_and_back_under_writes(stripes: int):
    scene = Scene.made(stripes=stripes)

    scene.begin(BETA)
    scene.settle(writes=True)
    scene.check_end(BETA)
    scene.begin(ALPHA, operation="op-2")
    scene.settle(writes=True)

    scene.check_end(ALPHA)
    assert scene.bench.tenant().epoch == 33
    assert scene.bench.tenant().standby == BETA


def test_a_tenant_is_copied_to_a_cell_that_had_nothing_of_it_byte_by_byte():
    scene = Scene.made(stripes=2, standby="", writes=30)
    scene.begin(GAMMA)

    scene.settle()

    assert contents(scene, GAMMA) == contents(scene, ALPHA)
    scene.check_end(GAMMA)
    assert scene.bench.tenant().leaving is not None


def test_an_old_home_that_is_no_standby_is_dropped_when_its_time_is_over():
    scene = Scene.made(stripes=2, standby="")
    scene.begin(BETA)
    scene.settle(writes=True)
    epoch = scene.bench.tenant().epoch

    scene.settle(until=is_done)

    scene.check_end(BETA)
    assert scene.bench.cells[ALPHA].fences("T-1") == ()
    assert scene.bench.tenant().epoch > epoch, "a removal on its way could find a new standby"


def test_a_third_cell_keeps_its_standby_when_the_home_moves_past_it():
    scene = Scene.made(stripes=2)
    scene.begin(GAMMA)

    scene.settle(writes=True)

    tenant = scene.bench.tenant()
    scene.check_end(GAMMA)
    assert (tenant.standby, tenant.standby_ordinal) == (BETA, 2)
    assert tenant.leaving is not None
    assert tenant.leaving.cell == ALPHA


def test_an_old_home_makes_room_before_another_can_become_one():
    scene = Scene.made(standby="")
    scene.begin(BETA)
    scene.settle()
    scene.begin(GAMMA, operation="op-2")

    scene.settle(writes=True, until=is_done)

    scene.check_end(GAMMA)
    assert scene.bench.cells[ALPHA].fences("T-1") == ()
    assert "make_room" in scene.rows()


def test_a_tenant_goes_back_to_an_old_home_without_being_copied_again():
    scene = Scene.made(stripes=2, standby="")
    scene.begin(BETA)
    scene.settle(writes=True)
    scene.performed.clear()
    scene.begin(ALPHA, operation="op-2")

    scene.settle(writes=True)

    scene.check_end(ALPHA)
    assert "copy" not in scene.rows()


def test_what_a_failed_move_left_behind_is_copied_again():
    scene = Scene.made(standby="")
    scene.begin(BETA)
    drive = scene.drive(scene.mover())
    while "copy" not in scene.rows():
        drive.step()
    abort(scene)
    scene.bench.clock.time_ms += 5000
    drive = scene.drive(scene.mover("m-2"))
    while "give_up" not in scene.rows():
        drive.step()
    assert scene.bench.tenant().leaving == Leaving(cell=BETA, drop_after_ms=0)
    scene.performed.clear()
    scene.begin(BETA, operation="op-2")

    scene.settle(scene.mover("m-3"), writes=True)

    scene.check_end(BETA)
    assert "copy" in scene.rows()


def test_a_standby_is_made_and_the_one_before_it_goes():
    scene = Scene.made(stripes=2)
    scene.begin(GAMMA, kind="standby")

    scene.settle(writes=True, until=is_done)

    scene.check_end(ALPHA)
    assert scene.bench.tenant().standby == GAMMA
    assert scene.bench.cells[BETA].fences("T-1") == ()
    assert scene.member().status == "done"


def test_a_freeze_costs_one_call_to_each_cell_and_one_commit():
    scene = Scene.made()
    scene.begin(BETA)

    steps = [step.name for step in scene.settle()]

    frozen = steps[steps.index("freeze aws-alpha") : steps.index("activate azure-beta") + 1]
    assert frozen == [
        "freeze aws-alpha",
        "get journal aws-alpha",
        "apply azure-beta",
        "get",
        "commit audit lineage member tenant usage",
        "activate azure-beta",
    ]


def test_a_destination_that_is_level_is_prepared_without_a_look_at_the_journal():
    scene = Scene.made(writes=0)
    scene.begin(BETA)

    steps = [step.name for step in scene.settle()]

    assert steps[steps.index("freeze aws-alpha") + 1] == "apply azure-beta"


def test_the_registry_tells_what_a_move_came_to():
    scene = Scene.made(standby="", writes=20)
    scene.begin(BETA)

    scene.settle()

    member = scene.member()
    assert (member.status, member.rollbacks) == ("done", 0)
    assert 0 < member.freeze_ms < 100
    assert [(line.epoch, line.home) for line in records(scene, "lineage")] == [(18, BETA)]
    [audit] = records(scene, "audit")
    assert (audit.by, audit.reason, audit.subject) == ("ada", "test", "T-1")
    assert ("to", "azure-beta@18") in audit.details
    tenant = scene.bench.tenant()
    assert (tenant.decided_by, tenant.reason) == ("ada", "test")
    assert tenant.base.positions[0].seq == 20


def test_the_freeze_is_measured_until_the_new_home_serves():
    scene = Scene.made()
    scene.begin(BETA)

    scene.settle()

    took = {performed.row: performed.took_ms for performed in scene.performed}
    assert scene.member().freeze_ms == sum(
        took[row] for row in ("freeze", "tail", "commit", "activate")
    )


def test_a_move_that_is_aborted_before_its_cut_over_stops_nobody():
    scene = Scene.made(stripes=2, standby="")
    scene.begin(BETA)
    drive = scene.drive(scene.mover())
    while "copy" not in scene.rows():
        drive.step()
    abort(scene)

    scene.settle(scene.mover("m-2"), until=is_done)

    scene.check_end(ALPHA)
    assert "freeze" not in scene.rows()
    assert scene.member().status == "aborted"
    assert scene.bench.cells[BETA].fences("T-1") == ()


def test_a_move_that_is_aborted_while_frozen_goes_back_at_a_larger_epoch():
    scene = Scene.made(stripes=2)
    scene.begin(BETA)
    drive = scene.drive(scene.mover())
    while "freeze" not in scene.rows():
        drive.step()
    abort(scene)
    scene.bench.clock.time_ms += 5000

    scene.settle(scene.mover("m-2"))

    scene.check_end(ALPHA)
    assert scene.bench.tenant().epoch == 33
    assert (scene.member().status, scene.member().rollbacks) == ("aborted", 1)


def abort(scene: Scene) -> None:
    [found] = scene.bench.registry.get([Key(kind="operation", key="op-1")])
    assert found is not None
    scene.bench.put(replace(read(Operation, found), status=OperationStatus.ABORTED))


def test_a_move_waits_while_its_freeze_would_be_above_its_budget_and_not_for_ever():
    scene = Scene.made()
    mover = scene.mover()
    scene.begin(BETA)
    scene.settle(mover)
    scene.begin(ALPHA, operation="op-2")
    tenant = scene.bench.tenant()
    assert tenant.move is not None
    scene.bench.change(move=replace(tenant.move, freeze_budget_ms=1))
    stops: list[Stop] = []

    def seen(stop: Stop) -> bool:
        stops.append(stop)
        return stop.row == "rest"

    scene.settle(mover, until=seen)

    assert {stop.row for stop in stops} == {"too_slow", "rest"}
    assert "above its budget" in stops[0].why
    scene.check_end(ALPHA)


def test_a_tenant_that_another_process_works_on_is_left_alone_for_a_while():
    scene = Scene.made(standby="")
    scene.begin(BETA)
    drive = scene.drive(scene.mover())
    while "copy" not in scene.rows():
        drive.step()

    stop = scene.drive(scene.mover("m-2")).run()

    assert stop.why == "m-1 works on it"
    assert stop.at_ms > scene.bench.clock.time_ms


def test_nothing_is_done_while_the_registry_is_recovered():
    scene = Scene.made()
    scene.begin(BETA)
    scene.bench.put(Operation(id="~recovery", kind="recover", tenants=0))

    drive = scene.drive(scene.mover())
    stop = drive.run()

    assert "recovered" in stop.why
    assert not scene.performed[-1:] or scene.performed[-1].row == "settle"


def test_a_tenant_without_a_record_is_nothing_to_do():
    scene = Scene.made()

    assert run(scene.bench, scene.mover().run("T-9")).at_ms is None


def test_a_standby_that_vanished_is_not_promised_any_more():
    scene = Scene.made(stripes=2)
    scene.bench.cells[BETA].backend.partitions.clear()
    scene.bench.change(settled=False)

    scene.settle()

    scene.check_end(ALPHA)
    assert (scene.bench.tenant().standby, scene.bench.tenant().standby_ordinal) == ("", -1)


def test_a_home_that_vanished_is_never_made_anew():
    scene = Scene.made()
    scene.bench.cells[ALPHA].backend.partitions.clear()
    scene.bench.change(settled=False)

    stop = scene.drive(scene.mover(), writes=False).run()

    assert stop.row == "home_absent"
    assert scene.bench.cells[ALPHA].fences("T-1") == ()


def test_a_longer_lag_is_brought_before_the_home_is_frozen():
    scene = Scene.made(writes=0)
    for _ in range(100):
        scene.write()
    scene.begin(BETA)

    scene.settle(scene.mover(limits=Limits(lag_max=10)))

    assert "catch_up" in scene.rows()
    assert scene.member().tail <= 10
    scene.check_end(BETA)
