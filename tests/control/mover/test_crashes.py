"""A mover that is stopped, or not heard, at every step: the next one ends the journey all the same.

Every step of a journey is disturbed in its turn; pairs of steps in the slow suite. After each the
tenant is settled, writable, served by one home, and no acknowledged write is lost or done twice.
"""

from itertools import combinations_with_replacement, cycle
from typing import get_args

import pytest

from tests.control.mover.journeys import CREATION, DROP, MOVE, ROLLBACK, SWAP, Journey
from tests.control.moves import ALPHA, BETA
from tests.control.shell import Fault

FAULTS: tuple[Fault, ...] = get_args(Fault)
ENDS = {"creation": ALPHA, "swap": BETA, "move": BETA, "drop": BETA, "rollback": BETA}


def disturbed(journey: Journey, faults: dict[int, Fault]) -> int:
    """Play `journey` with `faults`, check its end; return how many steps it took."""
    scene = journey.begin()
    try:
        steps = journey.settle(scene, faults)
        scene.check_end(ENDS[journey.name])
    except AssertionError as wrong:
        raise AssertionError(f"{journey.name} with {faults}: {wrong}") from wrong
    return len(steps)


@pytest.mark.parametrize("fault", FAULTS)
def test_a_switch_to_the_standby_survives_a_fault_at_every_step(fault: Fault):
    count = disturbed(SWAP, {})

    for step in range(count + 1):
        disturbed(SWAP, {step: fault})


@pytest.mark.parametrize("journey", [CREATION, DROP], ids=["creation", "drop"])
def test_the_beginning_and_the_end_of_a_tenant_survive_a_fault_at_every_step(journey: Journey):
    count = disturbed(journey, {})

    for step, fault in zip(range(count + 1), cycle(FAULTS), strict=False):
        disturbed(journey, {step: fault})


def test_a_move_to_a_new_cell_survives_a_fault_at_every_eighth_step():
    count = disturbed(MOVE, {})

    for step, fault in zip(range(0, count + 1, 8), cycle(FAULTS), strict=False):
        disturbed(MOVE, {step: fault})


def test_a_move_that_is_rolled_back_and_tried_again_survives_crashes():
    count = disturbed(ROLLBACK, {})

    for step in range(0, count + 1, 70):
        disturbed(ROLLBACK, {step: "crash"})


@pytest.mark.slow
@pytest.mark.parametrize("fault", FAULTS)
@pytest.mark.parametrize("journey", [CREATION, MOVE, DROP, ROLLBACK], ids=lambda j: j.name)
def test_every_journey_survives_every_fault_at_every_step(journey: Journey, fault: Fault):
    count = disturbed(journey, {})

    for step in range(count + 1):
        disturbed(journey, {step: fault})


@pytest.mark.slow
@pytest.mark.parametrize("first", FAULTS)
@pytest.mark.parametrize("second", FAULTS)
def test_a_switch_to_the_standby_survives_faults_at_every_pair_of_steps(
    first: Fault, second: Fault
):
    count = disturbed(SWAP, {})

    # The second may hit what was only needed because of the first.
    for one, other in combinations_with_replacement(range(count + 6), 2):
        disturbed(SWAP, {one: first, other + 1: second})


@pytest.mark.slow
@pytest.mark.parametrize("journey", [CREATION, MOVE, DROP], ids=lambda j: j.name)
def test_every_journey_survives_crashes_at_every_pair_of_steps(journey: Journey):
    count = disturbed(journey, {})

    for one, other in combinations_with_replacement(range(count + 2), 2):
        disturbed(journey, {one: "crash", other + 1: "crash"})
