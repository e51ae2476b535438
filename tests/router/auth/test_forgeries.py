"""No forged token is anybody's, before or after the good one was seen."""

import pytest

from cell_router.auth.refused import AuthRefused
from tests.router.auth import forgeries
from tests.router.auth.issuing import Edge


@pytest.fixture(scope="module")
def edge() -> Edge:
    return Edge()


def refused(edge: Edge, credential: bytes) -> AuthRefused:
    with pytest.raises(AuthRefused) as error:
        edge.accepts(credential)
    return error.value


def test_there_are_many_and_the_one_they_are_made_from_is_good(edge: Edge):
    assert len(set(forgeries.ALL.values())) > 120
    assert edge.accepts(forgeries.GOOD).tenant == "T-a"


@pytest.mark.parametrize("forged", forgeries.ALL.values(), ids=forgeries.ALL)
def test_a_forged_token_is_invalid_also_beside_the_good_one(edge: Edge, forged: bytes):
    for _ in range(2):
        assert refused(edge, forged).code == "credential_invalid"
        edge.accepts(forgeries.GOOD)


@pytest.mark.parametrize(
    ("group", "reasons"),
    [
        (
            forgeries.ALGORITHM,
            {"algorithm_refused", "algorithm_of_another_key", "malformed_token"},
        ),
        (forgeries.KEY, {"no_kid", "unknown_kid", "bad_signature", "algorithm_of_another_key"}),
        (forgeries.HEADER, {"header_refused", "malformed_token"}),
    ],
)
def test_what_is_wrong_is_said_to_the_log(edge: Edge, group: dict[str, bytes], reasons: set[str]):
    assert {refused(edge, forged).reason for forged in group.values()} <= reasons


def test_an_algorithm_that_the_issuer_does_not_use_is_refused_before_any_key_is_looked_for(
    edge: Edge,
):
    names = ("alg None", "HS256 over the PEM", "HS256 over nothing", "PS256 where RS256 is allowed")

    reasons = {refused(edge, forgeries.ALGORITHM[name]).reason for name in names}

    assert reasons == {"algorithm_refused"}


@pytest.mark.parametrize("at", range(0, len(forgeries.GOOD), 5))
def test_a_token_cut_anywhere_is_invalid(edge: Edge, at: int):
    assert refused(edge, forgeries.GOOD[:at]).code == "credential_invalid"


@pytest.mark.parametrize("at", range(0, len(forgeries.GOOD), 5))
def test_a_token_with_any_byte_changed_is_invalid(edge: Edge, at: int):
    changed = bytearray(forgeries.GOOD)
    changed[at] = ord("A") if changed[at] != ord("A") else ord("B")

    assert refused(edge, bytes(changed)).code == "credential_invalid"


def test_no_forgery_is_remembered(edge: Edge):
    before = len(edge.authenticator)

    for forged in forgeries.ALL.values():
        refused(edge, forged)

    assert len(edge.authenticator) <= max(before, 1)
