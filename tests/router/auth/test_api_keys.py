"""API keys: their text, what is kept of them, and whom they let in."""

import dataclasses
import json
import math
from typing import Any

import msgspec
import pytest

from cell_router.auth.api_key_file import (
    NO_KEYS,
    KeyFile,
    KeyFileInvalid,
    read_key_file,
    with_key,
    without_key,
    write_key_file,
)
from cell_router.auth.api_key_text import ENTROPY_BYTES, NewKey, id_of, make_key
from cell_router.auth.api_keys import ApiKeys
from cell_router.auth.refused import AuthRefused
from tests.router.auth.issuing import NOW_S, Edge


def made(number: int = 1, env: str = "live") -> NewKey:
    return make_key(env, number.to_bytes(8, "big") * 5)


def added(file: KeyFile, key: NewKey, **changes: Any) -> KeyFile:
    given = {
        "client": "billing",
        "tenants": ["T-a"],
        "scopes": ["read", "write"],
        "now_s": NOW_S,
        "expires_s": None,
    }
    return with_key(file, key, **{**given, **changes})


KEY = made()
TEXT = KEY.text.encode()
FILE = added(NO_KEYS, KEY)


def refusal(file: KeyFile, presented: bytes, now_s: int = NOW_S) -> tuple[str, str]:
    with pytest.raises(AuthRefused) as error:
        ApiKeys(file).verify(presented, now_s)
    return error.value.code, error.value.reason


# ── The text ────────────────────────────────────────────────────────────────────────────────────


def test_a_key_names_its_environment_and_id_and_is_as_long_as_every_other():
    assert KEY.text.startswith(f"ck_live_{KEY.id}_")
    assert {len(made(number).text) for number in range(50)} == {len(KEY.text)}
    assert id_of(TEXT) == KEY.id


def test_the_same_bytes_make_the_same_key_and_one_bit_more_another():
    assert made(7) == made(7)
    assert len({made(number).text for number in range(500)}) == 500


@pytest.mark.parametrize("env", ["", "l", "Live", "li_ve", "live\n", "toolongname"])
def test_an_environment_is_two_to_eight_small_letters(env: str):
    with pytest.raises(ValueError, match="env"):
        make_key(env, bytes(ENTROPY_BYTES))


def test_fewer_bytes_than_needed_make_no_key():
    with pytest.raises(ValueError, match="entropy"):
        make_key("live", bytes(ENTROPY_BYTES - 1))


@pytest.mark.parametrize("at", range(3, len(TEXT)))
def test_a_typing_error_anywhere_is_seen_without_a_look_up(at: int):
    wrong = bytearray(TEXT)
    wrong[at] = ord("a") if wrong[at] != ord("a") else ord("b")

    assert id_of(bytes(wrong)) is None


@pytest.mark.parametrize("at", range(0, len(TEXT), 3))
def test_part_of_a_key_is_none(at: int):
    assert id_of(TEXT[:at]) is None


@pytest.mark.parametrize(
    "text", [b"", TEXT + b"\n", b" " + TEXT, TEXT + b"0", TEXT.upper(), TEXT * 100, b"ck_" * 50]
)
def test_what_only_looks_like_a_key_is_none(text: bytes):
    assert id_of(text) is None


# ── Who comes in ────────────────────────────────────────────────────────────────────────────────


def test_a_key_lets_in_its_client_for_its_tenants_and_scopes():
    found = ApiKeys(FILE).verify(TEXT, NOW_S)

    assert (found.id, found.tenant) == (f"key:ck_live_{KEY.id}", "T-a")
    assert (found.scopes, found.expires_s) == ({"read", "write"}, math.inf)
    assert not found.may_name("T-b")


def test_a_key_may_name_several_tenants_or_any():
    several = ApiKeys(added(NO_KEYS, KEY, tenants=["T-a", "T-b"])).verify(TEXT, NOW_S)
    anybody = ApiKeys(added(NO_KEYS, KEY, tenants="*")).verify(TEXT, NOW_S)

    assert (several.tenants, several.tenant) == ({"T-a", "T-b"}, None)
    assert (anybody.tenants, anybody.tenant) == (None, None)


