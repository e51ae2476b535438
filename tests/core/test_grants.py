"""A cell takes the grants that its keys signed for it, and none of those that only look like it."""

import base64
import hashlib
import hmac
import json
from collections.abc import Callable

import pytest
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from cell_core.domain.errors import Refused
from cell_core.domain.ids import EPOCH_MAX
from cell_core.wire.grant_text import TOKEN_BYTES_MAX
from cell_core.wire.grants import (
    EVERY_TENANT,
    LEEWAY_S,
    LIFE_MAX_S,
    Grant,
    GrantSigner,
    GrantVerifier,
)
from tests.core.granting import (
    CELL,
    NOW_S,
    Key,
    claims,
    control_key,
    edge_key,
    header_of,
    jwks,
    rsa_key,
    segment,
    signed,
    token,
)

EDGE, CONTROL, RSA, STRANGER = edge_key(), control_key(), rsa_key(), edge_key("stranger")
HEADER, GOOD = header_of(EDGE), token(EDGE)
HEAD, BODY, SIGNATURE = GOOD.split(".")
ANYONE = {"iss": "control", "scope": "control", "tenant": EVERY_TENANT}


@pytest.fixture
def verifier() -> GrantVerifier:
    return GrantVerifier(jwks(EDGE, CONTROL, RSA), audience=CELL)


def _hmac(header: dict[str, str], secret: bytes) -> str:
    text = f"{segment(json.dumps(header).encode())}.{segment(json.dumps(claims()).encode())}"
    digest = hmac.new(secret, text.encode(), hashlib.sha256).digest()
    return f"{text}.{segment(digest)}"


def _pem(key: Key) -> bytes:
    public = key.private.public_key()
    return public.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)


def _without(name: str) -> dict[str, object]:
    return {key: value for key, value in claims().items() if key != name}


def _twice(name: str, other: object) -> bytes:
    text = json.dumps(claims())
    return f"{text[:-1]}, {json.dumps(name)}: {json.dumps(other)}}}".encode()


def _flipped(text: str, at: int) -> str:
    raw = bytearray(base64.urlsafe_b64decode(text + "=" * (-len(text) % 4)))
    raw[at] ^= 1
    return segment(bytes(raw))


def _in_the_standard_alphabet() -> str:
    # Keys are new in each run, and one signature of 15 has no letter that the alphabets differ in.
    tokens = (token(EDGE, jti=f"g-{number}") for number in range(1000))
    text = next(text for text in tokens if {"-", "_"} & set(text.rpartition(".")[2]))
    signed_part, _, signature = text.rpartition(".")
    return f"{signed_part}.{signature.replace('-', '+').replace('_', '/')}"


_NONE = segment(b'{"alg":"none","kid":"edge-1"}')
_NONE_IN_CAPITALS = segment(b'{"alg":"NONE","kid":"edge-1"}')

