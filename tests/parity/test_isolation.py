"""Two tenants with the same ids everywhere: nothing that one sends shows or changes the other."""

import base64
from collections.abc import Iterator
from dataclasses import replace
from typing import Any, Final

import pytest

from cell_core.memory import MemoryBackend, MemoryCellStore
from tests.parity.cell import Played, signed, state
from tests.parity.description import Description
from tests.parity.drivers import DirectDriver
from tests.parity.steps import (
    CONTROL,
    EPOCH,
    START_MS,
    Permit,
    Step,
    commands,
    control,
    get,
    post,
    provision,
)

VICTIM: Final = "T-a"
OTHERS: Final = ("T-b", "T-a1", "T-a.b", "t-a")
"""Strangers, with names that begin with the victim's, or differ in case only."""

MARK: Final = "victims-own"
"""Is in every value of the victim's, and in nobody else's."""

_STREAM: Final = "/v1/tenants/{tenant}/domains/{domain}/streams/main"
_READS: Final = ("", "/entities", "/entities/{entity}", "/events", "/views/trial_balance")
_ENTITIES: Final = {"records": "record.r", "ledger": "account.alice", "orders": "order.o"}
_HASH: Final = "0" * 64
_CONTROLS: Final = {
    "provision": {"epoch": EPOCH},
    "freeze": {"epoch": EPOCH, "op": MARK[:7]},
    "activate": {"epoch": EPOCH + 16, "mode": "forced"},
    "seal": {"epoch": EPOCH + 1, "home_hint": "c"},
    "fence-off": {"epoch": EPOCH + 1, "home_hint": "c"},
    "truncate": {"stripe": 0, "epoch": EPOCH, "seq": 0, "chain": _HASH},
    "drop": {"epoch": EPOCH},
    "stripes/0/apply": {"epoch": EPOCH, "entries": ["{}"]},
    "stripes/0/import": {"documents": [{"key": "ENT:a:b:c", "version": 1, "body": "{}"}]},
    "stripes/0/orphans": {"entries": ["{}"]},
}
_EXPORTS: Final = ("journal", "entities", "idempotency", "orphans", "digest")


def _commands(tenant: str, mark: str) -> Iterator[Step]:
    yield provision(tenant)
    ledger, records = commands(tenant, "ledger"), commands(tenant, "records")
    name = f"{tenant}.{{}}".format
    both = {"debit": "alice", "credit": "bob", "amount": "7"}
    yield ledger(name("alice"), "open_account", {"account": "alice"}, command_id="c1")
    yield ledger(name("bob"), "open_account", {"account": "bob"}, command_id="c2")
    yield ledger(name("pay"), "transfer", {**both, "memo": mark}, command_id="c3")
    yield records(name("r"), "put", {"id": "r", "value": mark}, command_id="c4")
    item = {"order": "o", "item": mark, "count": 1}
    yield commands(tenant, "orders")(name("o"), "add_item", item, command_id="c5")


SETUP: Final = (
    *_commands(VICTIM, MARK),
    *(step for tenant in OTHERS for step in _commands(tenant, "own")),
    provision("T-standby", role="standby"),
    control(VICTIM)("victim.journal", "/stripes/0/journal"),
    get(
        "victim.cursor",
        "/v1/tenants/T-a/domains/ledger/streams/main/entities?limit=1",
        permit=Permit(tenant=VICTIM),
    ),
    get(
        "victim.past",
        "/v1/tenants/T-a/domains/ledger/streams/main/events?limit=1",
        permit=Permit(tenant=VICTIM),
    ),
)


class Bench:
    """A cell in which all tenants live, and what the victim has there."""

    def __init__(self) -> None:
        self.backend = MemoryBackend()
        self.cell = Played(MemoryCellStore(self.backend), DirectDriver).play(SETUP)
        assert {answer.status for answer in self.cell.answers.values()} == {200}
        self.before = self.victim()

    def victim(self) -> Any:
        return state(self.backend)[f"{VICTIM}/00"]


@pytest.fixture(scope="module")
def bench() -> Bench:
    return Bench()


