"""What workers count is what Prometheus shows, whoever counted it, and never a tenant."""

import json

import pytest

from cell_router.server.metrics import Own, RouterCollector, Totals, exposition
from cell_router.server.report import Report, encode, from_worker
from cell_router.server.tally import BUCKETS_S, COUNTERS, GAUGES, LABELS_MAX, POSITIONS_MAX, Tally

OWN = Own(
    workers_ready=2,
    workers_wanted=3,
    worker_restarts=4,
    reloads=5,
    reloads_failed=6,
    registry_rev=7,
    registry_tenants=8,
    registry_age_s=9.5,
    registry_fresh_age_s=1.5,
    positions=10,
    positions_forgotten=11,
)


def shown(totals):
    """Return what Prometheus reads, by name and labels."""
    text = exposition(RouterCollector(totals, lambda: OWN)).decode()
    lines = [line for line in text.splitlines() if not line.startswith("#")]
    return {name: float(value) for name, value in (line.rsplit(" ", 1) for line in lines)}


def over_the_wire(report):
    return from_worker(encode(report)[:-1])


def test_requests_are_counted_by_cell_class_and_code():
    tally, totals = Tally(), Totals()
    for _ in range(3):
        tally.request("aws-1", 200, "", 0.004)
    tally.request("aws-1", 404, "entity_not_found", 0.2)
    tally.request("", 401, "credential_missing", 60.0)

    totals.add(1, over_the_wire(tally.take_changes()))

    found = shown(totals)
    assert found['cell_router_requests_total{cell="aws-1",code="",status_class="2xx"}'] == 3
    edge = '{cell="",code="credential_missing",status_class="4xx"}'
    assert found["cell_router_requests_total" + edge] == 1
    seconds = "cell_router_request_seconds_"
    assert found[seconds + 'bucket{cell="aws-1",le="0.0025"}'] == 0
    assert found[seconds + 'bucket{cell="aws-1",le="0.005"}'] == 3
    assert found[seconds + 'bucket{cell="aws-1",le="+Inf"}'] == 4
    assert found[seconds + 'count{cell="aws-1"}'] == 4
    assert found[seconds + 'sum{cell="aws-1"}'] == pytest.approx(0.212)
    assert found[seconds + 'bucket{cell="",le="30.0"}'] == 0
    assert found[seconds + 'bucket{cell="",le="+Inf"}'] == 1


def test_a_time_on_the_edge_of_a_bucket_is_in_it():
    for end in BUCKETS_S:
        tally, totals = Tally(), Totals()

        tally.request("a", 200, "", end)
        totals.add(1, tally.take_changes())

        assert shown(totals)[f'cell_router_request_seconds_bucket{{cell="a",le="{end}"}}'] == 1


def test_each_report_carries_growth_only():
    tally = Tally()
    tally.request("a", 200, "", 0.1)
    tally.count("hops", "a")

    tally.take_changes()

    assert tally.take_changes() == Report()


def test_what_was_not_taken_is_counted_again():
    tally, once = Tally(), Tally()
    for either in (tally, once):
        for _ in range(2):
            either.request("a", 200, "", 0.1)
            either.count("hops", "a")
            either.answered("a", 0.1)
            either.failed("a", "reset")
            either.acknowledged("t", 0, 1, 5)

    tally.put_back(tally.take_changes())
    tally.put_back(tally.take_changes())

    assert tally.take_changes() == once.take_changes()


def test_counters_outlive_their_worker_and_gauges_do_not():
    tally, totals = Tally(), Totals()
    tally.count("retries", "connect", by=2)
    totals.add(1, tally.take_changes([("connections", "", 5.0)]))
    totals.add(2, Tally().take_changes([("connections", "", 7.0)]))

    both = shown(totals)
    totals.forget(1)
    after = shown(totals)

    assert both["cell_router_connections"] == 12
    assert after["cell_router_connections"] == 7
    assert after['cell_router_retries_total{reason="connect"}'] == 2


def test_the_worst_breaker_of_all_workers_is_shown():
    totals = Totals()
    totals.add(1, Report(gauges=[("breaker_state", "a", 2.0)]))
    totals.add(2, Report(gauges=[("breaker_state", "a", 1.0)]))

    assert shown(totals)['cell_router_breaker_state{cell="a"}'] == 2