FORGED = {
    "alg none, unsigned": f"{_NONE}.{BODY}.",
    "alg none, signed": signed({"alg": "none", "kid": "edge-1"}, claims(), EDGE),
    "alg None in capitals": f"{_NONE_IN_CAPITALS}.{BODY}.",
    "no alg": signed({"kid": "edge-1"}, claims(), EDGE),
    "alg is a list": signed({"alg": ["EdDSA"], "kid": "edge-1"}, claims(), EDGE),
    "HS256 with the public key": _hmac(
        {"alg": "HS256", "kid": "edge-1"}, EDGE.private.public_key().public_bytes_raw()
    ),
    "HS256 with the public key's text": _hmac({"alg": "HS256", "kid": "edge-1"}, _pem(EDGE)),
    "HS256 with the public RSA key": _hmac({"alg": "HS256", "kid": "rsa-edge"}, _pem(RSA)),
    "HS256 signature called EdDSA": _hmac(HEADER, _pem(EDGE)),
    "RS256 under an Ed25519 key's name": signed({"alg": "RS256", "kid": "edge-1"}, claims(), RSA),
    "EdDSA under an RSA key's name": signed({"alg": "EdDSA", "kid": "rsa-edge"}, claims(), EDGE),
    "RS256 called EdDSA": signed({"alg": "EdDSA", "kid": "edge-1"}, claims(), RSA),
    "PS256 called so": signed({"alg": "PS256", "kid": "rsa-edge"}, claims(), RSA),
    "ES256 called so": signed({"alg": "ES256", "kid": "edge-1"}, claims(), EDGE),
    "alg in lower case": signed({"alg": "eddsa", "kid": "edge-1"}, claims(), EDGE),
    "another key's signature": signed(HEADER, claims(), STRANGER),
    "an unknown key": token(STRANGER),
    "another known key's name": signed({**HEADER, "kid": "rsa-edge"}, claims(), EDGE),
    "no kid": signed({"alg": "EdDSA"}, claims(), EDGE),
    "kid is null": signed({"alg": "EdDSA", "kid": None}, claims(), EDGE),
    "kid is a number": signed({"alg": "EdDSA", "kid": 1}, claims(), EDGE),
    "kid is a list": signed({"alg": "EdDSA", "kid": ["edge-1"]}, claims(), EDGE),
    "kid is a path": signed({"alg": "EdDSA", "kid": "../edge-1"}, claims(), EDGE),
    "jku": signed({**HEADER, "jku": "https://127.0.0.1/keys"}, claims(), EDGE),
    "x5u": signed({**HEADER, "x5u": "https://127.0.0.1/keys"}, claims(), EDGE),
    "x5c": signed({**HEADER, "x5c": []}, claims(), EDGE),
    "jwk": signed({**HEADER, "jwk": STRANGER.public_jwk()}, claims(), STRANGER),
    "crit": signed({**HEADER, "crit": ["b64"], "b64": False}, claims(), EDGE),
    "crit alone": signed({**HEADER, "crit": []}, claims(), EDGE),
    "b64": signed({**HEADER, "b64": False}, claims(), EDGE),
    "zip": signed({**HEADER, "zip": "DEF"}, claims(), EDGE),
    "header is a list": signed(b"[]", claims(), EDGE),
    "header is no JSON": signed(b"{", claims(), EDGE),
    "payload is a list": signed(HEADER, b"[]", EDGE),
    "payload is a text": signed(HEADER, b'"T-1"', EDGE),
    "payload is no JSON": signed(HEADER, b"{", EDGE),
    "payload is not UTF-8": signed(HEADER, b"\xff\xfe", EDGE),
    "payload is nested deeply": signed(HEADER, b"[" * 900 + b"]" * 900, EDGE),
    "no header": f".{BODY}.{SIGNATURE}",
    "no payload": f"{HEAD}..{SIGNATURE}",
    "no signature": f"{HEAD}.{BODY}.",
    "two parts": f"{HEAD}.{BODY}",
    "one part": HEAD,
    "four parts": f"{GOOD}.{SIGNATURE}",
    "five parts, as if encrypted": ".".join([HEAD, "", BODY, SIGNATURE, ""]),
    "only dots": "..",
    "header cut": f"{HEAD[:-1]}.{BODY}.{SIGNATURE}",
    "payload cut": f"{HEAD}.{BODY[:-1]}.{SIGNATURE}",
    "signature cut": GOOD[:-4],
    "signature longer": f"{GOOD}AAAA",
    "header padded": f"{HEAD}=.{BODY}.{SIGNATURE}",
    "payload padded": f"{HEAD}.{BODY}==.{SIGNATURE}",
    "a bit of the header": f"{_flipped(HEAD, 5)}.{BODY}.{SIGNATURE}",
    "a bit of the payload": f"{HEAD}.{_flipped(BODY, 30)}.{SIGNATURE}",
    "the first bit of the signature": f"{HEAD}.{BODY}.{_flipped(SIGNATURE, 0)}",
    "the last bit of the signature": f"{HEAD}.{BODY}.{_flipped(SIGNATURE, -1)}",
    "parts of two grants": f"{HEAD}.{token(EDGE, tenant='T-2').split('.')[1]}.{SIGNATURE}",
    "too large": token(EDGE, jti="x" * 2000),
    "not ASCII": f"{HEAD}.{BODY}.{SIGNATURE}\u00e9",
    "a NUL": f"{GOOD}\0",
    "another cell": token(EDGE, aud="azure-beta"),
    "the cell's name in capitals": token(EDGE, aud=CELL.upper()),
    "several cells": token(EDGE, aud=[CELL, "azure-beta"]),
    "any cell": token(EDGE, aud="*"),
    "another issuer": token(EDGE, iss="cell"),
    "no issuer": token(EDGE, iss=""),
    "issuer is a list": token(EDGE, iss=["edge"]),
    "epoch is a text": token(EDGE, epoch="17"),
    "epoch is a double": token(EDGE, epoch=17.0),
    "epoch is true": token(EDGE, epoch=True),
    "epoch is null": token(EDGE, epoch=None),
    "epoch is negative": token(EDGE, epoch=-1),
    "epoch is too large": token(EDGE, epoch=EPOCH_MAX + 1),
    "tenant is a number": token(EDGE, tenant=1),
    "tenant is a list": token(EDGE, tenant=["T-1"]),
    "tenant is empty": token(EDGE, tenant=""),
    "tenant is a path": token(EDGE, tenant="T-1/00"),
    "tenant is the directory": token(EDGE, tenant="~tenants"),
    "every tenant, as a tenant": token(EDGE, tenant=EVERY_TENANT),
    "tenant ends in a line break": token(EDGE, tenant="T-1\n"),
    "tenant is too long": token(EDGE, tenant="T" * 65),
    "another scope": token(EDGE, scope="admin"),
    "scope is a list": token(EDGE, scope=["tenant"]),
    "several scopes": token(EDGE, scope="tenant control"),
    "control, issued by the edge": token(EDGE, scope="control"),
    "control of all, issued by the edge": token(EDGE, **{**ANYONE, "iss": "edge"}),
    "every tenant, issued by control": token(CONTROL, **{**ANYONE, "scope": "tenant"}),
    "every tenant's standby, by the edge": token(EDGE, scope="replicate", tenant=EVERY_TENANT),
    "every tenant's standby, by control": token(CONTROL, **{**ANYONE, "scope": "replicate"}),
    "replicate, by the edge as if by control": token(EDGE, iss="control", scope="replicate"),
    "control, signed by the edge": token(EDGE, **ANYONE),
    "control of one tenant, signed by the edge": token(EDGE, iss="control", scope="control"),
    "a tenant, as if issued by control": token(EDGE, iss="control"),
    "a tenant, as if issued by the edge": token(CONTROL),
    "control, by the edge's RSA key": token(RSA, **ANYONE),
    "not yet valid": token(EDGE, iat=NOW_S + LEEWAY_S + 1, exp=NOW_S + LEEWAY_S + 20),
    "lives too long": token(EDGE, exp=NOW_S + LIFE_MAX_S + 1),
    "ends before it begins": token(EDGE, exp=NOW_S - 1),
    "ends as it begins": token(EDGE, exp=NOW_S),
    "exp is a text": token(EDGE, exp=str(NOW_S + 30)),
    "exp is a double": token(EDGE, exp=NOW_S + 29.5),
    "exp is infinite": signed(HEADER, _twice("exp", 1).replace(b" 1}", b" Infinity}"), EDGE),
    "iat is a text": token(EDGE, iat=str(NOW_S)),
    "iat is negative": token(EDGE, iat=-10, exp=10),
    "jti is empty": token(EDGE, jti=""),
    "jti is a number": token(EDGE, jti=1),
    "an extra claim": token(EDGE, admin=True),
    "nbf": token(EDGE, nbf=NOW_S),
    **{f"no {name}": signed(HEADER, _without(name), EDGE) for name in claims()},
    **{f"{name} is null": token(EDGE, **{name: None}) for name in claims()},
}

