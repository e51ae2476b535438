"""KV is a cache: what it says is verified, what it does not say is remembered or repaired."""

import dataclasses
import json

import pytest

from cell_core.wire.registry import Change, GroupRecord, TenantRecord, cell_text
from cell_router.shell_worker_kv import CHANGES_KEY, HEAD_KEY, chunk_key, tenant_key
from tests.router.worker.edge import (
    ALPHA,
    ALPHA_EPOCH,
    BETA,
    BETA_EPOCH,
    JSON,
    Edge,
    command,
    refused,
    served,
)

pytestmark = pytest.mark.xdist_group("worker_isolate")


@pytest.fixture
def begin(isolate, edge):
    def begin(*values):
        held = {key: value for part in values for key, value in part.items()}
        isolate.begin(secrets=edge.secrets(), values=held)
        return isolate

    return begin


def _send(worker, edge, cell=served, tenant="acme"):
    headers = [JSON, ("x-api-key", edge.api_key)]
    reply = worker.call("POST", "/process", headers=headers, body=command(tenant), cell=cell)
    assert reply.status != 500, reply.logged
    return reply


def test_without_kv_nobody_is_served_and_everybody_may_come_again(isolate, edge, begin):
    begin()
    isolate.put(down=True)

    reply = _send(isolate, edge)

    assert (reply.status, reply.json["code"]) == (503, "registry_unavailable")
    assert int(reply.headers["retry-after"]) >= 1
    assert reply.sent == []


def test_kv_that_comes_back_is_used_at_once(isolate, edge, begin):
    begin(edge.snapshot({"acme": ALPHA_EPOCH}))
    isolate.put(down=True)
    _send(isolate, edge)
    isolate.put(down=False)

    assert _send(isolate, edge).status == 200


def test_a_tenant_that_was_read_is_served_without_kv(isolate, edge, begin):
    begin(edge.snapshot({"acme": ALPHA_EPOCH, "zeta": BETA_EPOCH}))
    _send(isolate, edge)
    isolate.put(down=True)

    reply = _send(isolate, edge)

    assert reply.status == 200
    # Another one cannot be found now; it is not said to be unknown.
    assert _send(isolate, edge, tenant="omega").json["code"] == "registry_unavailable"


def test_a_known_tenant_costs_no_kv_read(isolate, edge, begin):
    begin(edge.snapshot({"acme": ALPHA_EPOCH}))
    _send(isolate, edge)
    isolate.put()

    _send(isolate, edge)

    assert isolate.put() == []


def test_a_second_tenant_of_the_same_chunk_costs_one_read(isolate, edge, begin):
    begin(edge.snapshot({"acme": ALPHA_EPOCH, "zeta": BETA_EPOCH}))
    _send(isolate, edge)
    isolate.put()

    _send(isolate, edge, tenant="zeta")

    assert isolate.put() == [tenant_key("zeta")]


def test_an_unknown_tenant_is_asked_for_once_in_a_while(isolate, edge, begin):
    begin(edge.snapshot({"acme": ALPHA_EPOCH}))
    first = _send(isolate, edge, tenant="nobody")
    isolate.put()

    again = _send(isolate, edge, tenant="nobody")

    assert [first.status, again.status] == [404, 404]
    assert first.json["code"] == "tenant_not_found"
    assert isolate.put() == []


def test_a_stale_registry_is_repaired_by_a_421_within_the_request(isolate, edge, begin):
    begin(edge.snapshot({"acme": ALPHA_EPOCH}))
    newer = BETA_EPOCH + 16

    def cells(request):
        if request.url.startswith(ALPHA.base_url):
            return refused(421, "moved", x_tenant_epoch=str(newer))
        return served(request, epoch=newer)

    reply = _send(isolate, edge, cells)

    assert (reply.status, reply.headers["x-cell"]) == (200, BETA.id)
    assert [sent.headers["x-tenant-epoch"] for sent in reply.sent] == [
        str(ALPHA_EPOCH),
        str(newer),
    ]
    assert edge.grant(reply.sent[1], BETA).epoch == newer


