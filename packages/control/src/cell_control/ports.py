"""What the control plane needs from the world; each promise is a test of a contract suite.

Refuses to hold anything that only one adapter can keep.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from cell_control.domain.records import Kind


class RegistryError(Exception):
    """The registry did not do what was asked."""


class RegistryConflict(RegistryError):
    """A record is not at the rev that was read. Nothing was written; read again, then decide.

    Attributes:
        kind, key: The first record that differed.
    """

    def __init__(self, kind: str, key: str) -> None:
        super().__init__(f"{kind} {key} has changed")
        self.kind = kind
        self.key = key


class RegistryUnavailable(RegistryError):
    """The registry cannot be reached. Nothing was written."""


class RegistryUnknown(RegistryError):
    """A commit may have happened; read again to know."""


class ChangesGone(RegistryError):
    """`after` is not a rev of this registry's past: take a snapshot.

    Attributes:
        rev: Where this registry is.
    """

    def __init__(self, rev: int) -> None:
        super().__init__(f"the registry is at {rev}")
        self.rev = rev


@dataclass(frozen=True, slots=True, kw_only=True)
class Key:
    """Names a record."""

    kind: Kind
    key: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Record:
    """A record as it is stored.

    Attributes:
        rev: Of its last change.
        body: Canonical JSON text; empty for a tombstone.
        edge: What the edge is told of it (`cell_core.wire.registry`), or None if nothing.
        tag: By what it is listed; see `records.Tag`.
    """

    kind: Kind
    key: str
    rev: int
    body: str
    edge: str | None = None
    tag: str = ""
    deleted: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Write:
    """Put a record where it is still at `rev`, 0 meaning that there is none; no body deletes it.

    A tombstone counts as none.
    """

    kind: Kind
    key: str
    rev: int
    body: str | None
    edge: str | None = None
    tag: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Changes:
    """Records whose last change is behind a rev, in the order of their revs.

    Attributes:
        rev: Everything up to here is included; equal to the registry's rev if there is no more.
    """

    records: tuple[Record, ...]
    rev: int


class Registry(Protocol):
    """The source of truth: a linearizable map of records with an atomic compare-and-set.

    Each write of a commit gets the next rev; `skip_to` alone leaves a gap. A reader never sees rev
    n without all before n. May be used by several threads and processes. Raises `RegistryError`
    only.
    """

    def rev(self) -> int:
        """Return the rev of the last change; 0 for an empty registry."""

    def get(self, keys: Sequence[Key]) -> list[Record | None]:
        """Return the records at `keys` (at most 100) as of one moment; None for none."""

    def list(
        self, kind: Kind, *, tag: str | None = None, prefix: str = "", after: str = "", limit: int
    ) -> list[Record]:
        """Return at most `limit` (1 to 10,000) records of `kind` in the order of their keys.

        Those with `tag` only, if given; whose keys begin with `prefix` and are above `after`.
        Tombstones are left out.
        """

    def count(self, kind: Kind, *, tag: str | None = None) -> int:
        """Return how many records of `kind` there are, with `tag` if given."""

    def commit(self, writes: Sequence[Write]) -> int:
        """Do all of `writes` (1 to 1,000, on different records) or none; return the last one's rev.

        Raises:
            RegistryConflict: A record is not at its rev. Nothing was written.
            RegistryUnavailable: Nothing was written.
            RegistryUnknown: All were written, or none.
        """

    def skip_to(self, rev: int) -> int:
        """Leave revs out, so that the next commit is above `rev`; return where the registry is.

        One that is there or further stays as it is. Of one that was below, no record changes, and
        it is at `rev`: every `after` below that raises `ChangesGone`, so each follower takes a
        snapshot. May be done again.

        Raises:
            RegistryUnavailable: Nothing was done.
            RegistryUnknown: It may have been done.
        """

    def changes(self, after: int, *, kinds: Sequence[Kind], limit: int) -> Changes:
        """Return what changed behind rev `after`, tombstones included, each record once.

        Raises:
            ChangesGone: `after` is above the registry's rev, or older than what it remembers.
        """

    def wait(self, after: int, timeout_s: float) -> int:
        """Return the rev once it is above `after`, at the latest after `timeout_s`."""

    def close(self) -> None:
        """Let go of connections."""
