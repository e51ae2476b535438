"""No credential, no part of one and no key stands in an error, a repr, a report or a log line."""

import logging
import traceback

import pytest

from cell_router.auth.api_key_file import NO_KEYS, with_key
from cell_router.auth.api_key_text import make_key
from cell_router.auth.key_set import read_key_set
from cell_router.auth.refused import AuthRefused
from tests.router.auth import forgeries
from tests.router.auth.issuing import NOW_S, Edge, ed_key, key_set, token

KEY = make_key("live", bytes(range(40)))
FILE = with_key(
    NO_KEYS,
    KEY,
    client="billing",
    tenants=["T-a"],
    scopes=["read"],
    now_s=NOW_S,
    expires_s=NOW_S + 1,
)
TWIN = make_key("live", bytes(range(8)) + bytes(32))


def told(error: AuthRefused) -> str:
    """Return all that anybody could print of `error`, what it came from included."""
    return "".join(
        [str(error), repr(error), repr(error.args), repr(error.fields), error.code, error.reason]
    ) + "".join(str(cause) for cause in (error.__cause__,) if cause is not None)


def pieces(credential: bytes) -> list[str]:
    """Return each run of 12 characters of `credential` that is not all of one kind of noise."""
    text = credential.decode("latin-1")
    return [text[at : at + 12] for at in range(max(1, len(text) - 11)) if len(text) >= 12]


@pytest.mark.parametrize("forged", forgeries.ALL.values(), ids=forgeries.ALL)
def test_an_error_holds_nothing_of_the_token_it_refuses(forged: bytes, caplog):
    edge = Edge()
    caplog.set_level(logging.DEBUG)

    with pytest.raises(AuthRefused) as error:
        edge.accepts(forged)

    shown = told(error.value) + "".join(traceback.format_exception_only(error.value))
    assert not [piece for piece in pieces(forged) if piece in shown]
    assert error.value.__suppress_context__ or error.value.__context__ is None
    assert caplog.records == []


@pytest.mark.parametrize(
    "presented", [KEY.text, TWIN.text, KEY.text[:-1], KEY.text + "x"], ids=range(4)
)
def test_an_error_holds_nothing_of_the_key_it_refuses(presented: str):
    edge = Edge(file=FILE)

    with pytest.raises(AuthRefused) as error:
        edge.authenticator.authenticate(None, presented.encode(), NOW_S + 1)

    assert not [piece for piece in pieces(presented.encode()) if piece in told(error.value)]


def test_nothing_that_holds_a_credential_shows_it():
    edge, credential = Edge(file=FILE), token()
    principals = [edge.accepts(credential), edge.accepts(KEY.text.encode())]
    held = [
        edge.authenticator,
        edge.authenticator._bearers,
        edge.authenticator._tokens,
        edge.authenticator._keys,
        edge.authenticator._keys._known,
        edge.keys,
        edge.refresher,
        *principals,
    ]

    shown = "".join(map(repr, held))

    secret = KEY.text.split("_")[3]
    assert not [p for p in pieces(credential) if p in shown]
    assert not [p for p in pieces(secret.encode()) if p in shown]
    assert str(bytes.fromhex(KEY.sha256)) not in shown
    assert f"ck_live_{KEY.id}" in shown


def test_a_verifying_key_does_not_show_its_key_and_no_report_holds_more_than_a_word():
    edge = Edge(ed_key())
    edge.published.raw = b"secret page"
    edge.at(NOW_S + 600)

    found = read_key_set(key_set(ed_key()), frozenset({"EdDSA"}))["ed-1"]

    assert repr(found) == "VerifyingKey(kid='ed-1', algorithms=frozenset({'EdDSA'}))"
    assert [word for _, word in edge.reports] == ["fetched", "not_a_key_set"]
