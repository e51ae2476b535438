"""A process knows which tenants it has frozen, and for how long that may be so."""

from cell_control.flows.run import Performed
from cell_control.server.cutovers import CUTTING_MS_MAX, Cutovers


class Clock:
    def __init__(self) -> None:
        self.time_ms = 1000

    def now_ms(self) -> int:
        return self.time_ms


def step(row: str, tenant: str = "T-1") -> Performed:
    return Performed(tenant=tenant, row=row, began_ms=0, took_ms=1)


def test_a_cutover_runs_from_its_intent_until_the_next_home_is_active() -> None:
    cutovers = Cutovers(Clock().now_ms)

    seen = []
    for row in ("catch_up", "begin_cutover", "freeze", "tail", "commit", "activate"):
        cutovers.note(step(row))
        seen.append(cutovers.running)

    assert seen == [False, True, True, True, True, False]


def test_one_that_ends_does_not_end_anothers() -> None:
    cutovers = Cutovers(Clock().now_ms)
    cutovers.note(step("freeze"))
    cutovers.note(step("freeze", "T-2"))

    cutovers.note(step("roll_back_late"))

    assert cutovers.running


def test_one_that_is_not_heard_of_any_more_is_not_waited_for() -> None:
    clock = Clock()
    cutovers = Cutovers(clock.now_ms)
    cutovers.note(step("freeze"))

    clock.time_ms += CUTTING_MS_MAX

    assert not cutovers.running
