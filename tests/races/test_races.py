"""Two processes with many threads move money on one stream, on each cloud's database.

A cell on Lambda is many processors of one thread, on Functions one processor of many threads: each
race has both.
"""

from collections import Counter
from collections.abc import Callable, Sequence

import pytest

from tests.races.proof import problems_after
from tests.races.race import Ground, Size, prepared, run
from tests.races.racer import Answers

pytestmark = pytest.mark.xdist_group("races")

SHORT = Size(threads=8, transfers=2)
FAULTY = Size(threads=4, transfers=6)
LONG = Size(threads=16, transfers=15)
RACES_MAX = 5


def _race(on: Ground, size: Size, build: str = "right") -> tuple[list[str], list[Answers]]:
    place, store, opening = prepared(on)
    told = run(on, place, size, build)
    return problems_after(store, [opening, *told]), told


def _comes_to(on: Ground, build: str, holds: Callable[[list[str]], bool]) -> bool:
    """Say whether `holds` is true of one of a few races: threads may happen not to meet in one."""
    return any(holds(_race(on, FAULTY, build)[0]) for _ in range(RACES_MAX))


def _codes(told: Sequence[Answers]) -> Counter[str]:
    return Counter(code for answers in told for _, code in answers.answered.values())


def test_sixteen_threads_of_two_processes_leave_money_log_and_answers_whole(on):
    problems, told = _race(on, SHORT)

    assert problems == []
    assert _codes(told).keys() == {"applied", "insufficient_funds"}
    assert _codes(told).total() == 2 * 8 * 2


@pytest.mark.slow
def test_sixteen_threads_in_each_of_two_processes_leave_all_of_it_whole(on):
    problems, told = _race(on, LONG)

    assert problems == []
    assert [answers.unanswered for answers in told] == [[]] * 2 * 16


@pytest.mark.slow
def test_a_race_shows_that_entities_were_read_before_the_position_was_known(on):
    def is_shown(problems):
        return any("is not what its command comes to at its place" in each for each in problems)

    assert _comes_to(on, "entities-first", is_shown)


@pytest.mark.slow
def test_a_race_shows_lost_updates_in_state_and_log(on):
    def is_shown(problems):
        is_lost = any("is not the fold of its events" in each for each in problems)
        return is_lost and "the entities do not add up to the fence's digest" in problems

    assert _comes_to(on, "entities-first-and-blind", is_shown)