def test_what_a_421_has_taught_outlives_the_request(isolate, edge, begin):
    begin(edge.snapshot({"acme": ALPHA_EPOCH}))
    moved = iter([refused(421, "moved", x_tenant_epoch=str(BETA_EPOCH))])
    _send(isolate, edge, lambda request: next(moved, None) or served(request))

    reply = _send(isolate, edge)

    assert [sent.url for sent in reply.sent] == [f"{BETA.base_url}/process"]


def test_a_421_with_an_older_epoch_moves_nothing(isolate, edge, begin):
    begin(edge.snapshot({"acme": ALPHA_EPOCH}))
    answers = iter([refused(421, "moved", x_tenant_epoch="2")])

    reply = _send(isolate, edge, lambda request: next(answers, None) or served(request))

    assert reply.status == 200
    assert {sent.url for sent in reply.sent} == {f"{ALPHA.base_url}/process"}


def test_a_tenants_own_key_is_newer_than_the_snapshot(isolate, edge, begin):
    newest = Change(rev=5, kind="tenant", key="acme", value=str(BETA_EPOCH))
    begin(edge.snapshot({"acme": ALPHA_EPOCH}), edge.changes(newest))

    reply = _send(isolate, edge)

    assert reply.headers["x-cell"] == BETA.id


def test_a_tenants_own_key_older_than_the_snapshot_is_passed_over(isolate, edge, begin):
    older = Change(rev=5, kind="tenant", key="acme", value=str(ALPHA_EPOCH))
    begin(edge.snapshot({"acme": BETA_EPOCH}, rev=6), edge.changes(older))

    reply = _send(isolate, edge)

    assert reply.headers["x-cell"] == BETA.id


def test_a_tenant_that_is_new_since_the_snapshot_is_found(isolate, edge, begin):
    newest = Change(rev=5, kind="tenant", key="newcomer", value=str(BETA_EPOCH))
    begin(edge.snapshot({"acme": ALPHA_EPOCH}), edge.changes(newest))

    assert _send(isolate, edge, tenant="newcomer").headers["x-cell"] == BETA.id


def test_a_tenant_whose_own_key_says_that_it_is_gone_is_unknown(isolate, edge, begin):
    gone = Change(rev=5, kind="tenant", key="acme", value=None)
    begin(edge.snapshot({"acme": ALPHA_EPOCH}), edge.changes(gone))

    assert _send(isolate, edge).json["code"] == "tenant_not_found"


def test_one_tenants_key_says_nothing_of_another(isolate, edge, begin):
    foreign = edge.changes(Change(rev=5, kind="tenant", key="zeta", value=str(BETA_EPOCH)))
    moved = {tenant_key("acme"): foreign[tenant_key("zeta")]}
    begin(edge.snapshot({"acme": ALPHA_EPOCH}), moved)

    reply = _send(isolate, edge)

    assert reply.headers["x-cell"] == ALPHA.id
    assert json.loads(reply.logged[0])["event"] == "registry_refused"


def test_a_placement_group_that_moved_takes_its_tenants_along(isolate, edge, begin):
    member = TenantRecord(tenant="acme", epoch=ALPHA_EPOCH, group="g1")
    snapshot = edge.snapshot({}, records=[member], groups=[GroupRecord(group="g1", epoch=1)])
    evacuated = Change(rev=7, kind="group", key="g1", value=str(BETA_EPOCH))
    begin(snapshot, edge.changes(evacuated, after=1))

    assert _send(isolate, edge).headers["x-cell"] == BETA.id


def test_a_cell_with_a_new_address_is_reached_there(isolate, edge, begin):
    moved = dataclasses.replace(ALPHA, base_url="https://alpha2.lambda-url.on.aws")
    change = Change(rev=7, kind="cell", key="1", value=cell_text(moved))
    begin(edge.snapshot({"acme": ALPHA_EPOCH}), edge.changes(change, after=1))

    assert _send(isolate, edge).sent[0].url == f"{moved.base_url}/process"