MALLEABLE = {
    "signature with what is no base64": f"{GOOD[:-4]}!{GOOD[-4:]}",
    "signature with a line break": f"{GOOD}\n",
    "spare bits of the signature": GOOD[:-1] + chr(ord(GOOD[-1]) + 1),
    "standard alphabet": _in_the_standard_alphabet(),
}
"""One grant in several spellings."""

DOUBLED = {
    name: signed(HEADER, _twice(name, claims()[name]), EDGE) for name in ("tenant", "epoch", "aud")
}


def test_there_are_many_forgeries_and_the_grant_that_they_are_made_from_is_good(
    verifier: GrantVerifier,
) -> None:
    assert len(set(FORGED.values())) >= 100
    assert verifier.verify(GOOD, NOW_S) == Grant(
        issuer="edge",
        audience=CELL,
        tenant="T-1",
        epoch=17,
        scope="tenant",
        issued_s=NOW_S,
        expires_s=NOW_S + 30,
        id="g-1",
    )


@pytest.mark.parametrize("forged", list(FORGED.values()), ids=list(FORGED))
def test_a_forged_grant_is_invalid_also_beside_the_good_one(
    verifier: GrantVerifier, forged: str
) -> None:
    for _ in range(2):
        with pytest.raises(Refused) as error:
            verifier.verify(forged, NOW_S)
        assert (error.value.code, error.value.fields) == ("grant_invalid", {})
        verifier.verify(GOOD, NOW_S)


