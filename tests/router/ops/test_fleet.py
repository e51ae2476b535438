"""The supervisor's decisions, without a process: what follows each event."""

import itertools
import random

import pytest

from cell_router.server.fleet import (
    Accepted,
    End,
    Fleet,
    Kill,
    LetGo,
    Note,
    Rules,
    Spawn,
    TellDrain,
)


def fleet(slots=2, *, silence_max_s=1e9, **rules):
    return Fleet(Rules(slots=slots, silence_max_s=silence_max_s, **rules), random.Random(7))


def of(kind, actions):
    return [action for action in actions if isinstance(action, kind)]


def notes(actions):
    return [note.event for note in of(Note, actions)]


def running(slots=2, **rules):
    """Return a fleet whose first workers, serials 1 to `slots`, are ready at 0 s."""
    made = fleet(slots, **rules)
    for spawn in made.start(0.0):
        made.on_ready(spawn.serial, 0.0)
    return made


def test_every_slot_gets_a_worker():
    actions = fleet(3).start(0.0)

    assert actions == [Spawn(1, 0, 1), Spawn(2, 1, 1), Spawn(3, 2, 1)]


def test_a_worker_counts_once_it_is_ready():
    made = fleet()
    made.start(0.0)

    made.on_ready(1, 1.0)
    made.on_ready(1, 1.0)

    assert made.ready == 1


def test_a_worker_that_ends_unasked_is_started_again_at_once():
    made = running()

    made.on_ended(1, -9, 100.0)
    actions = made.tick(100.0)

    assert actions == [Spawn(3, 0, 1)]
    assert (made.ready, made.restarts) == (1, 1)


def test_a_worker_that_keeps_ending_is_started_ever_more_slowly():
    made = fleet(1)
    made.start(0.0)
    starts, now_s, serial = [], 0.0, 1

    while now_s < 60.0:
        made.on_ended(serial, 1, now_s)
        while not (spawned := of(Spawn, made.tick(now_s))):
            now_s += 0.05
        serial = spawned[0].serial
        starts.append(now_s)
        assert len(starts) < 30

    gaps = [b - a for a, b in itertools.pairwise(starts)]
    assert 2.5 <= max(gaps) <= 5.1
    assert starts[0] == 0.0


def test_what_waits_for_a_worker_that_served_waits_for_the_next_one():
    made = running()

    assert of(LetGo, made.on_ended(1, -9, 100.0)) == []


def test_nobody_waits_for_a_worker_that_never_served():
    made = fleet()
    made.start(0.0)

    first = made.on_ended(1, 1, 0.5)
    made.tick(0.5)
    again = made.on_ended(3, 1, 1.0)

    assert of(LetGo, first) == of(LetGo, again) == [LetGo(0)]


def test_nobody_waits_while_the_next_start_is_put_off():
    made = running()
    made.on_ended(1, -9, 1.0)
    made.tick(1.0)
    made.on_ready(3, 1.5)

    assert of(LetGo, made.on_ended(3, -9, 2.0)) == [LetGo(0)]


def test_a_new_generation_that_is_given_up_leaves_the_sockets_to_the_old_one():
    made = running()
    made.reload(10.0)

    assert of(LetGo, made.on_ended(3, 1, 10.5)) == []


def test_a_worker_that_lived_well_is_forgiven():
    made = running(1)
    made.on_ended(1, 1, 1.0)
    made.tick(1.0)
    made.on_ended(2, 1, 1.1)
    assert made.tick(2.0) == [Spawn(3, 0, 1)]

    actions = made.on_ended(3, 1, 40.0)

    assert actions[-1] == Note("worker_restarts", {"slot": 0, "pause_ms": 0})


def test_a_reload_starts_a_new_generation_beside_the_old_one():
    made = running()

    actions = made.reload(10.0)

    assert of(Spawn, actions) == [Spawn(3, 0, 2), Spawn(4, 1, 2)]
    assert of(TellDrain, actions) == []
    assert (made.ready, made.generation) == (2, 1)


