"""The admin listener's answers, over its own protocol and with nothing but what was asked."""

import asyncio
import json

import pytest

from cell_router.server.admin import PAGE_MAX, AdminSources, RouteShown, build_admin
from cell_router.server.metrics import RouterCollector, Totals
from cell_router.server.passive_health import PassiveHealth
from cell_router.server.positions import Positions
from cell_router.server.registry_keeper import RegistryStatus
from cell_router.server.report import CellHealth, Report, Requests
from tests.router.ops.test_tally import OWN

NOW_MS = 1_800_000_000_000
CELL = {"id": "aws-1", "ordinal": 1, "base_url": "https://a.on.aws"}
ROUTE = RouteShown(
    tenant="t1",
    epoch=17,
    stripes=4,
    group="g1",
    status="active",
    reason="group",
    cell=CELL,
    ack="refuse",
    standby="az-2",
)
STATUS = RegistryStatus(
    rev=7,
    tenants=3,
    created_ms=NOW_MS - 5000,
    fresh_ms=NOW_MS - 2000,
    source="http",
    error="",
    failures=0,
)


class Fleet:
    ready = 2
    stopping = False
    generation = 3


class Edge:
    """What the admin listener looks into, to change and to ask."""

    def __init__(self):
        self.fleet, self.status = Fleet(), STATUS
        self.totals, self.positions, self.health = Totals(), Positions(), PassiveHealth()
        self.routes = {"t1": ROUTE}
        self.app = build_admin(
            AdminSources(
                fleet=self.fleet,
                collector=RouterCollector(self.totals, lambda: OWN),
                positions=self.positions,
                health=self.health,
                registry=lambda: self.status,
                lookup=self.lookup,
                registry_age_max_s=lambda: 60,
                now_s=lambda: 100.0,
                now_ms=lambda: NOW_MS,
            )
        )

    def lookup(self, tenant):
        return self.routes.get(tenant)

    def get(self, target, method="GET", *, raises=False):
        """Ask over ASGI; return status, headers and body."""
        path, _, query = target.partition("?")
        scope = {
            "type": "http", "method": method, "path": path, "raw_path": path.encode(),
            "query_string": query.encode(), "headers": [], "root_path": "",
            "scheme": "http", "http_version": "1.1", "server": ("edge", 9090),
        }  # fmt: skip
        sent = []

        async def receive():
            return {"type": "http.request", "body": b"", "more_body": False}

        async def send(message):
            sent.append(message)

        try:
            asyncio.run(self.app(scope, receive, send))
        except ZeroDivisionError:
            assert raises
        headers = {name.decode(): value.decode() for name, value in sent[0]["headers"]}
        body = b"".join(message.get("body", b"") for message in sent[1:])
        return sent[0]["status"], headers, body

    def json(self, target):
        status, _, body = self.get(target)
        return status, json.loads(body)


@pytest.fixture
def edge():
    return Edge()


def test_it_is_healthy_as_long_as_it_answers(edge):
    edge.fleet.ready, edge.fleet.stopping = 0, True

    assert edge.json("/healthz") == (200, {"status": "ok"})


def test_it_is_ready_with_a_registry_and_a_worker(edge):
    assert edge.json("/readyz") == (
        200,
        {
            "status": "ready",
            "missing": [],
            "warnings": [],
            "workers_ready": 2,
            "generation": 3,
        },
    )


def test_it_says_what_is_missing(edge):
    edge.fleet.ready, edge.fleet.stopping = 0, True
    edge.status = RegistryStatus(
        rev=0, tenants=0, created_ms=0, fresh_ms=0, source="http", error="x", failures=1
    )

    status, body = edge.json("/readyz")

    assert status == 503
    assert body["missing"] == ["draining", "no_registry", "no_ready_worker"]


def test_an_old_registry_warns_and_serves(edge):
    edge.status = RegistryStatus(
        rev=7,
        tenants=3,
        created_ms=NOW_MS - 90_000,
        fresh_ms=NOW_MS - 61_000,
        source="http",
        error="source_unreachable",
        failures=9,
    )

    status, body = edge.json("/readyz")

    assert (status, body["status"], body["warnings"]) == (200, "ready", ["registry_old"])


def test_metrics_are_prometheus_text(edge):
    edge.totals.add(1, Report(requests=[Requests("aws-1", 2, "", 5)]))

    status, headers, body = edge.get("/metrics")

    assert (status, headers["content-type"]) == (200, "text/plain; version=0.0.4; charset=utf-8")
    assert b'cell_router_requests_total{cell="aws-1",code="",status_class="2xx"} 5.0' in body


