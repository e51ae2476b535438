"""What is remembered of verified credentials, how much, and for how long."""

import pytest

from cell_router.auth.recent import Recent
from cell_router.auth.refused import AuthRefused
from tests.router.auth.issuing import NOW_S, Edge, bearer, token


def test_a_credential_seen_before_is_not_verified_again():
    edge, credential = Edge(), token()

    first = edge.accepts(credential)

    assert edge.accepts(bytes(bytearray(credential))) is first


def test_what_was_forgotten_is_verified_anew():
    edge, credential = Edge(), token()
    first = edge.accepts(credential)

    edge.authenticator.forget()

    assert len(edge.authenticator) == 0
    assert edge.accepts(credential) == first


def test_refusals_are_not_remembered():
    edge = Edge()

    for number in range(50):
        with pytest.raises(AuthRefused):
            edge.accepts(token(aud=f"other-{number}"))

    assert len(edge.authenticator) == 0


def test_no_more_tokens_are_remembered_than_allowed_and_all_are_verified():
    edge = Edge(remembered_max=20)
    tokens = [token(sub=f"s{number}") for number in range(100)]

    found = [edge.accepts(one).id.split("#")[1] for one in [*tokens, tokens[0]]]

    assert found == [f"s{number}" for number in range(100)] + ["s0"]
    assert len(edge.authenticator) <= 20


def test_equal_scopes_of_many_principals_are_one_object():
    edge = Edge()

    scopes = {id(edge.accepts(token(sub=f"s{number}")).scopes) for number in range(9)}

    assert len(scopes) == 1


def test_a_token_of_one_request_is_not_that_of_another():
    edge = Edge()

    found = [edge.accepts(token(sub=name, tenant=name)).tenant for name in ("a", "b", "a")]

    assert found == ["a", "b", "a"]


def test_half_the_entries_allowed_are_there_however_they_are_used():
    recent: Recent[int] = Recent(entries_max=20, bytes_max=10_000)

    for number in range(1000):
        recent.put(str(number).encode(), number)
        last = range(max(0, number - 9), number + 1)
        assert [recent.get(str(n).encode()) for n in last] == list(last)
        assert len(recent) <= 20


def test_what_is_used_again_and_again_outlives_what_is_not():
    recent: Recent[str] = Recent(entries_max=20, bytes_max=10_000)
    recent.put(b"hot", "hot")

    for number in range(1000):
        recent.put(str(number).encode(), "cold")
        assert recent.get(b"hot") == "hot"


def test_the_bytes_of_what_is_remembered_are_bounded():
    recent: Recent[int] = Recent(entries_max=1000, bytes_max=2000)

    for number in range(500):
        recent.put(f"{number:0100}".encode(), number)

    assert 10 <= len(recent) <= 20


def test_what_is_too_large_is_not_remembered_and_drives_out_nothing():
    recent: Recent[int] = Recent(entries_max=10, bytes_max=100)
    recent.put(b"small", 1)

    recent.put(b"x" * 51, 2)

    assert (recent.get(b"small"), recent.get(b"x" * 51)) == (1, None)


def test_what_is_dropped_gives_its_room_back():
    recent: Recent[int] = Recent(entries_max=10, bytes_max=100)
    recent.put(b"stays", 1)

    for number in range(100):
        recent.put(b"x" * 40, number)
        recent.drop(b"x" * 40)

    assert (len(recent), recent.get(b"x" * 40), recent.get(b"stays")) == (1, None, 1)


def test_time_is_asked_at_each_use():
    edge, credential = Edge(leeway_s=0), token(exp=NOW_S + 1)
    edge.accepts(credential)

    with pytest.raises(AuthRefused):
        edge.authenticator.authenticate(bearer(credential), None, NOW_S + 1)