def test_changes_that_leave_a_gap_behind_the_head_are_passed_over(isolate, edge, begin):
    change = Change(rev=9, kind="group", key="g1", value=str(BETA_EPOCH))
    begin(edge.snapshot({"acme": ALPHA_EPOCH}, rev=3), edge.changes(change, after=8))

    reply = _send(isolate, edge)

    assert reply.headers["x-cell"] == ALPHA.id
    assert json.loads(reply.logged[0])["reason"] == "registry_too_old"


def test_a_head_that_nobody_trusted_has_signed_is_none(isolate, edge, begin):
    begin(Edge().snapshot({"acme": ALPHA_EPOCH}))

    reply = _send(isolate, edge)

    assert (reply.status, reply.json["code"]) == (503, "registry_unavailable")


@pytest.mark.parametrize("at", [20, -40])
def test_a_head_with_one_byte_changed_is_none(isolate, edge, begin, at):
    values = edge.snapshot({"acme": ALPHA_EPOCH})
    head = bytearray(values[HEAD_KEY])
    head[at] ^= 1

    begin(values, {HEAD_KEY: bytes(head)})

    assert _send(isolate, edge).json["code"] == "registry_unavailable"


def test_a_chunk_that_is_not_the_one_named_serves_nobody(isolate, edge, begin):
    values = edge.snapshot({"acme": ALPHA_EPOCH})
    (chunk,) = (key for key in values if key.startswith(chunk_key("")))
    other = edge.snapshot({"acme": BETA_EPOCH})
    (foreign,) = (value for key, value in other.items() if key.startswith(chunk_key("")))

    begin(values, {chunk: foreign})

    assert _send(isolate, edge).json["code"] == "registry_unavailable"


def test_a_head_that_came_before_its_chunk_serves_once_that_is_there(isolate, edge, begin):
    values = edge.snapshot({"acme": ALPHA_EPOCH})
    begin({HEAD_KEY: values[HEAD_KEY]})

    early = _send(isolate, edge)
    isolate.put(values)

    assert early.json["code"] == "registry_unavailable"
    assert _send(isolate, edge).status == 200


def test_a_blocked_tenant_is_told_so(isolate, edge, begin):
    record = TenantRecord(tenant="acme", epoch=ALPHA_EPOCH, status="blocked")
    begin(edge.snapshot({}, records=[record]))

    reply = _send(isolate, edge)

    assert (reply.status, reply.json["code"]) == (503, "tenant_blocked")
    assert reply.sent == []


def test_a_tenant_whose_cell_nobody_describes_goes_nowhere(isolate, edge, begin):
    begin(edge.snapshot({"acme": 19}))

    reply = _send(isolate, edge)

    assert (reply.status, reply.json["code"]) == (503, "registry_unavailable")
    assert reply.sent == []


def test_unchanged_chunks_keep_their_keys_from_one_snapshot_to_the_next(edge):
    one = edge.snapshot({"acme": ALPHA_EPOCH}, rev=1)
    two = edge.snapshot({"acme": ALPHA_EPOCH}, rev=2)

    assert one.keys() == two.keys()
    assert one[HEAD_KEY] != two[HEAD_KEY]
    assert list(one)[-1] == HEAD_KEY
    assert CHANGES_KEY not in one


def test_a_route_read_long_ago_serves_once_more_and_is_read_behind_the_answer(isolate, edge, begin):
    begin(edge.snapshot({"acme": ALPHA_EPOCH}))
    _send(isolate, edge)
    isolate.put(edge.snapshot({"acme": BETA_EPOCH}, rev=2))
    isolate.move_on(61)

    replies = [_send(isolate, edge) for _ in range(2)]

    assert [reply.headers["x-cell"] for reply in replies] == [ALPHA.id, BETA.id]
