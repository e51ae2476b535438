"""When keys are fetched, how long old ones are good for, and what a rotation does."""

import pytest

from cell_router.auth.jwks import IssuerKeys
from cell_router.auth.key_set import KeySetRefused
from cell_router.auth.refused import AuthRefused
from tests.router.auth.issuing import ALGORITHMS, NOW_S, Edge, ed_key, key_set, token

HOUR_S = 3600
OLD, NEW = ed_key("2024"), ed_key("2025")


def said(edge: Edge, credential: bytes) -> str:
    """Return `ok`, or the reason of the refusal."""
    try:
        edge.accepts(credential)
    except AuthRefused as refused:
        return refused.reason
    return "ok"


def fetches(edge: Edge, *, from_s: int, to_s: int) -> list[int]:
    """Return the seconds, counted from `NOW_S`, in which a set was asked for."""
    found = []
    for second in range(from_s, to_s):
        before = edge.published.asked
        edge.at(NOW_S + second)
        if edge.published.asked > before:
            found.append(second)
    return found


# ── Age ─────────────────────────────────────────────────────────────────────────────────────────


def test_a_set_is_fetched_every_ten_minutes_and_not_before():
    assert fetches(Edge(), from_s=1, to_s=1900) == [600, 1200, 1800]


def test_processes_started_together_do_not_fetch_together():
    keys = IssuerKeys(ALGORITHMS, jitter=lambda: 0.5)
    keys.adopt(key_set(OLD), NOW_S)

    assert (keys.due(NOW_S + 569), keys.due(NOW_S + 570)) == (False, True)


def test_while_the_issuer_is_down_its_last_keys_are_good_for_24_hours_and_then_nothing_is_decided():
    edge = Edge(OLD)
    edge.published.go_down()
    long = token(OLD, exp=NOW_S + 100 * HOUR_S)

    assert said(edge.at(NOW_S + 24 * HOUR_S - 1), long) == "ok"
    edge.authenticator.forget()
    edge.at(NOW_S + 24 * HOUR_S)

    with pytest.raises(AuthRefused) as error:
        edge.accepts(long)
    assert (error.value.code, error.value.reason) == ("auth_unavailable", "keys_stale")
    assert not edge.refresher.ready()


def test_when_the_issuer_is_back_its_tokens_are_taken_again():
    edge = Edge(OLD)
    edge.published.go_down()
    edge.at(NOW_S + 25 * HOUR_S)
    edge.published.come_back()

    edge.at(NOW_S + 25 * HOUR_S + 30)

    assert said(edge, token(OLD, exp=NOW_S + 26 * HOUR_S)) == "ok"
    assert edge.refresher.ready()


def test_before_the_first_set_nothing_is_decided():
    edge = Edge(OLD)
    edge.keys.__init__(ALGORITHMS, jitter=lambda: 0.0)

    with pytest.raises(AuthRefused) as error:
        edge.accepts(token(OLD))

    assert (error.value.code, error.value.reason) == ("auth_unavailable", "keys_missing")


def test_without_a_set_it_is_tried_again_after_1_2_4_8_16_and_each_30_seconds():
    keys, tried = IssuerKeys(ALGORITHMS, jitter=lambda: 0.0), []

    for second in range(130):
        if keys.due(second):
            tried.append(second)
            keys.failed(second)

    assert tried == [0, 1, 3, 7, 15, 31, 61, 91, 121]


def test_with_a_set_a_failed_fetch_is_tried_again_each_30_seconds():
    edge = Edge(OLD)
    edge.published.go_down()

    assert fetches(edge, from_s=1, to_s=700) == [600, 630, 660, 690]
    assert edge.reports[-1] == ("https://idp.example", "unreachable")


def test_a_clock_that_is_set_back_makes_a_fetch_due():
    edge = Edge(OLD)

    edge.at(NOW_S - 5000)

    assert edge.published.asked == 2


# ── Rotation ────────────────────────────────────────────────────────────────────────────────────


