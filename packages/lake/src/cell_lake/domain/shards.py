"""Which of a cell's 16 sequences of appends a stripe belongs to, and what that sequence is named.

Refuses to change: a stripe that went to another shard would be published by two sequences.
"""

import zlib
from dataclasses import dataclass
from typing import Final

from cell_core.domain.ids import partition_of

SHARDS: Final = 16


@dataclass(frozen=True, slots=True, order=True)
class Stripe:
    """A shard of a tenant: one journal."""

    tenant: str
    number: int

    @property
    def partition(self) -> str:
        """The partition in which its journal lies."""
        return partition_of(self.tenant, self.number)

    @property
    def shard(self) -> int:
        """The shard that publishes it, for good."""
        return zlib.crc32(self.partition.encode()) % SHARDS


@dataclass(frozen=True, slots=True, kw_only=True)
class Origin:
    """The cell whose relay this is, as rows name it.

    Attributes:
        ordinal: The remainder of the epochs at which this cell wrote.
    """

    cell: str
    ordinal: int
    cloud: str

    def application(self, shard: int) -> str:
        """Return the name under which the table counts the appends of `shard`."""
        return f"{self.cell}/{shard}"


def partition_of_shard(shard: int) -> str:
    """Return the partition that holds a shard's state; no tenant's name begins with a tilde."""
    return f"~relay/{shard:02d}"
