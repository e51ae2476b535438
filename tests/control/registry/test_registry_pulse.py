"""One of those who wait looks for all of them, and a look that fails is told to who made it."""

import itertools
import time
from concurrent.futures import ThreadPoolExecutor

import pytest

from cell_control.adapters.registry_pulse import POLL_S, Pulse
from cell_control.ports import RegistryUnavailable

_WAITERS = 20


def test_many_who_wait_cost_no_more_looks_than_one() -> None:
    pulse, looks = Pulse(time.monotonic), itertools.count()
    began_s = time.monotonic()

    with ThreadPoolExecutor(_WAITERS) as threads:
        waits = [
            threads.submit(pulse.wait, 0, 3 * POLL_S, lambda: next(looks) * 0)
            for _ in range(_WAITERS)
        ]

    assert {wait.result() for wait in waits} == {0}
    # Each looks once as it begins, and then only one of them in each interval.
    intervals = (time.monotonic() - began_s) / POLL_S
    assert next(looks) <= _WAITERS + intervals + 1


def test_what_one_finds_wakes_all() -> None:
    pulse, revs = Pulse(time.monotonic), itertools.chain([0] * _WAITERS, itertools.repeat(7))

    with ThreadPoolExecutor(_WAITERS) as threads:
        waits = [threads.submit(pulse.wait, 0, 30.0, lambda: next(revs)) for _ in range(_WAITERS)]

    assert {wait.result() for wait in waits} == {7}


def test_a_look_that_fails_is_told() -> None:
    def look() -> int:
        raise RegistryUnavailable("rev: planned")

    with pytest.raises(RegistryUnavailable):
        Pulse(time.monotonic).wait(0, 30.0, look)


def test_nobody_looks_once_it_is_closed() -> None:
    pulse = Pulse(time.monotonic)
    pulse.note(3)
    pulse.close()

    assert pulse.wait(5, 30.0, lambda: pytest.fail("looked")) == 3
