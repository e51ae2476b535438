"""The simulation itself, a few seeds of it, and that it finds what is planted."""

from collections import Counter

import pytest

from tests.sim.chaos import CLIMATES
from tests.sim.kernel import Endless, Kernel
from tests.sim.mutants import MUTANTS, found
from tests.sim.planting import Edit, planted
from tests.sim.scenario import Result, drawn
from tests.sim.sweep import FATES, Planned, drawn_pairs, planned, single, steps_of
from tests.sim.world import run_seed

FEW = (13, 11)
"""Rough, and with bad stores: half a second together, of one core."""


def _text(result: Result) -> str:
    lines = [*result.wrong, *(f"stuck: {one}" for one in result.stuck)]
    return "\n".join([*lines, f"replay: make sim SEEDS={result.seed}"])


@pytest.mark.parametrize("seed", FEW)
def test_whatever_goes_wrong_nothing_is_lost_and_all_comes_to_rest(seed: int):
    result = run_seed(seed)

    assert result.ok, _text(result)
    assert result.acks > 50
    assert result.reads > 20


def test_one_seed_is_one_run():
    first = run_seed(21, keeps_trace=True)

    again = run_seed(21, keeps_trace=True)

    assert len(first.trace) > 100
    assert again.trace == first.trace


def test_without_faults_no_request_of_a_client_fails_although_tenants_move():
    result = run_seed(12)

    assert result.failed == []
    assert result.ends["done"] >= 2


def test_seeds_draw_every_climate():
    names = Counter(drawn(seed).name for seed in range(12))

    assert names == dict.fromkeys(CLIMATES, 2)


def test_a_run_that_does_not_end_is_ended():
    kernel = Kernel(1, events_max=100)

    def again() -> None:
        kernel.later(0, again)

    again()

    with pytest.raises(Endless):
        kernel.run(1)


def test_a_fault_whose_text_is_gone_is_refused():
    with pytest.raises(AssertionError, match="stands 0 times"):
        planted("a = 1\n", [Edit("m", "b = 1", "b = 2")], "m.py")


def test_a_planned_fault_names_the_command_that_replays_it():
    plan = Planned(1, (7, 19), ("zombie", "crash"))

    assert plan.command == "python -m tests.sim --seeds 1 --at 7:zombie,19:crash"
    assert planned(1, "7:zombie,19:crash") == plan


@pytest.mark.parametrize("fate", FATES)
def test_a_fault_at_the_commit_of_a_move_is_survived(fate: str):
    step = steps_of(0).index("commit audit lineage member tenant usage")

    result = Planned(0, (step,), (fate,)).run()

    assert result.ok, _text(result)


@pytest.mark.slow
@pytest.mark.parametrize("start", range(1, 41, 20))
def test_many_seeds_find_nothing(start: int):
    results = [run_seed(seed) for seed in range(start, start + 20)]

    assert not [_text(result) for result in results if not result.ok]


@pytest.mark.slow
def test_a_move_survives_a_fault_at_every_step():
    # One kind a step, in turns; `--crash-every-step` takes all of them.
    plans = [p for p in single(0) if p.fates == (FATES[p.steps[0] % len(FATES)],)]

    results = [plan.run() for plan in plans]

    assert len(results) > 80
    assert not [_text(result) for result in results if not result.ok]


@pytest.mark.slow
def test_a_move_survives_two_faults():
    results = [plan.run() for plan in drawn_pairs(0, 40)]

    assert not [_text(result) for result in results if not result.ok]


@pytest.mark.slow
@pytest.mark.parametrize("name", [mutant.name for mutant in MUTANTS])
def test_a_planted_fault_is_found(name: str):
    assert found(name, 30)