@pytest.mark.parametrize("spelling", list(MALLEABLE.values()), ids=list(MALLEABLE))
def test_a_grant_has_one_spelling(verifier: GrantVerifier, spelling: str) -> None:
    with pytest.raises(Refused):
        verifier.verify(spelling, NOW_S)


def test_a_grant_has_no_padded_spelling(verifier: GrantVerifier) -> None:
    with pytest.raises(Refused):
        verifier.verify(f"{GOOD}==", NOW_S)


@pytest.mark.parametrize("doubled", list(DOUBLED.values()), ids=list(DOUBLED))
def test_a_grant_names_each_claim_once(verifier: GrantVerifier, doubled: str) -> None:
    with pytest.raises(Refused):
        verifier.verify(doubled, NOW_S)


@pytest.mark.parametrize("at", range(0, len(GOOD), 7))
def test_a_grant_cut_anywhere_is_invalid(verifier: GrantVerifier, at: int) -> None:
    with pytest.raises(Refused) as error:
        verifier.verify(GOOD[:at], NOW_S)

    assert error.value.code == ("grant_invalid" if at else "grant_missing")


def test_no_grant_is_missing(verifier: GrantVerifier) -> None:
    with pytest.raises(Refused) as error:
        verifier.verify("", NOW_S)

    assert error.value.code == "grant_missing"


# ── Time ────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("warm", [False, True], ids=["first seen", "remembered"])
def test_a_grant_is_expired_after_its_end_and_the_leeway_remembered_or_not(
    verifier: GrantVerifier, warm: object
) -> None:
    end = NOW_S + LIFE_MAX_S + LEEWAY_S
    if warm:
        verifier.verify(GOOD, NOW_S)

    assert verifier.verify(GOOD, end - 1).expires_s == NOW_S + LIFE_MAX_S
    for now_s in (end, end + 1, end + 10**6):
        with pytest.raises(Refused) as error:
            verifier.verify(GOOD, now_s)
        assert error.value.code == "grant_expired"


def test_a_remembered_grant_is_not_valid_before_its_beginning(verifier: GrantVerifier) -> None:
    verifier.verify(GOOD, NOW_S)

    assert verifier.verify(GOOD, NOW_S - LEEWAY_S).id == "g-1"
    with pytest.raises(Refused):
        verifier.verify(GOOD, NOW_S - LEEWAY_S - 1)


def test_more_grants_than_are_remembered_are_all_verified(verifier: GrantVerifier) -> None:
    tokens = [token(EDGE, jti=f"g-{number}") for number in range(1100)]

    ids = [verifier.verify(one, NOW_S).id for one in (*tokens, tokens[0])]

    assert ids == [f"g-{number}" for number in range(1100)] + ["g-0"]
    assert len(verifier._verified) <= 1024


def test_the_largest_grant_fits() -> None:
    cell, tenant = "c" * 64, "T" * 64
    signer = edge_key("k" * 64).signer()
    verifier = GrantVerifier(jwks(edge_key("k" * 64)), audience=cell)

    text = signer.sign(
        audience=cell,
        tenant=tenant,
        epoch=EPOCH_MAX,
        scope="tenant",
        now_s=NOW_S,
        grant_id="j" * 128,
    )

    assert len(text) < TOKEN_BYTES_MAX
    assert verifier.verify(text, NOW_S).tenant == tenant