def _victims_paths() -> Iterator[Step]:
    """Yield every operation on the victim."""
    for domain, entity in _ENTITIES.items():
        for rest in _READS:
            path = f"{_STREAM}{rest}".format(tenant=VICTIM, domain=domain, entity=entity)
            yield get(f"GET {path}", path, 403, "grant_tenant")
    yield get("GET fences", f"/v1/control/tenants/{VICTIM}", 403, "grant_tenant")
    for what in _EXPORTS:
        path = f"/v1/control/tenants/{VICTIM}/stripes/0/{what}"
        yield get(f"GET {what}", path, 403, "grant_tenant")
    for call, body in _CONTROLS.items():
        path = f"/v1/control/tenants/{VICTIM}/{call}"
        yield post(f"POST {call}", path, body, 403, "grant_tenant")
    for path in ("/process", "/v1/commands"):
        yield post(f"POST {path}", path, _envelope(VICTIM), 403, "grant_tenant")


def _envelope(tenant: str, command_id: str = "new") -> dict[str, object]:
    return {
        "tenant_id": tenant,
        "domain": "records",
        "command": "put",
        "command_id": command_id,
        "data": {"id": "r", "value": "overwritten"},
    }


def _for(step: Step, tenant: str) -> Permit:
    scope = "control" if "/control/" in step.path else "tenant"
    return Permit(tenant=tenant, scope=scope, epoch=EPOCH if scope == "tenant" else 0)


def _own(step: Step, tenant: str) -> Step:
    """Return `step` on `tenant` itself."""
    path = step.path.replace(f"/tenants/{VICTIM}", f"/tenants/{tenant}")
    body = {**step.body, "tenant_id": tenant} if "tenant_id" in (step.body or {}) else step.body
    return replace(step, path=path, body=body)


def check(bench: Bench, step: Step, *refusals: str) -> None:
    answer = bench.cell.play([step]).answers[step.name]

    assert MARK.encode() not in answer.body
    assert bench.victim() == bench.before
    if refusals:
        assert answer.json().get("code") in refusals, answer


_OPERATIONS: Final = tuple(_victims_paths())
each_operation = pytest.mark.parametrize("step", _OPERATIONS, ids=lambda step: step.name)
each_tenant = pytest.mark.parametrize("tenant", OTHERS)


@each_tenant
@each_operation
def test_the_victim_in_the_path_or_body_is_refused(bench, step, tenant):
    check(bench, replace(step, permit=_for(step, tenant)), "grant_tenant")


@each_tenant
@each_operation
def test_the_victim_in_the_header_is_refused(bench, step, tenant):
    own = _own(step, tenant)
    headers = {**own.headers, "x-tenant-id": VICTIM}

    check(bench, replace(own, headers=headers, permit=_for(step, tenant)), "grant_tenant")


@each_operation
def test_both_tenants_in_the_header_are_refused(bench, step):
    for header in (f"{VICTIM},T-b", f"T-b,{VICTIM}", f"{VICTIM}, T-b"):
        headers = {**step.headers, "x-tenant-id": header}

        check(bench, replace(step, headers=headers, permit=_for(step, "T-b")), "grant_tenant")


@each_operation
def test_the_victim_in_the_query_is_refused(bench, step):
    own = _own(step, "T-b")
    for query in (f"tenant={VICTIM}", f"tenant_id={VICTIM}", f"after={VICTIM}/00:x"):
        refused = replace(own, query=query, permit=_for(step, "T-b"))

        check(bench, refused, "invalid_query")