def test_a_revoked_key_is_invalid():
    revoked = without_key(FILE, KEY.id, NOW_S)

    assert refusal(revoked, TEXT) == ("credential_invalid", "key_revoked")


def test_a_key_expires_exactly_at_its_end():
    file = added(NO_KEYS, KEY, expires_s=NOW_S + 100)

    assert ApiKeys(file).verify(TEXT, NOW_S + 99).expires_s == NOW_S + 100
    assert refusal(file, TEXT, NOW_S + 100) == ("credential_expired", "key_expired")


def test_a_revoked_key_that_is_expired_too_says_no_more_than_invalid():
    file = without_key(added(NO_KEYS, KEY, expires_s=NOW_S + 1), KEY.id, NOW_S)

    assert refusal(file, TEXT, NOW_S + 2)[1] == "key_revoked"


def test_an_unknown_key_is_invalid():
    assert refusal(FILE, made(2).text.encode()) == ("credential_invalid", "unknown_key")


def test_a_key_of_a_known_id_with_another_secret_is_invalid():
    twin = make_key("live", (1).to_bytes(8, "big") + bytes(32))

    assert twin.id == KEY.id
    assert refusal(FILE, twin.text.encode()) == ("credential_invalid", "wrong_key")


def test_a_key_of_another_environment_is_another_key():
    assert refusal(FILE, made(1, "test").text.encode()) == ("credential_invalid", "wrong_key")


@pytest.mark.parametrize("presented", [b"", b"x", b"ck_live_x", TEXT[:-1]])
def test_what_is_no_key_is_invalid(presented: bytes):
    assert refusal(FILE, presented) == ("credential_invalid", "malformed_key")


def test_a_key_is_taken_from_either_header_and_an_expired_one_from_neither():
    edge = Edge(file=added(NO_KEYS, KEY, expires_s=NOW_S + 100))
    ways = [(b"Bearer " + TEXT, None), (None, TEXT)]

    for way in ways * 2:
        assert edge.authenticator.authenticate(*way, NOW_S + 99).tenant == "T-a"
    assert len(edge.authenticator) == 2
    for way in ways:
        with pytest.raises(AuthRefused) as error:
            edge.authenticator.authenticate(*way, NOW_S + 100)
        assert error.value.code == "credential_expired"


def test_the_header_of_keys_takes_keys_only():
    edge = Edge(file=FILE)
    edge.accepts(TEXT)

    with pytest.raises(AuthRefused) as error:
        edge.authenticator.authenticate(None, b"Bearer " + TEXT, NOW_S)

    assert error.value.reason == "malformed_key"


# ── The file ────────────────────────────────────────────────────────────────────────────────────


def test_a_file_is_read_as_it_was_written():
    assert read_key_file(write_key_file(FILE), NOW_S) == FILE


def test_nothing_of_a_key_but_its_hash_is_in_the_file():
    text = write_key_file(FILE)

    assert KEY.text.split("_")[3].encode() not in text
    assert KEY.sha256.encode() in text


def test_a_client_has_two_live_keys_at_most():
    two = added(FILE, made(2))

    with pytest.raises(KeyFileInvalid, match="more than 2 live keys"):
        added(two, made(3))
    assert len(added(two, made(3), client="other").keys) == 3
    assert len(added(without_key(two, KEY.id, NOW_S), made(3)).keys) == 3


def test_an_expired_key_makes_room_for_another():
    two = added(added(NO_KEYS, KEY, expires_s=NOW_S + 10), made(2))

    assert len(added(two, made(3), now_s=NOW_S + 10).keys) == 3


def test_a_key_revoked_twice_keeps_its_first_time():
    twice = without_key(without_key(FILE, KEY.id, NOW_S), KEY.id, NOW_S + 5)

    assert twice.keys[0].revoked_s == NOW_S