# ── Keys ────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("issuer", ["edge", "control"])
@pytest.mark.parametrize("kind", ["Ed25519", "RSA"])
def test_a_signed_grant_is_taken(kind: str, issuer: str) -> None:
    key = rsa_key(issuer) if kind == "RSA" else {"edge": EDGE, "control": CONTROL}[issuer]
    scope, tenant = ("tenant", "T-1") if issuer == "edge" else ("control", EVERY_TENANT)

    text = key.signer().sign(
        audience=CELL, tenant=tenant, epoch=17, scope=scope, now_s=NOW_S, grant_id="g"
    )

    grant = GrantVerifier(jwks(key), audience=CELL).verify(text, NOW_S)
    assert (grant.issuer, grant.scope, grant.tenant) == (issuer, scope, tenant)


@pytest.mark.parametrize("key", [EDGE, CONTROL], ids=["edge", "control"])
def test_both_issuers_may_let_a_home_append_to_one_tenant_s_standby(key: Key) -> None:
    text = key.signer().sign(
        audience=CELL, tenant="T-1", epoch=17, scope="replicate", now_s=NOW_S, grant_id="g"
    )

    grant = GrantVerifier(jwks(key), audience=CELL).verify(text, NOW_S)

    assert (grant.scope, grant.tenant, grant.epoch) == ("replicate", "T-1", 17)


def test_while_keys_rotate_grants_of_both_are_taken_and_then_of_the_new_one_only() -> None:
    old, new = edge_key("2024"), edge_key("2025")
    both, later = (GrantVerifier(jwks(*keys), audience=CELL) for keys in ((old, new), (new,)))

    for key in (old, new):
        assert both.verify(token(key), NOW_S).id == "g-1"
    assert later.verify(token(new), NOW_S).id == "g-1"
    with pytest.raises(Refused) as error:
        later.verify(token(old), NOW_S)
    assert error.value.code == "grant_invalid"
    assert (later.holds("2025"), later.holds("2024")) == (True, False)


def _set(change: Callable[[dict[str, object]], object], key: Key = EDGE) -> str:
    raw = key.public_jwk()
    change(raw)
    return json.dumps({"keys": [raw]})


UNUSABLE = {
    "no key": '{"keys": []}',
    "a private Ed25519 key": json.dumps({"keys": [EDGE.private_jwk()]}),
    "a private RSA key": json.dumps({"keys": [RSA.private_jwk()]}),
    "a private key beside a public one": json.dumps(
        {"keys": [RSA.public_jwk(), EDGE.private_jwk()]}
    ),
    "no kid": _set(lambda raw: raw.pop("kid")),
    "an empty kid": _set(lambda raw: raw.update(kid="")),
    "another algorithm": _set(lambda raw: raw.update(alg="HS256")),
    "the other key's algorithm": _set(lambda raw: raw.update(alg="RS256")),
    "a secret": '{"keys": [{"kty": "oct", "kid": "s", "k": "c2VjcmV0"}]}',
    "an elliptic curve key": _set(lambda raw: raw.update(kty="EC")),
    "no kty": _set(lambda raw: raw.pop("kty")),
    "no issuer": _set(lambda raw: raw.pop("iss")),
    "another issuer": _set(lambda raw: raw.update(iss="cell")),
}

CRASHING = {
    "a key for agreement": _set(lambda raw: raw.update(crv="X25519")),
    "half a key": _set(lambda raw: raw.update(x=raw["x"][:20])),
    "an RSA key without a modulus": _set(lambda raw: raw.pop("n"), RSA),
}


@pytest.mark.parametrize("unusable", list(UNUSABLE.values()), ids=list(UNUSABLE))
def test_a_key_set_that_is_not_right_is_refused(unusable: str) -> None:
    with pytest.raises(ValueError, match="key"):
        GrantVerifier(unusable, audience=CELL)


@pytest.mark.parametrize("unusable", list(CRASHING.values()), ids=list(CRASHING))
def test_a_key_that_cannot_be_loaded_is_refused_like_any_other(unusable: str) -> None:
    with pytest.raises(ValueError, match="key"):
        GrantVerifier(unusable, audience=CELL)


@pytest.mark.parametrize("kind", [EDGE, RSA], ids=["Ed25519", "RSA"])
def test_a_signer_needs_a_private_key_with_a_name(kind: Key) -> None:
    nameless = {key: value for key, value in kind.private_jwk().items() if key != "kid"}

    for raw in (nameless, kind.public_jwk()):
        with pytest.raises(ValueError, match="key"):
            GrantSigner(json.dumps(raw), issuer="edge")