def test_the_old_generation_drains_once_all_of_the_new_one_are_ready():
    made = running()
    made.reload(10.0)

    first = made.on_ready(3, 11.0)
    second = made.on_ready(4, 12.0)

    assert of(TellDrain, first) == []
    assert of(TellDrain, second) == [TellDrain(1), TellDrain(2)]
    assert of(Accepted, second) == [Accepted(2)]
    assert (made.generation, made.reloads, made.ready) == (2, 1, 2)


def test_a_worker_that_was_told_to_drain_is_not_started_again():
    made = running()
    made.reload(10.0)
    made.on_ready(3, 11.0)
    made.on_ready(4, 12.0)

    made.on_ended(1, 0, 13.0)

    assert of(Spawn, made.tick(60.0)) == []
    assert made.restarts == 0


def test_a_new_generation_that_loses_a_worker_is_given_up_and_the_old_one_serves():
    made = running()
    made.reload(10.0)
    made.on_ready(3, 11.0)

    actions = made.on_ended(4, 78, 12.0)

    assert of(TellDrain, actions) == [TellDrain(3)]
    assert "reload_failed" in notes(actions)
    assert (made.generation, made.reloads_failed, made.reloading) == (1, 1, False)
    assert of(Spawn, made.tick(60.0)) == []


def test_a_new_generation_that_is_never_ready_is_killed_and_given_up():
    made = running(ready_max_s=30.0)
    made.reload(10.0)
    made.on_ready(3, 11.0)

    before, after = made.tick(39.9), made.tick(40.0)
    actions = made.on_ended(4, -9, 40.1)

    assert (before, of(Kill, after)) == ([], [Kill(4)])
    assert "reload_failed" in notes(actions)
    assert made.generation == 1


def test_an_old_worker_that_ends_during_a_reload_comes_back_with_what_it_had():
    made = running()
    made.reload(10.0)

    made.on_ended(1, -11, 10.5)

    assert made.tick(10.5) == [Spawn(5, 0, 1)]


def test_no_old_worker_is_started_once_the_new_generation_serves():
    made = running(1)
    made.on_ended(1, 1, 10.0)
    made.tick(10.0)
    made.on_ended(2, 1, 10.1)  # Its next start is a pause away.
    made.reload(10.1)

    made.on_ready(3, 10.11)

    assert of(Spawn, made.tick(60.0)) == []


def test_reloads_asked_for_during_a_reload_become_one_more():
    made = running(1)
    made.reload(10.0)
    assert made.reload(10.1) == made.reload(10.2) == []

    actions = made.on_ready(2, 11.0)
    done = made.on_ready(3, 12.0)

    assert of(Spawn, actions) == [Spawn(3, 0, 3)]
    assert of(Spawn, done) == []
    assert (made.generation, made.reloads) == (3, 2)


def test_a_generation_number_is_never_used_twice():
    made = running(1)
    made.reload(10.0)
    made.on_ended(2, 78, 10.5)

    [spawn] = of(Spawn, made.reload(11.0))

    assert spawn.generation == 3


def test_a_stop_is_seen_at_once_and_drains_after_the_delay():
    made = running(drain_delay_s=5.0)

    first = made.stop(100.0)

    assert made.stopping
    assert of(TellDrain, first) == of(TellDrain, made.tick(104.9)) == []
    assert of(TellDrain, made.tick(105.0)) == [TellDrain(1), TellDrain(2)]


def test_a_second_stop_skips_the_delay():
    made = running(drain_delay_s=60.0)
    made.stop(100.0)

    assert of(TellDrain, made.stop(101.0)) == [TellDrain(1), TellDrain(2)]


def test_the_supervisor_ends_when_the_last_worker_has():
    made = running()
    made.stop(100.0)

    first = made.on_ended(1, 0, 100.5)
    last = made.on_ended(2, 0, 101.0)

    assert of(End, first) == []
    assert of(End, last) == [End()]


