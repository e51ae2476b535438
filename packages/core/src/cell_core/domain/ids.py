"""Identifiers, epochs and stripes: the arithmetic of who owns what.

Refuses to know where anything is stored; `cell_core.domain.documents` names the documents.
"""

import re
import zlib

ID_PATTERN = r"^[A-Za-z0-9][A-Za-z0-9._~-]{0,63}$"
"""Tenants, streams, commands, cells: safe in a URL, a Cosmos id and a header, unescaped."""

ENTITY_PATTERN = r"^[A-Za-z0-9][A-Za-z0-9._~-]{0,79}$"
"""An entity's id: a kind, a dot and an id (`account.alice`), hence 16 characters longer."""

CELLS_MAX = 16
"""Ordinals run from 0 to 15; an epoch names its owner by its remainder (protocol.md 2)."""

STRIPES_MAX = 64
EPOCH_MAX = 2**52

_ID = re.compile(ID_PATTERN)
_HASH = re.compile(r"[0-9a-f]{64}")
_ENTITY = re.compile(ENTITY_PATTERN)


def is_id(text: str) -> bool:
    """Say whether `text` is an identifier of a tenant, stream, command or cell."""
    return _ID.fullmatch(text) is not None


def is_entity_id(text: str) -> bool:
    """Say whether `text` is an identifier of an entity."""
    return _ENTITY.fullmatch(text) is not None


def is_command_id(text: str) -> bool:
    """Say whether `text` is a command's id; one that a cell issued itself holds colons."""
    return all(map(is_id, text.split(":")))


def is_hash(text: object) -> bool:
    """Say whether `text` is a SHA-256 or a digest, in lower case hexadecimal."""
    return isinstance(text, str) and _HASH.fullmatch(text) is not None


def owner(epoch: int) -> int:
    """Return the ordinal of the cell that owns `epoch`."""
    return epoch % CELLS_MAX


def next_epoch(current: int, ordinal: int) -> int:
    """Return the smallest epoch above `current` that the cell with `ordinal` owns.

    Two cells promoted at once can therefore never mint the same epoch.
    """
    return current + 1 + (ordinal - current - 1) % CELLS_MAX


def stripe_of(domain: str, stream: str, stripes: int) -> int:
    """Return the stripe in which `stream` of `domain` lives, for good."""
    return zlib.crc32(f"{domain}/{stream}".encode()) % stripes


def partition_of(tenant: str, stripe: int) -> str:
    """Return the key of the one partition that holds everything of a stripe."""
    return f"{tenant}/{stripe:02d}"


def split_partition(partition: str) -> tuple[str, int]:
    """Return the tenant and the stripe of a partition key; the inverse of `partition_of`."""
    tenant, _, stripe = partition.rpartition("/")
    return tenant, int(stripe)
