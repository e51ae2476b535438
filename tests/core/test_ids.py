"""Identifiers, epochs and stripes."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cell_core.domain.ids import (
    CELLS_MAX,
    EPOCH_MAX,
    STRIPES_MAX,
    is_entity_id,
    is_id,
    next_epoch,
    owner,
    partition_of,
    split_partition,
    stripe_of,
)
from tests.characters import ids

epochs = st.integers(0, EPOCH_MAX)
ordinals = st.integers(0, CELLS_MAX - 1)


@pytest.mark.parametrize("text", ["a", "0", "T-100", "a.b_c~d-e", "A" * 64, "01J9ZK7Q"])
def test_an_id_is_made_of_what_needs_no_escaping(text):
    assert is_id(text)


@pytest.mark.parametrize(
    "text",
    [
        "",
        ".a",
        "-a",
        "_a",
        "~a",
        "a" * 65,
        "a b",
        "a/b",
        "a:b",
        "a%41",
        "a\n",
        "\na",
        "é",
        "a\u0661",
    ],
)
def test_anything_else_is_no_id(text):
    assert not is_id(text)


def test_an_entity_id_may_be_16_characters_longer():
    assert is_entity_id("a" * 80)
    assert not is_entity_id("a" * 81)
    assert not is_entity_id("account.a\n")


@given(epochs, ordinals)
def test_the_next_epoch_is_the_first_larger_one_of_its_owner(current, ordinal):
    found = next_epoch(current, ordinal)

    assert owner(found) == ordinal
    assert current < found <= current + CELLS_MAX


@given(epochs, ordinals, ordinals)
def test_two_cells_never_mint_the_same_epoch(current, one, other):
    assert (next_epoch(current, one) == next_epoch(current, other)) == (one == other)


@given(st.sampled_from(["ledger", "records"]), ids(9))
def test_a_stream_lives_in_one_of_the_stripes(domain, stream):
    for stripes in range(1, STRIPES_MAX + 1):
        assert 0 <= stripe_of(domain, stream, stripes) < stripes


def test_a_stream_never_changes_its_stripe():
    # Written down: another hash would lose every stream that is stored already.
    assert [stripe_of("ledger", stream, 8) for stream in ("main", "eu", "us", "x")] == [0, 3, 7, 2]


def test_streams_of_one_tenant_spread_over_its_stripes():
    assert {stripe_of("ledger", f"s{n}", 16) for n in range(200)} == set(range(16))


@given(ids(10), st.integers(0, 63))
def test_a_partition_key_can_be_taken_apart(tenant, stripe):
    assert split_partition(partition_of(tenant, stripe)) == (tenant, stripe)
