r"""The documents of a partition, and the one atomic write that changes them (protocol.md 3, 4).

Keys hold no `/`, `\`, `?` or `#`, which a Cosmos id may not; ids hold no `:`, which therefore
separates. All characters are ASCII, so both clouds sort keys alike.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TypeAlias

from cell_core.domain.fence import Fence, Guard

FENCE = "FENCE"
LOG = "LOG:"
ENTITY = "ENT:"
IDEMPOTENCY = "IDEM:"
ORPHAN = "ORPH:"
TENANT = "TENANT:"

DIRECTORY = "~tenants/00"
"""The partition that lists a cell's tenants; no tenant's name can begin with a tilde."""


def log_key(seq: int) -> str:
    """Return the key of the journal entry at `seq`; keys sort as their numbers do."""
    return f"{LOG}{seq:020d}"


def stream_prefix(domain: str, stream: str) -> str:
    """Return what the keys of all entities of a stream begin with."""
    return f"{ENTITY}{domain}:{stream}:"


def entity_key(domain: str, stream: str, entity: str) -> str:
    """Return the key of an entity."""
    return f"{ENTITY}{domain}:{stream}:{entity}"


def idempotency_key(command_id: str) -> str:
    """Return the key of the record that says what became of a command."""
    return f"{IDEMPOTENCY}{command_id}"


def orphan_key(epoch: int, seq: int) -> str:
    """Return the key of a quarantined entry that was copied from another cell."""
    return f"{ORPHAN}{epoch:020d}:{seq:020d}"


def tenant_key(tenant: str) -> str:
    """Return the key of a tenant's line in the directory."""
    return f"{TENANT}{tenant}"


@dataclass(frozen=True, slots=True)
class Document:
    """One stored document other than a fence.

    Attributes:
        version: The seq of its last change; 0 for a directory line.
        body: Canonical JSON text, empty for a tombstone.
        tag: The store's own mark of exactly this stored state, where it has one.
    """

    key: str
    version: int
    body: str
    deleted: bool = False
    tag: str | None = field(default=None, compare=False)


@dataclass(frozen=True, slots=True)
class Put:
    """Write `document` in place of `over`, or where nothing stands if `over` is None."""

    document: Document
    over: Document | None = None


@dataclass(frozen=True, slots=True)
class Delete:
    """Remove a document that still is what was read."""

    document: Document


@dataclass(frozen=True, slots=True)
class Advance:
    """Set fields of the fence if `guard` admits it. Names are those of `Fence`."""

    guard: Guard
    sets: Mapping[str, str | int]


@dataclass(frozen=True, slots=True)
class Create:
    """Write the fence where none stands."""

    fence: Fence


@dataclass(frozen=True, slots=True)
class Remove:
    """Remove the fence if `guard` admits it."""

    guard: Guard


FenceChange: TypeAlias = Advance | Create | Remove


@dataclass(frozen=True, slots=True, kw_only=True)
class Batch:
    """One all-or-nothing write to one partition.

    Attributes:
        fence: What happens to the fence; None only in the directory.
        writes: At most 89, each on a different key.
        token: Equal for equal commits; lets DynamoDB recognise one that it has already done.
    """

    partition: str
    fence: FenceChange | None
    writes: tuple[Put | Delete, ...] = ()
    token: str | None = None


@dataclass(frozen=True, slots=True)
class Snapshot:
    """What one read found: the fence and the documents that exist, by key.

    The parts are each strongly consistent, but not one moment: see "Fence first" in protocol.md 4.
    """

    fence: Fence | None
    documents: Mapping[str, Document]


@dataclass(frozen=True, slots=True)
class Page:
    """Documents in key order; `after` continues behind the last one, None when there is no more."""

    documents: tuple[Document, ...]
    after: str | None