def test_a_route_shows_its_record_and_the_snapshot(edge):
    assert edge.json("/routes/t1") == (
        200,
        {
            "tenant": "t1",
            "epoch": 17,
            "stripes": 4,
            "group": "g1",
            "status": "active",
            "reason": "group",
            "cell": CELL,
            "ack": "refuse",
            "standby": "az-2",
            "snapshot": {"rev": 7, "age_s": 5.0},
        },
    )


@pytest.mark.parametrize(
    ("target", "status", "code"),
    [
        ("/routes/t2", 404, "tenant_not_found"),
        ("/routes/t%202", 400, "invalid_path"),
        ("/routes/" + "x" * 65, 400, "invalid_path"),
        ("/routes/t1/more", 404, "path_not_found"),
        ("/nowhere", 404, "path_not_found"),
        ("/positions?limit=0", 400, "invalid_query"),
        ("/positions?limit=1001", 400, "invalid_query"),
        ("/positions?limit=-1", 400, "invalid_query"),
        ("/positions?limit=x", 400, "invalid_query"),
        ("/positions?after=99999999999999999", 400, "invalid_query"),
        ("/positions?after=%D9%A1", 400, "invalid_query"),
        ("/positions?tenant=", 400, "invalid_query"),
    ],
)
def test_a_wrong_question_is_answered_with_a_problem(edge, target, status, code):
    found, headers, body = edge.get(target)

    problem = json.loads(body)
    assert (found, problem["status"], problem["code"]) == (status, status, code)
    assert headers["content-type"] == "application/problem+json"
    assert problem["type"] == f"urn:cells:problem:{code}"


@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE", "PATCH"])
def test_nothing_can_be_changed(edge, method):
    status, headers, body = edge.get("/snapshot", method)

    assert (status, headers["allow"]) == (405, "GET, HEAD")
    assert json.loads(body)["code"] == "method_not_allowed"


def test_the_snapshot_says_how_old_it_is_and_why(edge):
    assert edge.json("/snapshot") == (
        200,
        {
            "rev": 7,
            "tenants": 3,
            "created_ms": NOW_MS - 5000,
            "fresh_ms": NOW_MS - 2000,
            "source": "http",
            "error": None,
            "failures": 0,
            "age_s": 5.0,
            "fresh_age_s": 2.0,
        },
    )


def test_positions_come_in_pages(edge):
    edge.positions.note((f"t{n}", 0, 17, n) for n in range(3))

    status, first = edge.json("/positions?limit=2")
    _, second = edge.json(f"/positions?limit=2&after={first['after']}")

    assert status == 200
    assert first["positions"][0] == {"tenant": "t0", "stripe": 0, "epoch": 17, "seq": 0}
    assert [row["tenant"] for row in second["positions"]] == ["t2"]
    assert (first["more"], second["more"]) == (True, False)
    assert (second["known"], second["forgotten"]) == (3, 0)


def test_a_page_is_bounded(edge):
    edge.positions.note((f"t{n}", 0, 17, n) for n in range(PAGE_MAX + 5))

    _, page = edge.json("/positions")

    assert (len(page["positions"]), page["more"]) == (PAGE_MAX, True)


def test_positions_of_one_tenant_are_only_its_own(edge):
    edge.positions.note([("t1", 0, 17, 5), ("t2", 0, 17, 6)])

    _, page = edge.json("/positions?tenant=t1")

    assert page["positions"] == [{"tenant": "t1", "stripe": 0, "epoch": 17, "seq": 5}]


def test_passive_health_is_shown_by_cell(edge):
    edge.health.note(1, [CellHealth(cell="aws-1", failures=2, breaker="open")], 100.0)

    _, body = edge.json("/health/cells")

    assert [(cell["cell"], cell["failures"], cell["breaker"]) for cell in body["cells"]] == [
        ("aws-1", 2, "open")
    ]


class Broken:
    def get(self, tenant):
        return 1 / 0


def test_a_bug_is_answered_without_its_text(edge):
    edge.routes = Broken()

    status, headers, body = edge.get("/routes/t1", raises=True)

    assert (status, headers["content-type"]) == (500, "application/problem+json")
    assert json.loads(body)["code"] == "internal"
    assert b"division" not in body


@pytest.mark.parametrize("target", ["/healthz", "/readyz", "/snapshot", "/routes/t1", "/positions"])
def test_no_answer_may_be_cached(edge, target):
    assert edge.get(target)[1]["cache-control"] == "no-store"
