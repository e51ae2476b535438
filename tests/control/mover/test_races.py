"""Two movers at once, and movers that wake long after: the registry and the fences admit one."""

import random
from collections.abc import Callable
from typing import Any

import pytest

from tests.control.mover.journeys import CREATION, DROP, MOVE, ROLLBACK, SWAP, Journey
from tests.control.mover.waiting import is_done
from tests.control.moves import ALPHA, BETA, Scene
from tests.control.shell import Drive

SEEDS = 6
SEEDS_DEEP = 400


def raced(journey: Journey, seed: int, names: tuple[str, ...] = ("m-1", "m-1")) -> None:
    """Let movers take steps in turn, as drawn, until one of them says that nothing is left.

    They have one name: a claim keeps nobody away, as between two processes whose clocks differ.
    """
    picks = random.Random(seed)
    scene = journey.begin()
    began_ms = scene.bench.clock.time_ms
    movers = [scene.mover(name) for name in names]

    def begun(mover: Any) -> Drive:
        return scene.drive(
            mover,
            refuses=lambda ask: journey.refuses(ask, scene.bench.clock.time_ms - began_ms),
            writes=picks.random() < 0.5,
        )

    drives = [begun(mover) for mover in movers]
    for _ in range(3000):
        turn = picks.randrange(len(drives))
        drive = drives[turn]
        if not drive.is_over:
            drive.step()
            scene.check_now()
            continue
        if drive.result.row == "rest":
            break
        scene.bench.clock.time_ms = max(scene.bench.clock.time_ms, drive.result.at_ms)
        drives[turn] = begun(movers[turn])
    for drive in drives:
        if not drive.is_over:
            drive.run()
    scene.settle(scene.mover("m-9"), until=is_done)
    scene.check_end()


@pytest.mark.parametrize("journey", [CREATION, SWAP, DROP], ids=lambda j: j.name)
def test_two_movers_in_any_order_are_as_good_as_one(journey: Journey):
    for seed in range(SEEDS):
        raced(journey, seed)


@pytest.mark.slow
@pytest.mark.parametrize("journey", [CREATION, SWAP, MOVE, DROP, ROLLBACK], ids=lambda j: j.name)
def test_two_or_three_movers_in_very_many_orders_are_as_good_as_one(journey: Journey):
    for seed in range(SEEDS_DEEP):
        raced(journey, seed, ("m-1",) * (2 + seed % 2))


def asleep(journey: Journey, scene: Scene, steps: int) -> Drive | None:
    """Return a mover that fell asleep before step `steps`; None if it never takes so many."""
    mover, taken = scene.mover("zombie"), 0
    while True:
        drive = scene.drive(mover, writes=False)
        while taken < steps and not drive.is_over:
            drive.step()
            taken += 1
        if not drive.is_over:
            return drive
        if drive.result.at_ms is None:
            return None
        scene.bench.clock.time_ms = max(scene.bench.clock.time_ms, drive.result.at_ms)


def settled(scene: Scene) -> None:
    scene.settle(scene.mover("m-2"), writes=True, until=is_done)


def there(scene: Scene) -> None:
    settled(scene)
    if scene.bench.tenant().home == ALPHA:
        scene.begin(BETA, operation="op-2")
        scene.settle(scene.mover("m-3"), writes=True, until=is_done)


def and_back(scene: Scene) -> None:
    there(scene)
    scene.begin(ALPHA, operation="op-3")
    scene.settle(scene.mover("m-4"), writes=True, until=is_done)


def half_way_back(scene: Scene) -> None:
    there(scene)
    scene.begin(ALPHA, operation="op-3")
    drive = scene.drive(scene.mover("m-4"))
    for _ in range(12):
        if not drive.is_over:
            drive.step()


def woken(journey: Journey, step: int, life: Callable[[Scene], None]) -> bool:
    """Let a mover sleep from `step` on while `life` goes on; False if it has no such step."""
    scene = journey.begin()
    zombie = asleep(journey, scene, step)
    if zombie is None:
        return False
    life(scene)
    zombie.run()
    scene.check_now()
    scene.settle(scene.mover("m-9"), until=is_done)
    # It may have made a standby of nothing where the tenant is not any more; that is no home.
    scene.check_end(remains=True)
    return True


def wake_at_every_step(journey: Journey, life: Callable[[Scene], None], stride: int = 1) -> None:
    step = 0
    try:
        while woken(journey, step, life):
            step += stride
    except AssertionError as wrong:
        raise AssertionError(f"{journey.name}, asleep at step {step}: {wrong}") from wrong
    assert step > 5


@pytest.mark.parametrize("life", [settled, and_back])
@pytest.mark.parametrize("journey", [CREATION, SWAP, DROP], ids=lambda j: j.name)
def test_a_mover_that_wakes_at_any_step_after_the_end_changes_nothing(
    journey: Journey, life: Callable[[Scene], None]
):
    wake_at_every_step(journey, life, stride=3)


@pytest.mark.slow
@pytest.mark.parametrize("life", [settled, there, half_way_back, and_back])
@pytest.mark.parametrize("journey", [CREATION, SWAP, MOVE, DROP], ids=lambda j: j.name)
def test_a_mover_that_wakes_at_any_step_at_any_time_changes_nothing(
    journey: Journey, life: Callable[[Scene], None]
):
    wake_at_every_step(journey, life)
