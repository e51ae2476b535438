"""Tokens: hashes in a file, read again when it changes; a bad file never replaces a good one."""

import json
from pathlib import Path

import pytest

from cell_control.errors import Invalid
from cell_control.server.roles import Role
from cell_control.server.token_file import (
    NO_TOKENS,
    TEXTS,
    TokenFile,
    read_token_file,
    with_token,
    without_token,
    write_token_file,
)
from cell_control.server.tokens import AuthRefused, TokenBook
from cell_core.wire.bearer_text import ENTROPY_BYTES, NewKey

NOW_S = 1_700_000_000


def _made(letter: str, env: str = "live") -> NewKey:
    return TEXTS.make(env, letter.encode() * ENTROPY_BYTES)


def _file(*letters: str, env: str = "live", expires_s: int | None = None) -> TokenFile:
    file = NO_TOKENS
    for letter in letters:
        file = with_token(
            file,
            _made(letter, env),
            name=f"name-{letter}",
            role=Role.VIEWER,
            now_s=NOW_S,
            expires_s=expires_s,
        )
    return file


class Time:
    def __init__(self) -> None:
        self.now_s = NOW_S

    def __call__(self) -> int:
        return self.now_s


def _book(path: Path, file: TokenFile, time: Time, *, local: bool = False) -> TokenBook:
    path.write_bytes(write_token_file(file))
    return TokenBook(path, local=local, now_s=time)


def test_a_token_speaks_for_its_name_and_role(tmp_path: Path):
    book = _book(tmp_path / "tokens", _file("a", "b"), Time())

    principal = book.who(f"Bearer {_made('b').text}")

    assert (principal.name, principal.role) == ("name-b", Role.VIEWER)
    assert principal.token == _made("b").id


def test_the_file_holds_no_token(tmp_path: Path):
    written = write_token_file(_file("a"))

    assert _made("a").text.encode() not in written
    assert read_token_file(written, NOW_S) == _file("a")


def test_a_token_that_expired_or_was_revoked_is_unknown(tmp_path: Path):
    time = Time()
    expiring = _book(tmp_path / "one", _file("a", expires_s=NOW_S + 5), time)
    revoked = without_token(_file("a"), _made("a").id, NOW_S)
    gone = _book(tmp_path / "two", revoked, time)
    expiring.who(f"Bearer {_made('a').text}")
    time.now_s += 5

    for book in (expiring, gone):
        with pytest.raises(AuthRefused, match="credential_invalid"):
            book.who(f"Bearer {_made('a').text}")


def test_a_token_of_the_local_world_is_good_there_alone(tmp_path: Path):
    file = _file("a", env="local")
    header = f"Bearer {_made('a', 'local').text}"

    assert _book(tmp_path / "one", file, Time(), local=True).who(header).name == "name-a"
    with pytest.raises(AuthRefused, match="credential_invalid"):
        _book(tmp_path / "two", file, Time()).who(header)


def test_an_id_with_another_random_part_is_refused(tmp_path: Path):
    book = _book(tmp_path / "tokens", _file("a"), Time())
    same_id = TEXTS.make("live", b"a" * 8 + b"z" * (ENTROPY_BYTES - 8))
    assert same_id.id == _made("a").id

    with pytest.raises(AuthRefused, match="credential_invalid"):
        book.who(f"Bearer {same_id.text}")


def test_a_changed_file_is_read_again_after_a_second(tmp_path: Path):
    time, path = Time(), tmp_path / "tokens"
    book = _book(path, _file("a"), time)
    path.write_bytes(write_token_file(_file("a", "b")))
    time.now_s += 1

    assert book.who(f"Bearer {_made('b').text}").name == "name-b"


@pytest.mark.parametrize("broken", [b"", b"{}", b'{"v":2,"tokens":[]}', b"\xff", None])
def test_a_broken_file_leaves_the_good_one_in_force(tmp_path: Path, broken: bytes | None):
    time, path, refused = Time(), tmp_path / "tokens", list[str]()
    path.write_bytes(write_token_file(_file("a")))
    book = TokenBook(path, local=False, now_s=time, on_refused=refused.append)
    path.unlink()
    if broken is not None:
        path.write_bytes(broken)
    time.now_s += 1

    assert book.who(f"Bearer {_made('a').text}").name == "name-a"
    assert refused == ["tokens_unreadable" if broken is None else "tokens_invalid"]


def test_a_name_has_two_live_tokens_at_most():
    two = NO_TOKENS
    for letter in "ab":
        two = with_token(two, _made(letter), name="ci", role=Role.EDGE, now_s=NOW_S, expires_s=None)

    with pytest.raises(Invalid) as refused:
        with_token(two, _made("c"), name="ci", role=Role.EDGE, now_s=NOW_S, expires_s=None)

    assert "more than 2" in refused.value.fields["problem"]
    rotated = without_token(two, _made("a").id, NOW_S)
    with_token(rotated, _made("c"), name="ci", role=Role.EDGE, now_s=NOW_S, expires_s=None)


@pytest.mark.parametrize(
    "change",
    [
        {"role": "root"},
        {"sha256": "00"},
        {"id": "UPPER"},
        {"name": "a b"},
        {"created_s": -1},
        {"more": 1},
    ],
)
def test_a_file_that_breaks_a_rule_is_refused_without_its_values(change: dict[str, object]):
    raw = json.loads(write_token_file(_file("a")))
    raw["tokens"][0] |= change

    with pytest.raises(Invalid) as refused:
        read_token_file(json.dumps(raw).encode(), NOW_S)

    assert refused.value.code == "tokens_invalid"
    assert not {"root", "UPPER", "a b"} & set(map(str, refused.value.fields.values()))


def test_an_id_is_never_given_twice():
    with pytest.raises(Invalid, match="tokens_invalid"):
        _file("a", "a")


def test_revoking_what_is_not_there_is_refused():
    with pytest.raises(Invalid):
        without_token(_file("a"), "nobody", NOW_S)
