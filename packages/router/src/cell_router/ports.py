"""What the router needs from outside: a registry's store and its source, time, keys.

Each promise is a test: the stores answer one contract suite, the sources another.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Protocol

from cell_core.wire.registry import CellRecord, Change, GroupRecord
from cell_router.auth.principal import Principal


class SourceUnavailable(Exception):
    """The source cannot be reached or answers nonsense; what is cached stays good. Try later."""


class SourceGone(Exception):
    """The source's feed no longer reaches back to what is held: take a whole snapshot."""


@dataclass(frozen=True, slots=True, kw_only=True)
class StoreMeta:
    """What a store holds. `rev` is 0 and `created_ms` 0 before the first snapshot."""

    rev: int
    created_ms: int
    tenants: int


class RegistryView(Protocol):
    """The registry at the edge, as a reader sees it.

    Keys are `t:<tenant>`, `g:<group>` and `c:<ordinal>`; values the texts of
    `cell_core.wire.registry`.
    """

    def get(self, key: bytes) -> bytes | None:
        """Return the value at `key` in the view of the last call of `version`."""

    def version(self) -> int:
        """Refresh this reader's view; return a number that changes whenever anything did."""

    def meta(self) -> StoreMeta:
        """Return what is held, in the same view."""


class RegistryStore(RegistryView, Protocol):
    """The registry at the edge: one writer, many readers, last-known-good on disk."""

    def replace(
        self,
        *,
        rev: int,
        created_ms: int,
        cells: Sequence[CellRecord],
        groups: Sequence[GroupRecord],
        tenants: Iterable[list[tuple[bytes, bytes]]],
    ) -> None:
        """Put a whole snapshot in place of everything, at once for readers.

        `tenants` yields sorted runs of (name, row text). If it raises, nothing has changed.
        """

    def apply(self, rev: int, changes: Sequence[Change]) -> None:
        """Apply `changes` up to `rev`, at once; no tenant and no group goes back in epoch."""


class Credentials(Protocol):
    """Says who sends a request, without waiting for anything."""

    def authenticate(
        self, authorization: bytes | None, api_key: bytes | None, now_s: int
    ) -> Principal:
        """Return whom the values of `Authorization` and `X-Api-Key` speak for.

        Raises:
            AuthRefused: With the code of the answer.
        """


class RegistrySource(Protocol):
    """Where the registry comes from. Blocking; used by the synchronising thread only.

    Every call raises `SourceUnavailable`; what it returns is untrusted until its signature is
    verified.
    """

    def snapshot(self, if_newer_than: int) -> bytes | None:
        """Return a snapshot, or None if there is none newer than rev `if_newer_than`."""

    def changes(self, after: int, wait_s: float) -> bytes | None:
        """Return a batch of changes behind rev `after`, waiting up to `wait_s` for one.

        None means that this source has no feed; its snapshot is polled then. Empty bytes mean
        that nothing has changed meanwhile.

        Raises:
            SourceGone: The feed begins behind `after`.
        """

    def find(self, tenant: str) -> bytes | None:
        """Return a batch with the one record of `tenant`, or None if it knows none."""