def test_while_keys_rotate_tokens_of_both_are_taken_and_then_of_the_new_one_only():
    edge = Edge(OLD)
    edge.published.raw = key_set(OLD, NEW)
    edge.at(NOW_S + 600)

    assert [said(edge, token(key)) for key in (OLD, NEW)] == ["ok", "ok"]
    edge.published.raw = key_set(NEW)
    edge.at(NOW_S + 1200)

    assert [said(edge, token(key)) for key in (OLD, NEW)] == ["unknown_kid", "ok"]


def test_a_remembered_token_is_forgotten_when_its_key_is_withdrawn():
    edge = Edge(OLD, NEW)
    said(edge, token(OLD))
    edge.published.raw = key_set(NEW)

    edge.at(NOW_S + 600)

    assert len(edge.authenticator) == 0


def test_remembered_tokens_stay_when_a_key_is_added():
    edge = Edge(OLD)
    said(edge, token(OLD))
    edge.published.raw = key_set(OLD, NEW)

    edge.at(NOW_S + 600)

    assert len(edge.authenticator) == 1


def test_a_key_that_is_replaced_under_its_name_is_another_key():
    edge = Edge(OLD)
    said(edge, token(OLD))
    edge.published.raw = key_set(NEW.public_jwk(kid="2024"))

    edge.at(NOW_S + 600)

    assert said(edge, token(OLD)) == "bad_signature"


# ── Unknown keys ────────────────────────────────────────────────────────────────────────────────


def test_an_unknown_kid_is_refused_at_once_and_known_after_the_next_fetch():
    edge = Edge(OLD)
    edge.published.raw = key_set(OLD, NEW)

    assert said(edge.at(NOW_S + 40), token(NEW)) == "unknown_kid"
    assert said(edge.at(NOW_S + 41), token(NEW)) == "ok"


def test_unknown_kids_cause_one_fetch_in_30_seconds_however_many_there_are():
    edge, fetched = Edge(OLD), []

    for second in range(1, 125):
        for name in "abc":
            assert said(edge, token(ed_key(f"{name}{second % 7}"))) == "unknown_kid"
        fetched += fetches(edge, from_s=second, to_s=second + 1)

    assert fetched == [30, 60, 90, 120]


def test_that_holds_while_the_issuer_is_down_too():
    edge, fetched = Edge(OLD), []
    edge.published.go_down()

    for second in range(1, 125):
        assert said(edge, token(NEW)) == "unknown_kid"
        fetched += fetches(edge, from_s=second, to_s=second + 1)

    assert fetched == [30, 60, 90, 120]


def test_a_known_kid_causes_no_fetch():
    edge = Edge(OLD)

    for second in range(1, 500):
        edge.at(NOW_S + second)
        said(edge, token(OLD))

    assert edge.published.asked == 1


def test_a_request_never_fetches():
    edge = Edge(OLD)
    edge.now_s = NOW_S + 23 * HOUR_S

    said(edge, token(OLD, exp=NOW_S + 24 * HOUR_S))
    said(edge, token(NEW))

    assert edge.published.asked == 1


# ── Poisoned sets ───────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("raw", [b"", b'{"keys": []}', b"<html>", b" " * 70_000, key_set(OLD, OLD)])
def test_what_is_no_sound_set_leaves_the_keys_as_they_are(raw: bytes):
    edge = Edge(OLD)
    edge.published.raw = raw

    edge.at(NOW_S + 600)

    assert said(edge, token(OLD)) == "ok"
    assert edge.reports[-1][1] in {"not_a_key_set", "no_usable_key", "too_large", "duplicate_kid"}
    assert fetches(edge, from_s=601, to_s=640) == [630]


def test_a_refused_set_is_said_to_be_refused():
    with pytest.raises(KeySetRefused):
        IssuerKeys(ALGORITHMS, jitter=lambda: 0.0).adopt(b"{}", NOW_S)
