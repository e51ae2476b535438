"""Gates give places in order; parking lets one request of a frozen tenant ask for all."""

from typing import Any

from cell_router.limits import PARKED_TENANT_MAX
from cell_router.places import GO, Gate, Parking


class Waiting:
    """Keeps what it was woken with."""

    def __init__(self) -> None:
        self.events: list[Any] = []

    def wake(self, event: object) -> None:
        self.events.append(event)


def test_a_gate_has_so_many_places_and_no_more():
    gate = Gate(2, 10)

    assert [gate.enter() for _ in range(3)] == [True, True, False]


def test_a_place_that_is_left_goes_to_whoever_waits_first():
    gate = Gate(1, 10)
    gate.enter()
    first, second = Waiting(), Waiting()
    gate.queue(first)
    gate.queue(second)

    gate.leave()

    assert (first.events, second.events) == ([GO], [])
    assert not gate.enter()


def test_a_place_that_nobody_waits_for_is_free():
    gate = Gate(1, 10)
    gate.enter()

    gate.leave()

    assert gate.enter()


def test_whoever_gave_up_waiting_gets_no_place():
    gate = Gate(1, 10)
    gate.enter()
    gone, next_one = Waiting(), Waiting()
    gate.queue(gone)
    gate.queue(next_one)

    gate.abandon(gone)
    gate.leave()

    assert (gone.events, next_one.events) == ([], [GO])


def test_only_so_many_wait():
    gate = Gate(1, 2)
    gate.enter()

    assert [gate.queue(Waiting()) for _ in range(3)] == [True, True, False]


def test_the_first_of_a_frozen_tenant_probes_and_the_others_wait():
    parking = Parking()

    places = [parking.park("T", 17, Waiting()) for _ in range(3)]

    assert places == ["probe", "wait", "wait"]
    assert parking.held == 2


def test_all_go_on_when_the_probe_was_served():
    parking = Parking()
    probe, waiting = Waiting(), Waiting()
    parking.park("T", 17, probe)
    parking.park("T", 17, waiting)
    parking.resumed("T", probe)

    parking.leave("T", probe, served=True)

    assert waiting.events == [GO]
    assert parking.held == 0
    assert parking.tenants() == []


def test_the_next_one_probes_when_the_probes_time_is_over():
    parking = Parking()
    probe, second, third = Waiting(), Waiting(), Waiting()
    for waiter in (probe, second, third):
        parking.park("T", 17, waiter)

    parking.leave("T", probe, served=False)

    assert (second.events, third.events) == ([GO], [])
    assert parking.park("T", 17, second) == "probe"


def test_whoever_probes_next_lets_the_others_go_on_when_it_is_served():
    parking = Parking()
    probe, second, third = Waiting(), Waiting(), Waiting()
    for waiter in (probe, second, third):
        parking.park("T", 17, waiter)
    parking.leave("T", probe, served=False)
    parking.resumed("T", second)

    parking.leave("T", second, served=True)

    assert third.events == [GO]
    assert parking.tenants() == []


def test_a_tenant_that_has_moved_lets_all_go_on():
    parking = Parking()
    probe, waiting = Waiting(), Waiting()
    parking.park("T", 17, probe)
    parking.park("T", 17, waiting)

    parking.moved("T", 18)

    assert probe.events == waiting.events == [GO]


def test_a_probe_that_is_asking_is_not_woken_twice():
    parking = Parking()
    probe = Waiting()
    parking.park("T", 17, probe)
    parking.resumed("T", probe)

    parking.moved("T", 18)

    assert probe.events == []


def test_the_epoch_at_which_it_was_frozen_is_no_move():
    parking = Parking()
    probe = Waiting()
    parking.park("T", 17, probe)

    parking.moved("T", 17)

    assert probe.events == []


def test_one_tenant_does_not_wake_anothers():
    parking = Parking()
    mine, other = Waiting(), Waiting()
    parking.park("T", 17, mine)
    parking.park("U", 17, other)

    parking.moved("T", 18)

    assert (mine.events, other.events) == ([GO], [])


def test_only_so_many_are_held_for_one_tenant():
    parking = Parking()
    for _ in range(PARKED_TENANT_MAX + 1):
        parking.park("T", 17, Waiting())

    assert parking.park("T", 17, Waiting()) == "full"
    assert parking.park("U", 17, Waiting()) == "probe"


def test_whoever_goes_on_frees_its_place():
    parking = Parking()
    waiting = Waiting()
    parking.park("T", 17, Waiting())
    parking.park("T", 17, waiting)

    parking.resumed("T", waiting)

    assert parking.held == 0
