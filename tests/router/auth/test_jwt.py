"""Tokens that are right are taken; what each claim must say."""

import pytest

from cell_router.auth.refused import AuthRefused
from tests.router.auth.issuing import (
    AUDIENCE,
    ISSUER,
    NOW_S,
    Edge,
    Key,
    bearer,
    ec_key,
    ed_key,
    headed,
    rsa_key,
    token,
)


@pytest.fixture(scope="module")
def edge() -> Edge:
    return Edge()


def refusal(edge: Edge, credential: bytes) -> tuple[str, str]:
    with pytest.raises(AuthRefused) as error:
        edge.accepts(credential)
    return error.value.code, error.value.reason


@pytest.mark.parametrize("key", [ed_key(), rsa_key(), ec_key()], ids=["Ed25519", "RSA", "P-256"])
def test_a_token_of_each_kind_of_key_is_taken(edge: Edge, key: Key):
    found = edge.accepts(token(key))

    assert (found.id, found.tenant) == (f"jwt:{ISSUER}#alice", "T-a")
    assert found.scopes == {"read", "write"}
    assert found.expires_s == NOW_S + 3600 + 30


@pytest.mark.parametrize("scheme", [b"Bearer ", b"bearer ", b"BEARER "])
def test_the_scheme_is_bearer_in_any_case(edge: Edge, scheme: bytes):
    found = edge.authenticator.authenticate(scheme + token(), None, NOW_S)

    assert found.tenant == "T-a"


@pytest.mark.parametrize(
    "header", [b"", b"Bearer", b"Basic YTpi", b"Token x", b" Bearer x", b"Bearer\tx"]
)
def test_another_scheme_is_refused(edge: Edge, header: bytes):
    with pytest.raises(AuthRefused) as error:
        edge.authenticator.authenticate(header, None, NOW_S)

    assert (error.value.code, error.value.reason) == ("credential_invalid", "scheme_refused")


@pytest.mark.parametrize("spacing", [b"Bearer  %s", b"Bearer %s ", b"Bearer %s, Bearer %s"])
def test_a_header_with_more_than_one_token_in_its_place_is_refused(edge: Edge, spacing: bytes):
    header = spacing.replace(b"%s", token())

    with pytest.raises(AuthRefused) as error:
        edge.authenticator.authenticate(header, None, NOW_S)

    assert error.value.code == "credential_invalid"


def test_no_credential_is_missing(edge: Edge):
    with pytest.raises(AuthRefused) as error:
        edge.authenticator.authenticate(None, None, NOW_S)

    assert (error.value.code, error.value.reason) == ("credential_missing", "no_credential")


def test_two_credentials_are_refused_even_if_both_would_do_and_one_is_remembered(edge: Edge):
    edge.accepts(token())

    with pytest.raises(AuthRefused) as error:
        edge.authenticator.authenticate(bearer(token()), token(), NOW_S)

    assert error.value.reason == "two_credentials"


# ── Time ────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("seen", [False, True], ids=["first seen", "remembered"])
@pytest.mark.parametrize("leeway_s", [0, 30])
def test_a_token_expires_exactly_at_its_end_and_the_leeway_remembered_or_not(leeway_s, seen):
    edge, credential = Edge(leeway_s=leeway_s), token(exp=NOW_S + 100)
    if seen:
        edge.accepts(credential)

    edge.now_s = NOW_S + 100 + leeway_s - 1
    assert edge.accepts(credential).tenant == "T-a"
    edge.now_s += 1

    for _ in range(2):
        assert refusal(edge, credential) == ("credential_expired", "token_expired")


def test_an_expired_token_is_no_longer_remembered():
    edge, credential = Edge(), token(exp=NOW_S + 1)
    edge.accepts(credential)
    edge.now_s += 100

    refusal(edge, credential)

    assert len(edge.authenticator) == 0


def test_an_expiry_may_have_a_fraction():
    edge, credential = Edge(leeway_s=0), token(exp=NOW_S + 0.5)

    assert edge.accepts(credential).expires_s == NOW_S + 0.5
    edge.now_s += 1
    assert refusal(edge, credential)[0] == "credential_expired"


@pytest.mark.parametrize("claim", ["nbf", "iat"])
def test_a_token_begins_exactly_a_leeway_before_its_beginning(edge: Edge, claim: str):
    assert edge.accepts(token(**{claim: NOW_S + 30})).tenant == "T-a"
    assert refusal(edge, token(**{claim: NOW_S + 31})) == ("credential_invalid", "not_yet_valid")


