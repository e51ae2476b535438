"""Web Crypto behind the server's rules: whatever the server refuses, the Worker refuses alike."""

import json

import pytest

from cell_router.auth.refused import AuthRefused
from tests.router.auth import forgeries, issuing
from tests.router.worker.edge import (
    ALPHA_EPOCH,
    AUDIENCE,
    ISSUER,
    JSON,
    bearer,
    command,
    served,
)
from tests.router.worker.isolate import Answered, Broken

pytestmark = pytest.mark.xdist_group("worker_isolate")

JWKS_URL = "https://idp.example/jwks"

# The runtime's own header parser never lets these through to a Worker.
_NO_HEADER = {"form: a line break", "form: a NUL", "form: nothing"}
FORGERIES = {name: token for name, token in forgeries.ALL.items() if name not in _NO_HEADER}


def _settings(edge, **issuer):
    listed = {"issuer": ISSUER, "audience": AUDIENCE, "algorithms": ["RS256", "ES256", "EdDSA"]}
    return {"SETTINGS": json.dumps(edge.settings(issuers=[listed | issuer]))}


@pytest.fixture(scope="module")
def forged_at(isolate, edge):
    """Return a Worker that trusts the issuer which the forgeries imitate, at its time."""
    keys = json.loads(issuing.key_set(issuing.ed_key(), issuing.rsa_key(), issuing.ec_key()))

    def begin():
        isolate.begin(
            secrets=edge.secrets(**_settings(edge, jwks=keys)),
            values=edge.snapshot({"T-a": ALPHA_EPOCH}),
        )
        isolate.set_clock(issuing.NOW_S)
        return isolate

    return begin


def test_every_forgery_is_refused_for_the_servers_own_reason(forged_at):
    worker, server = forged_at(), issuing.Edge()
    good = _send(worker, forgeries.GOOD, body=command("T-a"))

    found = {name: _reason(_send(worker, token)) for name, token in FORGERIES.items()}

    expected = {name: _servers_reason(server, token) for name, token in FORGERIES.items()}
    assert good.status == 200
    assert found == expected
    assert len(found) > 100


@pytest.mark.parametrize("algorithm", ["EdDSA", "RS256", "ES256"])
def test_a_token_with_any_byte_changed_is_invalid(isolate, edge, algorithm):
    isolate.begin(secrets=edge.secrets(), values=edge.snapshot({"acme": ALPHA_EPOCH}))
    token = edge.token(algorithm).encode()

    for at in range(0, len(token) - 1, 23):
        changed = bytearray(token)
        changed[at] = ord("A") if changed[at] != ord("A") else ord("B")

        assert _send(isolate, bytes(changed)).status == 401, at


class Issuer:
    """A key set at a URL, and the cell behind the edge."""

    def __init__(self, edge):
        self.answer = Answered(200, json.dumps(edge.jwks()).encode())
        self.asked = 0

    def __call__(self, request):
        if request.url != JWKS_URL:
            return served(request)
        self.asked += 1
        assert request.redirect == "manual"
        return self.answer


@pytest.fixture
def issuer(isolate, edge):
    isolate.begin(
        secrets=edge.secrets(**_settings(edge, jwks_url=JWKS_URL)),
        values=edge.snapshot({"acme": ALPHA_EPOCH}),
    )
    return Issuer(edge)


def test_keys_are_fetched_once_and_kept(isolate, edge, issuer):
    first = _send(isolate, edge.token().encode(), cell=issuer)

    again = _send(isolate, edge.token("RS256").encode(), cell=issuer)

    assert (first.status, again.status, issuer.asked) == (200, 200, 1)


