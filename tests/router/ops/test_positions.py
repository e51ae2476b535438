"""Acknowledged positions never go back, and what was forgotten is said."""

from cell_router.server.passive_health import CELLS_MAX, PassiveHealth
from cell_router.server.positions import Positions
from cell_router.server.report import CellHealth


def test_a_position_never_goes_back():
    positions = Positions()

    positions.note([("t", 0, 17, 5), ("t", 0, 17, 4), ("t", 0, 1, 99)])

    assert positions.of_tenant("t", 64) == [("t", 0, 17, 5)]


def test_a_newer_epoch_wins_over_a_higher_number():
    positions = Positions()

    positions.note([("t", 0, 17, 500), ("t", 0, 18, 3)])

    assert positions.of_tenant("t", 64) == [("t", 0, 18, 3)]


def test_the_stripes_of_a_tenant_are_found_together():
    positions = Positions()
    positions.note([("t", 3, 1, 1), ("u", 0, 1, 1), ("t", 0, 1, 2)])

    assert positions.of_tenant("t", 64) == [("t", 0, 1, 2), ("t", 3, 1, 1)]


def test_pages_bring_every_position_that_grew_once():
    positions = Positions()
    positions.note((f"t{n}", 0, 1, 1) for n in range(25))

    first = positions.page(0, 10)
    positions.note([("t3", 0, 1, 2)])  # It grows while somebody pages.
    second, third = positions.page(first.after, 10), positions.page(20, 10)

    assert [row[0] for row in first.positions] == [f"t{n}" for n in range(10)]
    assert [row[0] for row in second.positions] == [f"t{n}" for n in range(10, 20)]
    assert third.positions[-1] == ("t3", 0, 1, 2)
    assert (first.more, second.more, third.more) == (True, True, False)
    assert positions.page(third.after, 10).positions == []


def test_the_quietest_stripes_are_forgotten_and_counted():
    positions = Positions(positions_max=3)
    positions.note([("a", 0, 1, 1), ("b", 0, 1, 1), ("c", 0, 1, 1), ("a", 0, 1, 2)])

    positions.note([("d", 0, 1, 1)])

    assert positions.of_tenant("b", 1) == []
    assert positions.of_tenant("a", 1) == [("a", 0, 1, 2)]
    assert (len(positions), positions.forgotten) == (3, 1)


def test_health_sums_workers_over_the_window():
    health = PassiveHealth()
    health.note(1, [CellHealth(cell="a", successes=3, seconds=0.3)], 0.0)
    health.note(2, [CellHealth(cell="a", failures=2, breaker="open", last_failure="reset")], 10.0)

    [now] = health.cells(20.0)

    assert (now["successes"], now["failures"], now["mean_ms"]) == (3, 2, 100.0)
    assert (now["breaker"], now["breakers_open"]) == ("open", 1)
    assert (now["last_failure"], now["last_failure_age_s"]) == ("reset", 10.0)


def test_health_forgets_what_is_old_and_who_is_gone():
    health = PassiveHealth()
    health.note(1, [CellHealth(cell="a", failures=2, breaker="open")], 0.0)

    health.forget(1)
    [later] = health.cells(61.0)

    assert (later["failures"], later["breaker"], later["mean_ms"]) == (0, "closed", None)


def test_a_half_open_breaker_is_worse_than_a_closed_one():
    health = PassiveHealth()
    health.note(1, [CellHealth(cell="a", breaker="half_open")], 0.0)
    health.note(2, [CellHealth(cell="a", breaker="closed")], 0.0)

    assert health.cells(0.0)[0]["breaker"] == "half_open"


def test_health_holds_a_bounded_number_of_cells():
    health = PassiveHealth()

    health.note(1, [CellHealth(cell=f"c{n}") for n in range(1000)], 0.0)

    assert len(health.cells(0.0)) == CELLS_MAX