@each_operation
def test_the_victim_s_grant_beside_one_s_own_opens_one_tenant_only(bench, step):
    own = _for(step, "T-b")
    theirs = signed(_for(step, VICTIM), START_MS // 1000)
    mixed = replace(_own(step, "T-b"), permit=own, headers={**step.headers, "x-cell-grant": theirs})

    check(bench, mixed, "grant_tenant")


@each_operation
def test_a_grant_of_the_other_scope_opens_nothing(bench, step):
    own = _for(step, VICTIM)
    scope = "tenant" if own.scope == "control" else "control"

    check(bench, replace(step, permit=replace(own, scope=scope)), "grant_scope")


@pytest.mark.parametrize("what", _EXPORTS)
def test_one_s_own_export_shows_nothing_of_the_victim_s(bench, what):
    for after in ("", "&after=" + _cursor(f"{VICTIM}/00"), "&after=" + _cursor("ENT:")):
        path = f"/v1/control/tenants/T-b/stripes/0/{what}?limit=1000{after}"

        check(bench, get(f"own {what}{after}", path, permit=CONTROL))


@each_tenant
@pytest.mark.parametrize("domain", _ENTITIES)
@pytest.mark.parametrize("rest", _READS)
def test_one_s_own_reads_show_nothing_of_the_victim_s(bench, tenant, domain, rest):
    path = f"{_STREAM}{rest}".format(tenant=tenant, domain=domain, entity=_ENTITIES[domain])

    check(bench, get(path, path, permit=Permit(tenant=tenant)))


@each_tenant
@pytest.mark.parametrize("page", ["entities", "events"])
def test_the_victim_s_cursor_leads_through_one_s_own_pages_only(bench, tenant, page):
    taken = {"entities": "<<victim.cursor#/after>>", "events": "<<victim.past#/after>>"}[page]
    made = ("../T-a", "/T-a/00", "ENT:ledger:main:account", "record.r:", "~", "LOG:", "FENCE")
    base = f"/v1/tenants/{tenant}/domains/ledger/streams/main/{page}?after="
    for cursor in (taken, *map(_cursor, made)):
        check(bench, get(f"{page}.{cursor}", f"{base}{cursor}", permit=Permit(tenant=tenant)))


def test_the_victim_s_command_id_is_free_for_others(bench):
    step = post("same id", "/process", _envelope("T-b", "c4"), permit=Permit(tenant="T-b"))

    # It was used by T-b itself, for another value.
    check(bench, step, "command_id_reused")


def test_a_member_of_a_bundle_on_the_victim_is_refused_alone(bench):
    envelopes = [_envelope("T-b", "b1"), _envelope(VICTIM, "b2"), _envelope("T-b", "b3")]
    step = post("mixed", "/v1/bundle", {"envelopes": envelopes}, permit=Permit(tenant="T-b"))

    check(bench, step)

    results = bench.cell.answers["mixed"].json()["results"]
    assert [result["status"] for result in results] == [200, 403, 200]


@pytest.mark.parametrize("call", ["apply", "import", "orphans"])
def test_the_victim_s_journal_cannot_be_planted_in_another_tenant(bench, call):
    document = "<<victim.journal#/documents/0{}>>".format
    body = {
        "apply": {"epoch": EPOCH, "entries": [document("/body")]},
        "import": {
            "documents": [
                {
                    "key": document("/key"),
                    "version": document("/version"),
                    "body": document("/body"),
                }
            ]
        },
        "orphans": {"entries": [document("/body")]},
    }[call]
    tenant = "T-b" if call == "orphans" else "T-standby"
    path = f"/v1/control/tenants/{tenant}/stripes/0/{call}"

    check(bench, post(f"planted {call}", path, body, permit=CONTROL), "invalid_data")


def test_an_unknown_tenant_is_answered_like_the_victim_to_a_stranger(bench):
    path = "/v1/tenants/{}/domains/records/streams/main".format
    steps = [get(name, path(name), permit=Permit(tenant="T-b")) for name in (VICTIM, "T-nobody")]

    there, nowhere = bench.cell.play(steps).answers[VICTIM], bench.cell.answers["T-nobody"]

    assert (there.status, there.body) == (nowhere.status, nowhere.body)


def test_the_victim_was_tried_at_every_operation_that_names_a_tenant(bench):
    strangers = [replace(step, permit=_for(step, "T-b")) for step in _OPERATIONS]
    played = bench.cell.play([get("description", "/openapi.json"), *strangers])
    description = Description(played.answers["description"].json())

    tried = {description.find(played.requests[step.name]).id for step in _OPERATIONS}
    open_to_all = {"healthz", "readyz", "openapi", "tenants", "bundle"}

    assert {operation.id for operation in description.operations} - open_to_all == tried


def _cursor(point: str) -> str:
    return base64.urlsafe_b64encode(point.encode()).decode().rstrip("=")
