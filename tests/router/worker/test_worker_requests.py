"""The Worker routes as the server does: same credentials, same registry, same verdicts."""

import itertools
import json

import pytest

from cell_core.wire.registry import TenantRecord
from tests.router.worker.edge import (
    ALPHA,
    ALPHA_EPOCH,
    BETA,
    BETA_EPOCH,
    JSON,
    bearer,
    command,
    refused,
    served,
)
from tests.router.worker.isolate import Answered, Broken, Silent

pytestmark = pytest.mark.xdist_group("worker_isolate")


@pytest.fixture
def worker(isolate, edge):
    isolate.begin(
        secrets=edge.secrets(),
        values=edge.snapshot({"acme": ALPHA_EPOCH, "zeta": BETA_EPOCH}),
    )
    return isolate


def _send(worker, edge, cell, **changed):
    asked = {"headers": [JSON, ("x-api-key", edge.api_key)], "body": command()} | changed
    return worker.call("POST", "/process", cell=cell, **asked)


def test_a_command_reaches_the_cell_that_owns_its_tenants_epoch(worker, edge):
    reply = _send(worker, edge, served)

    assert (reply.status, reply.json) == (200, {"applied": True})
    assert reply.headers["x-cell"] == "aws-alpha"
    assert reply.headers["x-processed-by-cloud"] == "aws"
    (sent,) = reply.sent
    assert sent.url == f"{ALPHA.base_url}/process"
    assert sent.headers["x-tenant-id"] == "acme"
    assert sent.headers["x-tenant-epoch"] == str(ALPHA_EPOCH)
    assert sent.body == command()
    assert reply.logged == []


@pytest.mark.parametrize(
    ("tenant", "cell", "epoch"), [("acme", ALPHA, ALPHA_EPOCH), ("zeta", BETA, BETA_EPOCH)]
)
def test_a_grant_signed_by_web_crypto_is_one_that_cells_accept(worker, edge, tenant, cell, epoch):
    reply = _send(worker, edge, served, body=command(tenant))

    grant = edge.grant(reply.sent[0], cell)
    assert (grant.issuer, grant.audience, grant.tenant) == ("edge", cell.id, tenant)
    assert (grant.epoch, grant.scope) == (epoch, "tenant")
    assert 20 <= grant.expires_s - grant.issued_s <= 30


def test_a_standby_s_grant_is_one_that_the_standby_accepts_and_is_signed_once(isolate, edge):
    guarded = TenantRecord(tenant="acme", epoch=ALPHA_EPOCH, standby=BETA.ordinal, ack="refuse")
    isolate.begin(secrets=edge.secrets(), values=edge.snapshot({}, records=[guarded]))

    first, again = (_send(isolate, edge, served).sent[0] for _ in range(2))

    grant = edge.grant(first, BETA, "x-cell-standby-grant")
    assert (grant.audience, grant.tenant, grant.epoch) == (BETA.id, "acme", ALPHA_EPOCH)
    assert grant.scope == "replicate"
    assert edge.grant(first, ALPHA).scope == "tenant"
    assert first.headers["x-cell-standby"] == BETA.base_url
    assert again.headers["x-cell-standby-grant"] == first.headers["x-cell-standby-grant"]


def test_a_grant_is_signed_once_and_used_again(worker, edge):
    first = _send(worker, edge, served).sent[0].headers["x-cell-grant"]

    again = _send(worker, edge, served).sent[0].headers["x-cell-grant"]

    assert again == first


@pytest.mark.parametrize("algorithm", ["RS256", "ES256", "EdDSA"])
def test_a_token_is_verified_by_web_crypto(worker, edge, algorithm):
    reply = _send(worker, edge, served, headers=[JSON, bearer(edge.token(algorithm))])

    assert reply.status == 200


