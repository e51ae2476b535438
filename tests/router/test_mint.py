"""Minted command ids are UUIDs of version 7."""

import uuid

from hypothesis import given
from hypothesis import strategies as st

from cell_core.domain.ids import is_id
from cell_router.mint import uuid7

times = st.integers(0, 2**48 - 1)
bits = st.integers(0, 2**74 - 1)


@given(times, bits)
def test_it_is_a_uuid_of_version_7_and_an_id_of_a_cell(now_ms: int, random_bits: int):
    text = uuid7(now_ms, random_bits)

    read = uuid.UUID(text)
    assert (str(read), read.version, read.variant) == (text, 7, uuid.RFC_4122)
    assert read.int >> 80 == now_ms
    assert is_id(text)


@given(times, bits, bits)
def test_every_bit_counts(now_ms: int, one: int, other: int):
    assert (uuid7(now_ms, one) == uuid7(now_ms, other)) == (one == other)


@given(times, times, bits)
def test_later_ones_sort_behind(earlier: int, later: int, random_bits: int):
    if earlier < later:
        assert uuid7(earlier, random_bits) < uuid7(later, random_bits)
