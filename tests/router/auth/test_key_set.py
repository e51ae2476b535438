"""What is read from a key set, what is passed over, and what spoils it whole."""

import json
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric.rsa import generate_private_key

from cell_router.auth.issuer import ALGORITHMS
from cell_router.auth.key_set import KeySetRefused, read_key_set
from tests.router.auth.issuing import Key, ec_key, ed_key, key_set, rsa_key

EVERY = frozenset(ALGORITHMS)


def test_each_key_is_bound_to_the_algorithms_of_its_type_and_curve():
    found = read_key_set(key_set(ed_key(), rsa_key(), ec_key()), EVERY)

    assert found["ed-1"].algorithms == {"EdDSA"}
    assert found["ec-1"].algorithms == {"ES256"}
    assert found["rsa-1"].algorithms == {"RS256", "RS384", "RS512", "PS256", "PS384", "PS512"}


def test_a_key_is_bound_to_the_one_algorithm_it_names_and_to_those_allowed():
    named = read_key_set(key_set(rsa_key().public_jwk(alg="RS512")), EVERY)
    allowed = read_key_set(key_set(rsa_key()), frozenset({"RS256", "EdDSA"}))

    assert named["rsa-1"].algorithms == {"RS512"}
    assert allowed["rsa-1"].algorithms == {"RS256"}


def _short_rsa() -> dict[str, Any]:
    return Key("short", generate_private_key(65537, 1024), "RS256").public_jwk()  # noqa: S505 - that is the point


PASSED_OVER = {
    "a key for encryption": lambda: rsa_key().public_jwk(use="enc"),
    "a key for other operations": lambda: rsa_key().public_jwk(key_ops=["encrypt"]),
    "operations that are no list": lambda: rsa_key().public_jwk(key_ops="verify"),
    "no kid": lambda: rsa_key().public_jwk(kid=...),
    "an empty kid": lambda: rsa_key().public_jwk(kid=""),
    "a kid that is a number": lambda: rsa_key().public_jwk(kid=1),
    "a long kid": lambda: rsa_key().public_jwk(kid="k" * 257),
    "a shared secret": lambda: {"kty": "oct", "kid": "s", "k": "c2VjcmV0", "alg": "HS256"},
    "a private key": lambda: ed_key().private_jwk(),
    "HS256 said of an RSA key": lambda: rsa_key().public_jwk(alg="HS256"),
    "none said of an RSA key": lambda: rsa_key().public_jwk(alg="none"),
    "another key's algorithm": lambda: rsa_key().public_jwk(alg="EdDSA"),
    "an unknown type": lambda: rsa_key().public_jwk(kty="XYZ"),
    "a type that is a list": lambda: rsa_key().public_jwk(kty=["RSA"]),
    "no modulus": lambda: rsa_key().public_jwk(n=...),
    "a modulus that is a number": lambda: rsa_key().public_jwk(n=5),
    "an even exponent": lambda: rsa_key().public_jwk(e="Ag"),
    "a short RSA key": _short_rsa,
    "a key for agreement": lambda: ed_key().public_jwk(crv="X25519"),
    "half a key": lambda: ed_key().public_jwk(x="AAAA"),
    "a point beside the curve": lambda: ec_key().public_jwk(x="A" * 43),
    "an unknown curve": lambda: ec_key().public_jwk(crv="secp256k1"),
    "no curve": lambda: ec_key().public_jwk(crv=...),
    "a text": lambda: "key",
    "null": lambda: None,
}


@pytest.mark.parametrize("made", PASSED_OVER.values(), ids=PASSED_OVER)
def test_a_key_that_cannot_verify_is_passed_over_beside_one_that_can(made):
    raw = key_set(made(), ed_key("good"))

    assert set(read_key_set(raw, EVERY)) == {"good"}


@pytest.mark.parametrize("made", PASSED_OVER.values(), ids=PASSED_OVER)
def test_a_set_of_only_such_keys_is_refused(made):
    with pytest.raises(KeySetRefused, match=r"^no_usable_key$"):
        read_key_set(key_set(made()), EVERY)


NOT_A_SET = {
    "nothing": (b"", "not_a_key_set"),
    "a page": (b"<html></html>", "not_a_key_set"),
    "a list": (b"[]", "not_a_key_set"),
    "no keys": (b"{}", "not_a_key_set"),
    "keys that are an object": (b'{"keys": {}}', "not_a_key_set"),
    "keys twice": (b'{"keys": [], "keys": []}', "not_a_key_set"),
    "a deep one": (b'{"keys": ' + b"[" * 10_000 + b"]" * 10_000 + b"}", "not_a_key_set"),
    "an empty one": (b'{"keys": []}', "no_usable_key"),
    "one key twice": (key_set(ed_key(), ed_key()), "duplicate_kid"),
    "two keys of one name": (key_set(ed_key(), rsa_key("ed-1")), "duplicate_kid"),
    "65 keys": (key_set(*[{"kid": f"k{n}"} for n in range(65)]), "too_many_keys"),
    "64 KiB and a byte": (key_set(ed_key()).ljust(64 * 1024 + 1), "too_large"),
}


@pytest.mark.parametrize(("raw", "word"), NOT_A_SET.values(), ids=NOT_A_SET)
def test_what_is_no_sound_set_is_refused_whole(raw: bytes, word: str):
    with pytest.raises(KeySetRefused) as error:
        read_key_set(raw, EVERY)

    assert str(error.value) == word


def test_a_set_of_64_kib_and_64_keys_is_read():
    keys = [ed_key().public_jwk(kid=f"k{number}") for number in range(64)]

    found = read_key_set(json.dumps({"keys": keys}).encode().ljust(64 * 1024), EVERY)

    assert len(found) == 64