@pytest.mark.parametrize("algorithm", ["RS256", "ES256", "EdDSA"])
def test_a_token_signed_by_another_key_is_refused(worker, edge, algorithm):
    head, body, _ = edge.token(algorithm).split(".")
    _, _, foreign = type(edge)().token(algorithm).split(".")

    reply = _send(worker, edge, served, headers=[JSON, bearer(f"{head}.{body}.{foreign}")])

    assert (reply.status, reply.json["code"]) == (401, "credential_invalid")
    assert reply.sent == []


def test_a_token_refused_once_is_refused_again(worker, edge):
    headers = [JSON, bearer(edge.token()[:-4] + "AAAA")]
    _send(worker, edge, served, headers=headers)

    reply = _send(worker, edge, served, headers=headers)

    assert (reply.status, reply.json["code"]) == (401, "credential_invalid")


def test_an_expired_token_says_so(worker, edge):
    reply = _send(worker, edge, served, headers=[JSON, bearer(edge.token(exp=1))])

    assert (reply.status, reply.json["code"]) == (401, "credential_expired")


def test_a_token_of_one_tenant_does_not_open_another(worker, edge):
    headers = [JSON, bearer(edge.token(tenant="zeta"))]

    reply = _send(worker, edge, served, headers=headers)

    assert (reply.status, reply.json["code"]) == (403, "tenant_forbidden")
    assert reply.sent == []


def test_a_read_takes_its_tenant_from_the_path(worker, edge):
    reply = worker.call(
        "GET",
        "/v1/tenants/acme/ledger/main?limit=5",
        headers=[bearer(edge.token())],
        cell=served,
    )

    assert reply.status == 200
    assert reply.sent[0].url == f"{ALPHA.base_url}/v1/tenants/acme/ledger/main?limit=5"
    assert (reply.sent[0].method, reply.sent[0].body) == ("GET", b"")


def test_fields_of_the_edge_that_a_client_forges_end_there(worker, edge):
    forged = [
        ("x-cell-grant", "forged"),
        ("x-tenant-epoch", "999"),
        ("x-forwarded-for", "10.0.0.1"),
        ("cookie", "a=b"),
    ]

    reply = _send(worker, edge, served, headers=[JSON, ("x-api-key", edge.api_key), *forged])

    sent = reply.sent[0].headers
    assert sent["x-cell-grant"] != "forged"
    assert sent["x-tenant-epoch"] == str(ALPHA_EPOCH)
    assert sent.keys().isdisjoint({"x-forwarded-for", "cookie", "x-api-key", "authorization"})


def test_fields_of_a_cell_that_are_not_listed_end_at_the_edge(worker, edge):
    answer = Answered(200, b"{}", [("set-cookie", "a=b"), ("server", "x"), ("etag", '"1"')])

    reply = _send(worker, edge, lambda _request: answer)

    assert reply.headers["etag"] == '"1"'
    assert reply.headers.keys().isdisjoint({"set-cookie", "server"})


def test_a_redirect_of_a_cell_is_neither_followed_nor_passed_on(worker, edge):
    answer = Answered(302, b"", [("location", "http://169.254.169.254/")])

    reply = _send(worker, edge, lambda _request: answer)

    assert (reply.status, reply.json["code"]) == (502, "upstream_invalid")
    assert [sent.redirect for sent in reply.sent] == ["manual"]


def test_a_broken_subrequest_is_sent_again_with_the_same_command_id(worker, edge):
    outcomes = iter([Broken(), Broken()])

    reply = _send(
        worker,
        edge,
        lambda request: next(outcomes, None) or served(request),
        body=json.dumps({"tenant_id": "acme"}).encode(),
    )

    assert reply.status == 200
    ids = {json.loads(sent.body)["command_id"] for sent in reply.sent}
    assert len(reply.sent) == 3
    assert ids == {reply.headers["x-command-id"]}


