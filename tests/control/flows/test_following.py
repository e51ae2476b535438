"""Which tenant is visited next, and what is remembered of lag, in bounded memory."""

from cell_control.domain import following, lag
from cell_control.domain.following import Following, Refill, Visit, Wait
from cell_control.domain.lag import Lags


def test_who_rang_is_visited_before_the_sweep() -> None:
    work = Following()
    work.refill(["T-1", "T-2"], "")

    work.ring(["T-9"])

    assert work.next(0) == Visit("T-9", rang=True)
    assert work.next(0) == Visit("T-1", rang=False)


def test_who_rings_many_times_is_visited_once() -> None:
    work = Following()

    work.ring(["T-1"] * 5)

    assert work.next(0) == Visit("T-1", rang=True)
    assert work.next(0) == Refill("")


def test_who_rings_while_being_visited_is_visited_again() -> None:
    work = Following()
    work.ring(["T-1"])
    work.next(0)

    work.ring(["T-1"])

    assert work.next(0) == Visit("T-1", rang=True)


def test_doorbells_beyond_the_limit_are_dropped_and_counted() -> None:
    work = Following()

    work.ring(f"T-{n}" for n in range(following.DOORBELLS_MAX + 3))

    assert work.dropped == 3
    work.ring(["T-0"])
    assert work.dropped == 3, "it has its place already"


def test_a_doorbell_that_was_lost_is_found_by_the_sweep() -> None:
    work = Following()

    assert work.next(0) == Refill("")
    work.refill(["T-1"], "")

    assert work.next(0) == Visit("T-1", rang=False)


def test_the_sweep_goes_round_page_by_page_and_then_rests() -> None:
    work = Following(sweep_every_ms=1000, visit_every_ms=0)

    assert work.next(0) == Refill("")
    work.refill(["T-1"], "T-1")
    assert work.next(0) == Visit("T-1", rang=False)
    assert work.next(0) == Refill("T-1")
    work.refill(["T-2"], "")
    assert work.next(100) == Visit("T-2", rang=False)
    assert work.next(100) == Wait(900)
    assert work.next(1000) == Refill("")


def test_the_sweep_is_no_faster_than_its_rate_and_holds_up_no_doorbell() -> None:
    work = Following(visit_every_ms=5)
    work.refill(["T-1", "T-2"], "")
    work.next(0)

    assert work.next(2) == Wait(3)
    work.ring(["T-7"])
    assert work.next(2) == Visit("T-7", rang=True)
    assert work.next(5) == Visit("T-2", rang=False)


def test_an_empty_registry_is_not_asked_without_end() -> None:
    work = Following(sweep_every_ms=1000)
    work.next(0)

    work.refill([], "")

    assert work.next(0) == Wait(1000)


def test_every_tenant_falls_to_exactly_one_share() -> None:
    names = [f"T-{n}" for n in range(50)]
    shares = [Following(share=n, shares=3, visit_every_ms=0) for n in range(3)]
    visited: list[str] = []

    for work in shares:
        work.refill(names, "")
        while isinstance(found := work.next(0), Visit):
            visited.append(found.tenant)

    assert sorted(visited) == sorted(names)


def test_a_dark_cell_holds_up_its_own_tenants_only_and_is_tried_ever_more_seldom() -> None:
    work = Following()

    work.dark("azure-beta", 0)

    assert work.admits(["aws-alpha"], 0)
    assert not work.admits(["aws-alpha", "azure-beta"], 499)
    assert work.admits(["azure-beta"], 500)
    assert not work.admits(["azure-beta"], 501), "one probe a pause"
    for _ in range(20):
        work.dark("azure-beta", 1000)
    assert not work.admits(["azure-beta"], 30_999)
    assert work.admits(["azure-beta"], 31_000)


def test_a_cell_that_answers_again_is_dark_no_more() -> None:
    work = Following()
    work.dark("azure-beta", 0)

    work.answered("azure-beta")

    assert work.admits(["azure-beta"], 1)


def test_who_is_furthest_behind_is_named_first() -> None:
    lags = Lags()
    for number in range(5):
        lags.note(f"T-{number}", number, 100)

    assert [one.tenant for one in lags.worst(2)] == ["T-4", "T-3"]
    assert lags.totals(150).entries == 10
    assert lags.totals(150).tenants == 4


def test_who_has_caught_up_is_forgotten_and_since_when_starts_anew() -> None:
    lags = Lags()
    lags.note("T-1", 5, 100)
    lags.note("T-1", 3, 200)
    assert lags.totals(300).longest_ms == 200

    lags.note("T-1", 0, 400)
    lags.note("T-1", 1, 500)

    assert lags.totals(500).longest_ms == 0


def test_of_too_many_behind_the_worst_are_kept() -> None:
    lags = Lags()

    for number in range(lag.BEHIND_MAX + 1):
        lags.note(f"T-{number}", number + 1, 0)

    totals = lags.totals(0)
    assert totals.tenants + totals.forgotten == lag.BEHIND_MAX + 1
    assert totals.tenants <= lag.BEHIND_MAX
    assert lags.worst(1)[0].entries == lag.BEHIND_MAX + 1
