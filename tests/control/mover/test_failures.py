"""Cells and a registry that fail for a while or for good: a move waits, goes back, or says why."""

from collections.abc import Callable

import pytest

from cell_control.flows.effects import Ask, CellAnswer, NoAnswer
from tests.control.mover.journeys import ROLLBACK, SWAP, Journey
from tests.control.mover.waiting import is_done
from tests.control.moves import ALPHA, BETA, Scene
from tests.control.shell import name_of


def problem(status: int, code: str) -> CellAnswer:
    return CellAnswer(status=status, body={"code": code})


ANSWERS: dict[str, CellAnswer | NoAnswer] = {
    "store_unavailable": problem(503, "store_unavailable"),
    "outcome_unknown": problem(503, "outcome_unknown"),
    "throttled": problem(429, "throttled"),
    "grant_expired": problem(401, "grant_expired"),
    "internal": problem(500, "internal"),
    "silence": NoAnswer(reason="timeout"),
    "nonsense": CellAnswer(status=200, body={"fences": [{}]}),
}
FINAL = {
    "payload_too_large": problem(413, "payload_too_large"),
    "grant_scope": problem(403, "grant_scope"),
}


Refuses = Callable[[Ask], CellAnswer | NoAnswer | None]


def refusing(step: str, answer: CellAnswer | NoAnswer, times: int) -> Refuses:
    """Answer the first `times` calls named `step` with `answer`."""
    left = [times]

    def refuses(ask: Ask) -> CellAnswer | NoAnswer | None:
        if name_of(ask) != step or left[0] <= 0:
            return None
        left[0] -= 1
        return answer

    return refuses


def played(journey: Journey, refuses: Refuses) -> Scene:
    scene = journey.begin()
    scene.settle(scene.mover(), refuses=refuses, writes=True, until=is_done)
    scene.check_end()
    return scene


@pytest.mark.parametrize("answer", ANSWERS)
@pytest.mark.parametrize(
    "step", ["freeze aws-alpha", "apply azure-beta", "activate azure-beta", "seal aws-alpha"]
)
def test_a_cell_that_fails_a_few_times_only_costs_time(step: str, answer: str):
    scene = played(SWAP, refusing(step, ANSWERS[answer], times=3))

    assert scene.bench.tenant().home == BETA
    assert scene.member().status == "done"


@pytest.mark.parametrize("answer", ["silence", pytest.param("throttled", marks=pytest.mark.slow)])
def test_a_destination_that_takes_no_tail_is_given_up_after_five_attempts(answer: str):
    scene = played(SWAP, refusing("apply azure-beta", ANSWERS[answer], times=10**6))

    member = scene.member()
    assert scene.bench.tenant().home == ALPHA
    assert (member.status, member.rollbacks) == ("failed", 5)
    assert "rolled back after cut-over 5" in member.note
    assert "azure-beta" in member.note
    assert scene.bench.tenant().epoch == 17 + 5 * 16


@pytest.mark.parametrize("answer", FINAL)
def test_a_destination_that_will_never_take_it_is_given_up_at_once(answer: str):
    scene = played(SWAP, refusing("apply azure-beta", FINAL[answer], times=10**6))

    member = scene.member()
    assert scene.bench.tenant().home == ALPHA
    assert (member.status, member.rollbacks) == ("failed", 1)
    assert answer in member.note


def test_a_destination_that_is_full_while_it_is_copied_to_is_left_and_cleaned():
    scene = Scene.made(standby="")
    scene.begin(BETA)

    scene.settle(
        refuses=refusing("import azure-beta", FINAL["payload_too_large"], 10**6),
        writes=True,
        until=is_done,
    )

    scene.check_end(ALPHA)
    assert scene.member().status == "failed"
    assert "payload_too_large" in scene.member().note
    assert scene.bench.cells[BETA].fences("T-1") == ()
    assert "freeze" not in scene.rows()


def test_a_destination_that_stays_dark_is_given_up_with_its_name():
    scene = Scene.made()
    scene.begin(BETA)
    scene.bench.cells[BETA].is_dark = True

    scene.settle(until=lambda stop: scene.member().status == "failed")

    assert "azure-beta does not answer" in scene.member().note
    assert scene.write() == "acked"
    scene.bench.cells[BETA].is_dark = False
    scene.settle(until=is_done)
    scene.check_end(ALPHA)