def test_what_is_not_there_cannot_be_revoked():
    with pytest.raises(KeyFileInvalid, match="no key has this id"):
        without_key(FILE, "nothere", NOW_S)


def test_a_development_key_is_refused_outside_the_local_world():
    file = added(NO_KEYS, made(1, "local"))

    ApiKeys(file, local=True)
    ApiKeys(without_key(file, file.keys[0].id, NOW_S))
    with pytest.raises(KeyFileInvalid, match=r"keys\[0\].env"):
        ApiKeys(file)


def _file(**changes: Any) -> bytes:
    key = msgspec.to_builtins(FILE.keys[0]) | changes
    return json.dumps({"v": 1, "keys": [{k: v for k, v in key.items() if v is not ...}]}).encode()


SECRET = "s3cr3t-value"
BAD_FILES = {
    "nothing": (b"", "$"),
    "no JSON": (b"{", "$"),
    "a list": (b"[]", "$"),
    "no version": (b'{"keys": []}', "$"),
    "no keys": (b'{"v": 1}', "$"),
    "another version": (b'{"v": 2, "keys": []}', "$.v"),
    "a member twice": (b'{"v": 1, "v": 1, "keys": []}', "$"),
    "a member more": (b'{"v": 1, "keys": [], "x": 1}', "$"),
    "too large": (b" " * (8 * 1024 * 1024 + 1), "$"),
    "the same key twice": (
        json.dumps({"v": 1, "keys": [msgspec.to_builtins(FILE.keys[0])] * 2}).encode(),
        "$.keys[1].id",
    ),
    "a key without a hash": (_file(sha256=...), "$.keys[0]"),
    "a key itself for its hash": (_file(sha256=SECRET), "$.keys[0].sha256"),
    "a hash in capitals": (_file(sha256="A" * 64), "$.keys[0].sha256"),
    "a hash and a line break": (_file(sha256="a" * 64 + "\n"), "$.keys[0].sha256"),
    "a number for a client": (_file(client=5), "$.keys[0].client"),
    "a client with a space": (_file(client=f"{SECRET} x"), "$.keys[0].client"),
    "a bad environment": (_file(env="LIVE"), "$.keys[0].env"),
    "a bad id": (_file(id="../x"), "$.keys[0].id"),
    "no tenants": (_file(tenants=[]), "$.keys[0].tenants"),
    "a text for tenants": (_file(tenants=SECRET), "$.keys[0].tenants"),
    "a tenant with a slash": (_file(tenants=["a/b"]), "$.keys[0].tenants[0]"),
    "a star among tenants": (_file(tenants=["T-a", "*"]), "$.keys[0].tenants[1]"),
    "a tenant with a line break": (_file(tenants=["T-a\n"]), "$.keys[0].tenants[0]"),
    "no scopes": (_file(scopes=[]), "$.keys[0].scopes"),
    "an unknown scope": (_file(scopes=[SECRET]), "$.keys[0].scopes"),
    "an end in a text": (_file(expires_s=SECRET), "$.keys[0].expires_s"),
    "an end before 1970": (_file(expires_s=-1), "$.keys[0].expires_s"),
    "a revocation that is true": (_file(revoked_s=True), "$.keys[0].revoked_s"),
    "an unknown member": (_file(note=SECRET), "$.keys[0]"),
}


@pytest.mark.parametrize(("raw", "where"), BAD_FILES.values(), ids=BAD_FILES)
def test_a_file_that_is_not_right_is_refused_with_the_place_and_without_a_value(raw, where):
    with pytest.raises(KeyFileInvalid) as error:
        read_key_file(raw, NOW_S)

    assert error.value.fields["where"] == where
    assert error.value.fields["problem"]
    assert SECRET not in str(error.value)


def test_a_new_key_shows_itself_only_when_asked():
    assert KEY.text not in repr(KEY)
    assert [field.name for field in dataclasses.fields(KEY) if field.repr] == [
        "env",
        "id",
        "sha256",
    ]
