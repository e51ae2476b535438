"""Writes that a standby has to acknowledge, at the server: express lane, counts, log."""

import asyncio
import json
import random
from collections.abc import Iterator, Mapping
from typing import Any

import pytest

from cell_router.breaker import Breaker
from cell_router.decide import Attempt
from cell_router.exchange import CellState, Exchange
from cell_router.limits import Limits
from cell_router.messages import CellAnswer, EdgeRequest
from cell_router.registry import Registry, Route
from cell_router.replies import delivered
from cell_router.server.access_log import AccessLog
from cell_router.server.express import Ride
from cell_router.server.observer import Observer
from cell_router.server.tally import Tally
from cell_router.tenancy import Call
from tests.router.framing.edge import serving_edge
from tests.router.sim import EVERYBODY
from tests.router.vectors import world
from tests.router.vectors.cases import Play, request_of
from tests.router.vectors.scripted_cells import ScriptedCells, scripted_cells
from tests.router.vectors.test_vectors import edge_of, fetch, keys

STANDBY = {"cell": "azure-beta", "else": "refuse", "grant_header": "authorization"}


def command(tenant: str) -> bytes:
    return json.dumps(
        {"tenant_id": tenant, "domain": "ledger", "command": "transfer", "command_id": "c-1",
         "data": {}}
    ).encode()  # fmt: skip


# ── The express lane ─────────────────────────────────────────────────────────


@pytest.fixture(scope="module")
def cells() -> Iterator[ScriptedCells]:
    with scripted_cells() as running:
        yield running


def case(tenant: str, **call: Any) -> dict[str, Any]:
    """Return a case of one command, which a cell may be asked any number of times."""
    calls = [{"cell": "aws-alpha", "epoch": 17, "repeat": True, **call}]
    return {"request": {"body": command(tenant).decode()}, "calls": calls}


def test_the_express_lane_asks_the_standby_for_writes_and_not_for_reads(cells: ScriptedCells):
    ok = {"status": 200, "headers": {"x-cell-ack": "standby"}, "body": "{}"}
    writes = case("T-900", standby=STANDBY, answer=ok)
    read = {"request": {"method": "GET", "target": "/v1/tenants/T-900/domains"},
            "calls": [{"cell": "aws-alpha", "epoch": 17, "repeat": True}]}  # fmt: skip

    with serving_edge(lambda new_id: edge_of(cells, keys(), new_id)) as running:
        write_play = cells.play = Play(writes)
        answers = [asyncio.run(fetch(running.port, request_of(writes))) for _ in range(8)]
        rides_written = running.noted.rides
        read_play = cells.play = Play(read)
        asyncio.run(fetch(running.port, request_of(read)))
        rides = running.noted.rides

    assert (write_play.problems, read_play.problems) == ([], [])
    assert [answer.headers["x-cell-ack"] for answer in answers] == ["standby"] * 8
    assert (rides_written, rides) == (7, 8)


@pytest.mark.parametrize(("tenant", "status"), [("T-903", 503), ("T-905", 200)])
def test_the_express_lane_leaves_a_write_without_a_standby_to_the_flow(
    cells: ScriptedCells, tenant: str, status: int
):
    with serving_edge(lambda new_id: edge_of(cells, keys(), new_id)) as running:
        first = case("T-100")
        cells.play = Play(first)
        asyncio.run(fetch(running.port, request_of(first)))
        second = case(tenant)
        play = cells.play = Play(second)
        answer = asyncio.run(fetch(running.port, request_of(second)))

    assert (answer.status, play.asked) == (status, int(status == 200))
    assert running.noted.rides == 0
    assert answer.headers.get("x-cell-ack") == ("local" if status == 200 else None)


# ── Counted and logged ───────────────────────────────────────────────────────


def seen_by_observer(
    tenant: str, headers: Mapping[bytes, bytes], *, rides: bool, status: int = 200
) -> tuple[dict[str, int], str]:
    """Return the acks that were counted, and what the log says of one answered write."""
    tally = Tally()
    lines: list[bytes] = []
    log = AccessLog(1.0, writable=lambda: True, write=lines.append)
    observer = Observer(tally, log, None, lambda place: None, now_ns=lambda: 0)
    route = _route(tenant)
    answer = CellAnswer(status, dict(headers), b"{}")
    request = EdgeRequest(b"POST", b"/process", b"", {}, command(tenant), "r-1")
    call = Call(tenant, b"/process", command(tenant), "", "ledger", "main")
    assert route.cell is not None
    state = CellState(route.cell, Breaker(random.Random(1)), Limits())
    if rides:
        ride = Ride()
        ride.request, ride.call, ride.route, ride.cell = request, call, route, state
        ride.principal, ride.started = EVERYBODY, 0.0
        observer.rode(ride, answer, 1.0)
    else:
        x = Exchange(request, 0.0, 5.0)
        x.call, x.route, x.cell, x.attempts, x.principal = call, route, state, 1, EVERYBODY
        x.attempt = Attempt(17)
        observer.finished(x, delivered(x, answer), 1.0)
    log.tick()
    report = tally.take_changes()
    counts = {label: by for name, label, by in report.counts if name == "acks"}
    return counts, json.loads(b"".join(lines)).get("ack", "")


def _route(tenant: str) -> Route:
    registry = Registry(world.store_of(lambda cell: f"http://{cell}"))
    registry.refresh(0.0)
    route = registry.find(tenant)
    assert route is not None
    return route


@pytest.mark.parametrize("rides", [True, False])
@pytest.mark.parametrize(
    ("tenant", "sent", "kind"),
    [
        ("T-900", b"standby", "standby"),
        ("T-901", b"local", "local"),
        ("T-901", b"of its own", "local"),
        ("T-900", b"", "unsaid"),
    ],
)
def test_who_has_a_write_is_counted_and_logged(tenant: str, sent: bytes, kind: str, *, rides: bool):
    headers = {b"x-tenant-epoch": b"17", b"x-tenant-seq": b"7"}
    if sent:
        headers[b"x-cell-ack"] = sent

    assert seen_by_observer(tenant, headers, rides=rides) == ({kind: 1}, kind)


@pytest.mark.parametrize("rides", [True, False])
def test_nothing_is_counted_for_a_home_that_acknowledges_alone(*, rides: bool):
    headers = {b"x-tenant-epoch": b"17", b"x-tenant-seq": b"7"}

    assert seen_by_observer("T-100", headers, rides=rides) == ({}, "")


@pytest.mark.parametrize("rides", [True, False])
def test_nothing_is_counted_for_what_was_not_written(*, rides: bool):
    assert seen_by_observer("T-900", {}, rides=rides, status=400) == ({}, "")
    assert seen_by_observer("T-900", {}, rides=rides) == ({}, "")  # A bundle of such.
