"""The effective partition key is the one the SDK computes for itself."""

import pytest
from azure.cosmos import PartitionKey

from cell_devstack.cosmos.engine import partition_ranges
from cell_devstack.cosmos.hashing import effective_partition_key, murmur3_128


@pytest.mark.parametrize(
    ("data", "halves"),
    [
        (b"", (0, 0)),
        (b"hello", (0xCBD8A7B341BD9B02, 0x5B1E906A48AE1D19)),
        (
            b"The quick brown fox jumps over the lazy dog",
            (0xE34BBC7BBC071B6C, 0x7A433CA9C49A9347),
        ),
    ],
)
def test_murmur3_gives_the_known_answers(data, halves):
    assert murmur3_128(data) == halves


@pytest.mark.parametrize(
    "value",
    ["", "a", "tenant-7/00", "x" * 15, "x" * 16, "y" * 101, "ü€", 0, 7, -1.5, True, False, None],
)
def test_a_place_is_where_the_sdk_says(value):
    wanted = PartitionKey("/pk")._get_effective_partition_key_string([value])

    assert effective_partition_key([value], hierarchical=False) == wanted


def test_a_hierarchical_place_is_where_the_sdk_says():
    key = PartitionKey(["/a", "/b", "/c"], kind="MultiHash")
    values = ["tenant", "user", 5]

    assert effective_partition_key(
        values, hierarchical=True
    ) == key._get_effective_partition_key_string(values)


@pytest.mark.parametrize("partitions", [1, 2, 3, 4, 32])
def test_every_place_lies_in_exactly_one_physical_partition(partitions):
    ranges = partition_ranges(partitions)
    used = set()

    for number in range(500):
        place = effective_partition_key([f"key-{number}"], hierarchical=False)
        owners = [one.number for one in ranges if one.low <= place < one.high]
        assert len(owners) == 1
        used.update(owners)

    assert used == set(range(partitions))