def test_a_token_needs_no_beginning(edge: Edge):
    assert edge.accepts(token(nbf=..., iat=...)).tenant == "T-a"


# ── For whom ────────────────────────────────────────────────────────────────────────────────────


def test_one_of_several_audiences_is_enough(edge: Edge):
    assert edge.accepts(token(aud=["other", AUDIENCE])).tenant == "T-a"


def test_another_audience_is_refused(edge: Edge):
    assert refusal(edge, token(aud="other")) == ("credential_invalid", "wrong_audience")


def test_another_issuer_is_refused(edge: Edge):
    assert refusal(edge, token(iss=f"{ISSUER}/")) == ("credential_invalid", "wrong_issuer")


def test_a_principal_says_which_tenant_it_may_not_name(edge: Edge):
    found = edge.accepts(token(tenant="T-a"))

    assert (found.may_name("T-a"), found.may_name("T-b")) == (True, False)


def test_a_list_of_tenants_is_a_set_and_no_single_one_of_them_is_meant(edge: Edge):
    found = edge.accepts(token(tenant=["T-a", "T-b"]))

    assert (found.tenants, found.tenant) == ({"T-a", "T-b"}, None)
    assert not found.may_name("T-c")


def test_a_list_of_one_tenant_means_that_one(edge: Edge):
    assert edge.accepts(token(tenant=["T-a"])).tenant == "T-a"


def test_a_scope_grants_any_tenant_only_if_the_issuer_is_trusted_with_that():
    asked = token(tenant=..., scope="read tenants:any")

    trusted = Edge(any_tenant=True).accepts(asked)

    assert (trusted.tenants, trusted.tenant, trusted.scopes) == (None, None, {"read"})
    assert trusted.may_name("anybody")
    assert refusal(Edge(), asked) == ("credential_invalid", "no_tenant")


def test_an_issuer_speaks_for_its_own_tenants_only():
    edge = Edge(tenants=frozenset({"T-a", "T-b"}), any_tenant=True)

    assert edge.accepts(token(tenant="T-a")).tenants == {"T-a"}
    assert edge.accepts(token(scope="tenants:any")).tenants == {"T-a", "T-b"}
    assert refusal(edge, token(tenant=["T-a", "T-c"]))[1] == "tenant_of_another_issuer"


def test_the_claims_of_tenant_and_scope_have_the_configured_names():
    edge = Edge(tenant_claim="https://example/t", scope_claim="scp")

    found = edge.accepts(token(**{"https://example/t": "T-z", "scp": ["explain"]}))

    assert (found.tenant, found.scopes) == ("T-z", {"explain"})


def test_without_a_scope_a_token_allows_what_is_configured_for_that_and_else_nothing(edge: Edge):
    generous = Edge(scopes_if_absent=frozenset({"read"}))

    assert edge.accepts(token(scope=...)).scopes == frozenset()
    assert generous.accepts(token(scope=...)).scopes == {"read"}
    assert generous.accepts(token(scope="")).scopes == frozenset()


def test_unknown_scopes_mean_nothing(edge: Edge):
    found = edge.accepts(token(scope="read admin openid READ"))

    assert found.scopes == {"read"}
    assert not found.may("admin")


# ── What is not looked at ───────────────────────────────────────────────────────────────────────


def test_a_key_that_a_token_brings_or_points_at_is_ignored():
    edge, attacker = Edge(ed_key()), ed_key("attacker")
    pointers = {
        "jku": "https://attacker.invalid/keys",
        "x5u": "https://attacker.invalid/cert",
        "jwk": attacker.public_jwk(),
        "x5c": ["MIIB"],
    }

    assert edge.accepts(headed(**pointers)).tenant == "T-a"
    assert refusal(edge, headed(attacker, **pointers))[1] == "unknown_kid"
    assert refusal(edge, headed(attacker, kid="ed-1", **pointers))[1] == "bad_signature"
    assert edge.published.asked == 1


def test_a_hundred_claims_that_nobody_asked_for_are_ignored(edge: Edge):
    extra = {f"claim{number}": {"deep": [number]} for number in range(100)}

    assert edge.accepts(token(**extra)).tenant == "T-a"


def test_a_token_of_8_kib_is_taken_and_one_byte_more_is_not(edge: Edge):
    def padded(size: int) -> bytes:
        return token(sub="a", pad="x" * size)

    sizes = {len(padded(size)): size for size in range(5700, 6100)}

    assert edge.accepts(padded(sizes[8192])).id.endswith("#a")
    longer = min(size for size in sizes if size > 8192)
    assert refusal(edge, padded(sizes[longer]))[1] == "token_too_large"