def test_a_worker_that_does_not_drain_in_time_is_killed():
    made = running(drain_max_s=30.0)
    made.stop(100.0)

    assert of(Kill, made.tick(131.9)) == []
    assert of(Kill, made.tick(132.0)) == [Kill(1), Kill(2)]
    assert of(Kill, made.tick(134.0)) == [Kill(1), Kill(2)]


def test_a_worker_that_was_just_being_started_is_killed_at_a_stop():
    made = fleet(1)
    made.start(0.0)

    assert of(Kill, made.stop(1.0)) == [Kill(1)]
    assert of(End, made.on_ended(1, -9, 1.1)) == [End()]


def test_a_stop_without_a_worker_ends_at_once():
    made = running(1)
    made.on_ended(1, 1, 10.0)

    assert of(End, made.stop(10.0)) == [End()]


def test_nothing_is_started_after_a_stop():
    made = running(drain_delay_s=10.0)
    made.stop(100.0)

    made.on_ended(1, 1, 101.0)

    assert made.reload(102.0) == []
    assert of(Spawn, made.tick(109.0)) == []


def test_a_stop_during_a_reload_ends_both_generations():
    made = running(1)
    made.reload(10.0)

    actions = made.stop(11.0)

    assert of(TellDrain, actions) == [TellDrain(1)]
    assert of(Kill, actions) == [Kill(2)]


def test_a_worker_that_falls_silent_is_killed_and_started_again():
    made = running(1, silence_max_s=30.0)
    made.on_heard(1, 50.0)

    assert made.tick(79.9) == []
    assert of(Kill, made.tick(80.0)) == [Kill(1)]
    assert of(Kill, made.tick(85.0)) == []  # One is enough: nothing survives it.
    made.on_ended(1, -9, 80.1)
    assert made.tick(80.1) == [Spawn(2, 0, 1)]


@pytest.mark.parametrize("call", ["on_ready", "on_ended"])
def test_a_stranger_changes_nothing(call):
    made = running()

    arguments = (99, 5.0) if call == "on_ready" else (99, 0, 5.0)

    assert getattr(made, call)(*arguments) == []


class Storm:
    """Draws events for a fleet and follows which of its workers are alive."""

    def __init__(self, seed):
        self.draw = random.Random(seed)
        self.fleet, self.now_s, self.alive = fleet(3, drain_delay_s=1.0), 0.0, {}
        self.follow(self.fleet.start(self.now_s))

    def follow(self, actions):
        self.alive |= {action.serial: action for action in of(Spawn, actions)}
        return actions

    def blow(self):
        self.now_s += self.draw.random()
        event = self.draw.choice(("ready", "ended", "reload", "tick", "tick"))
        if event == "reload":
            self.follow(self.fleet.reload(self.now_s))
        elif event == "tick" or not self.alive:
            self.follow(self.fleet.tick(self.now_s))
        elif event == "ready":
            self.follow(self.fleet.on_ready(self.draw.choice(list(self.alive)), self.now_s))
        else:
            serial = self.draw.choice(list(self.alive))
            del self.alive[serial]
            self.follow(self.fleet.on_ended(serial, 1, self.now_s))

    def calm(self):
        """Stop, let every worker end, and return how often the fleet said that all is over."""
        actions = self.fleet.stop(self.now_s) + self.fleet.tick(self.now_s + 2.0)
        while self.alive:
            serial, _ = self.alive.popitem()
            actions += self.fleet.on_ended(serial, 0, self.now_s + 3.0)
        return len(of(End, actions))


@pytest.mark.parametrize("seed", range(20))
def test_any_order_of_events_keeps_the_fleet_bounded_and_ends_once(seed):
    storm = Storm(seed)

    for _ in range(300):
        storm.blow()

        generations = [spawn.generation for spawn in storm.alive.values()]
        tried = storm.fleet.reloads + storm.fleet.reloads_failed
        assert generations.count(storm.fleet.generation) <= 3
        assert len(generations) <= 3 * (2 + tried)
    assert storm.calm() == 1