@pytest.mark.parametrize(
    "answer",
    [
        Broken(),
        Answered(500),
        Answered(302, b"", [("location", "https://idp.example/elsewhere")]),
        Answered(200, b"<html>"),
        Answered(200, b" " * (64 * 1024 + 1)),
    ],
    ids=["broken", "failing", "redirecting", "no set", "too large"],
)
def test_without_keys_nothing_is_decided(isolate, edge, issuer, answer):
    issuer.answer = answer

    reply = _send(isolate, edge.token().encode(), cell=issuer)

    assert (reply.status, reply.json["code"]) == (503, "auth_unavailable")
    assert int(reply.headers["retry-after"]) >= 1


def test_keys_that_could_not_be_had_are_asked_for_again(isolate, edge, issuer):
    good, issuer.answer = issuer.answer, Broken()
    _send(isolate, edge.token().encode(), cell=issuer)
    issuer.answer = good
    isolate.move_on(31)

    assert _send(isolate, edge.token(exp=4_000_000_000).encode(), cell=issuer).status == 200


def test_a_new_key_is_fetched_behind_the_answer_and_good_for_the_next(isolate, edge, issuer):
    old = json.loads(issuer.answer.body)
    old["keys"] = [key for key in old["keys"] if key["kid"] != "EdDSA"]
    new, issuer.answer = issuer.answer, Answered(200, json.dumps(old).encode())
    token = edge.token("EdDSA", exp=4_000_000_000).encode()
    _send(isolate, edge.token("RS256").encode(), cell=issuer)
    issuer.answer = new
    isolate.move_on(30)

    first, second = (_send(isolate, token, cell=issuer) for _ in range(2))

    assert (first.status, first.json["code"]) == (401, "credential_invalid")
    assert second.status == 200


def test_a_withdrawn_key_verifies_nothing_any_more(isolate, edge, issuer):
    token = edge.token("EdDSA", exp=4_000_000_000).encode()
    assert _send(isolate, token, cell=issuer).status == 200
    left = json.loads(issuer.answer.body)
    left["keys"] = [key for key in left["keys"] if key["kid"] != "EdDSA"]
    issuer.answer = Answered(200, json.dumps(left).encode())
    isolate.move_on(600)

    _send(isolate, token, cell=issuer)  # Behind this answer the keys are fetched.

    assert _send(isolate, token, cell=issuer).status == 401


def test_stale_keys_serve_for_a_day_and_no_longer(isolate, edge, issuer):
    token = edge.token(exp=4_000_000_000).encode()
    _send(isolate, token, cell=issuer)
    issuer.answer = Broken()

    isolate.move_on(23 * 3600)
    still = _send(isolate, edge.token("RS256", exp=4_000_000_000).encode(), cell=issuer)
    isolate.move_on(3600)
    late = _send(isolate, edge.token("EdDSA", exp=4_000_000_000).encode(), cell=issuer)

    assert still.status == 200
    assert (late.status, late.json["code"]) == (503, "auth_unavailable")


def test_two_credentials_are_nobodys(isolate, edge, issuer):
    reply = isolate.call(
        "POST",
        "/process",
        headers=[JSON, bearer(edge.token()), ("x-api-key", edge.api_key)],
        body=command(),
        cell=issuer,
    )

    assert (reply.status, reply.json["code"]) == (401, "credential_invalid")


def test_no_credential_is_said_to_be_missing(isolate, issuer):
    reply = isolate.call("POST", "/process", headers=[JSON], body=command(), cell=issuer)

    assert (reply.status, reply.json["code"]) == (401, "credential_missing")
    assert "www-authenticate" in reply.headers


def _send(worker, token, *, cell=served, body=None):
    headers = [JSON, ("authorization", b"Bearer ".decode() + token.decode("latin-1"))]
    return worker.call("POST", "/process", headers=headers, body=body or command(), cell=cell)


def _reason(reply):
    (line,) = map(json.loads, reply.logged)
    return reply.json["code"], line["reason"]


def _servers_reason(server, token):
    with pytest.raises(AuthRefused) as refused:
        server.accepts(token)
    return refused.value.code, refused.value.reason