def test_every_counter_and_gauge_can_be_counted_and_is_shown():
    tally, totals = Tally(), Totals()
    for name, label in COUNTERS.items():
        tally.count(name, "x" if label else "")
    gauges = [(name, "x" if label else "", 1.0) for name, label in GAUGES.items()]

    totals.add(1, over_the_wire(tally.take_changes(gauges)))

    found = shown(totals)
    for name, label in COUNTERS.items():
        assert found[f"cell_router_{name}_total" + (f'{{{label}="x"}}' if label else "")] == 1
    for name, label in GAUGES.items():
        assert found[f"cell_router_{name}" + (f'{{{label}="x"}}' if label else "")] == 1


def test_the_supervisors_own_numbers_are_shown():
    found = shown(Totals())

    assert found["cell_router_registry_rev"] == 7
    assert found["cell_router_registry_age_seconds"] == 9.5
    assert found["cell_router_worker_restarts_total"] == 4
    assert found['cell_router_reloads_total{result="ok"}'] == 5
    assert found['cell_router_reloads_total{result="failed"}'] == 6
    assert found["cell_router_workers_ready"] == 2


def test_labels_are_bounded_in_the_worker_and_in_the_sum():
    tally, totals = Tally(), Totals()
    for n in range(1000):
        tally.count("auth_refused", f"code-{n}")
    report = tally.take_changes()
    flood = Report(counts=[("auth_refused", f"more-{n}", 1) for n in range(1000)])

    totals.add(1, report)
    totals.add(2, flood)

    rows = {k: v for k, v in shown(totals).items() if "auth_refused" in k}
    assert len(report.counts) == LABELS_MAX + 1
    assert len(rows) == LABELS_MAX + 1
    assert sum(rows.values()) == 2000


def test_a_flood_of_codes_ends_in_one_row():
    totals = Totals()
    for n in range(10):
        rows = [[f"c{n}", 2, f"code-{n}-{m}", 1] for m in range(1000)]
        totals.add(1, from_worker(json.dumps({"type": "report", "requests": rows}).encode()))

    rows = {k: v for k, v in shown(totals).items() if k.startswith("cell_router_requests_total")}
    assert len(rows) <= 4097
    assert sum(rows.values()) == 10_000


def test_what_is_on_no_list_is_left_out():
    totals = Totals()

    totals.add(1, Report(counts=[("secret", "t1", 1)], gauges=[("tenant", "t1", 1.0)]))

    assert not [name for name in shown(totals) if "t1" in name]


def test_a_counter_that_does_not_exist_is_a_bug_that_shows():
    tally = Tally()

    with pytest.raises(KeyError, match="typo"):
        tally.count("typo")


def test_no_tenant_is_ever_a_label():
    tally, totals = Tally(), Totals()
    tally.acknowledged("tenant-7", 0, 1, 1)
    tally.request("aws-1", 200, "", 0.1)
    tally.answered("aws-1", 0.1)

    totals.add(1, tally.take_changes())

    assert "tenant-7" not in exposition(RouterCollector(totals, lambda: OWN)).decode()
    assert not any(label == "tenant" for label in (*COUNTERS.values(), *GAUGES.values()))


def test_positions_keep_the_highest_and_wait_for_the_next_report_if_there_are_many():
    tally = Tally()
    for epoch, seq in ((17, 5), (17, 4), (33, 1), (17, 9)):
        tally.acknowledged("t", 0, epoch, seq)
    for n in range(POSITIONS_MAX):
        tally.acknowledged(f"t{n}", 1, 1, 1)

    first, second = tally.take_changes(), tally.take_changes()

    assert first.positions[0] == ("t", 0, 33, 1)
    assert (len(first.positions), len(second.positions)) == (POSITIONS_MAX, 1)


def test_the_largest_report_fits_in_a_line():
    tally = Tally()
    for n in range(POSITIONS_MAX):
        tally.acknowledged(f"{n:064d}", 63, 2**52, 2**53)
    for cell in (f"{c:064d}" for c in range(16)):
        for code in range(60):
            tally.request(cell, 200, f"{code:032d}", 1.0)
    for name in COUNTERS:
        for label in range(LABELS_MAX):
            tally.count(name, f"{label:064d}")

    assert len(encode(tally.take_changes())) < 1024 * 1024


def test_a_worker_without_room_for_positions_says_how_many_it_lost():
    tally = Tally()
    for n in range(4 * POSITIONS_MAX + 3):
        tally.acknowledged(f"t{n}", 0, 1, 1)

    assert ("positions_dropped", "", 3) in tally.take_changes().counts