def test_a_cell_that_never_answers_ends_with_the_deadline_in_doubt(worker, edge):
    headers = [JSON, ("x-api-key", edge.api_key), ("x-deadline-ms", "150")]

    reply = _send(worker, edge, lambda _request: Silent(), headers=headers)

    assert (reply.status, reply.json["code"]) == (504, "outcome_unknown")
    assert len(reply.sent) == 1


def test_an_answer_larger_than_6_mib_is_refused(worker, edge):
    answer = Answered(200, b"x" * (6 * 1024 * 1024 + 1), [("content-type", "application/json")])

    reply = _send(worker, edge, lambda _request: answer)

    # Sent again as far as the budgets allow; what came last decides between the two.
    assert reply.json["code"] in {"upstream_invalid", "outcome_unknown"}
    assert len({sent.body for sent in reply.sent}) == 1


def test_a_frozen_tenant_is_held_and_then_served(worker, edge):
    answers = itertools.chain([refused(503, "frozen"), refused(503, "frozen")])

    reply = _send(worker, edge, lambda request: next(answers, None) or served(request))

    assert reply.status == 200
    assert len(reply.sent) == 3


def test_a_cell_behind_its_tenants_epoch_is_asked_again(worker, edge):
    answers = iter([refused(409, "epoch_behind")])

    reply = _send(worker, edge, lambda request: next(answers, None) or served(request))

    assert reply.status == 200
    assert len(reply.sent) == 2


def test_a_grant_is_renewed_five_seconds_before_its_end(worker, edge):
    first = _send(worker, edge, served).sent[0].headers["x-cell-grant"]
    worker.move_on(26)

    again = _send(worker, edge, served).sent[0].headers["x-cell-grant"]

    assert again != first


def test_a_grant_that_a_cell_found_expired_is_signed_anew(worker, edge):
    answers = iter([refused(401, "grant_expired")])

    reply = _send(worker, edge, lambda request: next(answers, None) or served(request))

    assert reply.status == 200
    first, second = (sent.headers["x-cell-grant"] for sent in reply.sent)
    assert first != second


def test_a_body_of_64_kib_passes_and_one_byte_more_does_not(worker, edge):
    bare = len(command(note=""))
    fitting = command(note="x" * (64 * 1024 - bare))

    assert _send(worker, edge, served, body=fitting).status == 200
    reply = _send(worker, edge, served, body=fitting + b" ")

    assert (reply.status, reply.json["code"]) == (413, "payload_too_large")
    assert reply.json["limit_bytes"] == 64 * 1024
    assert reply.sent == []


def test_a_target_longer_than_2_kib_is_refused(worker, edge):
    reply = worker.call("GET", "/v1/tenants/acme?x=" + "y" * 2048)

    assert (reply.status, reply.json["code"]) == (414, "target_too_long")


def test_the_clients_own_request_id_goes_all_the_way(worker, edge):
    headers = [JSON, ("x-api-key", edge.api_key), ("x-request-id", "r-77")]

    reply = _send(worker, edge, served, headers=headers)

    assert reply.headers["x-request-id"] == "r-77"
    assert reply.sent[0].headers["x-request-id"] == "r-77"


def test_a_failure_is_logged_in_one_line_without_a_secret(worker, edge):
    token = edge.token(exp=1)

    reply = _send(worker, edge, served, headers=[JSON, bearer(token)])

    (line,) = map(json.loads, reply.logged)
    assert (line["status"], line["code"]) == (401, "credential_expired")
    assert line["request"] == reply.headers["x-request-id"]
    assert token not in reply.logged[0]


def test_a_cell_outside_the_allowed_hosts_is_never_asked(isolate, edge):
    settings = json.dumps(edge.settings(host_suffixes=[".azurewebsites.net"]))
    isolate.begin(
        secrets=edge.secrets(SETTINGS=settings), values=edge.snapshot({"acme": ALPHA_EPOCH})
    )

    reply = _send(isolate, edge, served)

    assert (reply.status, reply.json["code"]) == (503, "cell_unavailable")
    assert reply.sent == []