def test_a_home_that_is_dark_while_cut_over_is_gone_back_to_by_its_deadline():
    scene = Scene.made(stripes=2)
    scene.begin(BETA)
    drive = scene.drive(scene.mover())
    while "freeze" not in scene.rows():
        drive.step()
    scene.bench.cells[ALPHA].is_dark = True
    scene.settle(scene.mover("m-2"), until=lambda stop: "roll_back_late" in scene.rows())
    scene.bench.cells[ALPHA].is_dark = False

    scene.settle(scene.mover("m-3"), writes=True)

    scene.check_end(BETA)
    assert scene.member().rollbacks == 1


def test_a_destination_that_is_dark_behind_the_commit_is_waited_for_and_not_left():
    scene = Scene.made(stripes=2)
    scene.begin(BETA)
    drive = scene.drive(scene.mover())
    while "commit" not in scene.rows():
        drive.step()
    scene.bench.cells[BETA].is_dark = True
    stop = scene.drive(scene.mover("m-2")).run()
    assert stop.row == "home_dark"
    assert stop.at_ms > scene.bench.clock.time_ms - 1
    scene.bench.cells[BETA].is_dark = False

    scene.settle(scene.mover("m-3"), writes=True)

    scene.check_end(BETA)


def test_a_destination_that_began_to_be_removed_in_the_cut_over_is_gone_back_from():
    scene = Scene.made(stripes=2)
    scene.begin(BETA)
    drive = scene.drive(scene.mover())
    while "freeze" not in scene.rows():
        drive.step()
    scene.bench.cells[BETA].backend.partitions.clear()
    scene.bench.clock.time_ms += 5000

    scene.settle(scene.mover("m-2"), writes=True, until=is_done)

    scene.check_end(BETA)
    assert scene.member().rollbacks == 1
    assert "copy" in scene.rows()


def test_a_move_is_rolled_back_from_every_step_of_its_cut_over():
    frozen = SWAP.settle(SWAP.begin())
    names = [step.name for step in frozen]
    first, last = names.index("freeze aws-alpha"), names.index("activate azure-beta")
    for crash in range(first, last + 1):
        scene = SWAP.begin()
        drive = scene.drive(scene.mover())
        while len(drive.steps) < crash:
            drive.step()
        committed = scene.bench.tenant().home == BETA
        scene.bench.clock.time_ms += 10_000
        for cell in scene.bench.cells.values():
            cell.is_dark = cell.id == BETA
        scene.settle(scene.mover("m-2"), until=lambda stop: "does not answer" in stop.why)
        for cell in scene.bench.cells.values():
            cell.is_dark = False

        scene.settle(scene.mover("m-3"), writes=True)

        scene.check_end(BETA)
        assert scene.member().rollbacks == (0 if committed else 1), names[crash]


@pytest.mark.parametrize("runs", [1, 4])
def test_a_registry_that_is_down_from_any_step_on_stops_moves_and_nothing_else(runs: int):
    count = len(SWAP.settle(SWAP.begin()))
    for step in range(0, count, 1 if runs == 1 else 3):
        scene = SWAP.begin()
        mover = scene.mover()
        drive = scene.drive(mover, writes=False)
        while len(drive.steps) < step:
            drive.step()
        tenant = scene.bench.tenant()
        scene.bench.registry.is_down = True
        for _ in range(runs):
            stop = drive.run()
            assert stop.at_ms is not None
            scene.bench.clock.time_ms = max(scene.bench.clock.time_ms, stop.at_ms)
            drive = scene.drive(mover, writes=False)
        scene.bench.registry.is_down = False
        assert scene.bench.tenant() == tenant, "it was down"

        scene.settle(mover, writes=True)

        scene.check_end()


def test_what_failed_in_a_cut_over_does_not_end_the_move_when_the_answer_to_its_end_is_lost():
    count = [step.name for step in ROLLBACK.settle(ROLLBACK.begin())]
    back = count.index("commit audit lineage member tenant")
    scene = ROLLBACK.begin()

    ROLLBACK.settle(scene, {back: "lost"})

    scene.check_end(BETA)
    assert scene.member().rollbacks == 1
