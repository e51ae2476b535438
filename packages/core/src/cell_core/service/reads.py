"""Linearizable reads: data and fence together, answered only if the fence still serves.

A frozen stripe answers none: the model finds the stale read otherwise (protocol.md 4).
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import TypeVar

from cell_core.domain.documents import LOG, Document, Page, entity_key, stream_prefix
from cell_core.domain.errors import LostRace, NotFound, Rejected
from cell_core.domain.fence import Fence
from cell_core.domain.journal import Entry, read_entry
from cell_core.domain.limits import PAGE_MAX
from cell_core.ports import CellStore
from cell_core.service.control import Cell
from cell_core.service.paging import cut
from cell_core.service.positions import Positions
from cell_core.service.serving import Serving

Read = TypeVar("Read")

VIEW_PAGES_MAX = 100
"""A view reads at most 100,000 entities, or 100 pages of 1 MB."""

_VIEW_ATTEMPTS_MAX = 3
_READ_ATTEMPTS_MAX = 2
"""A stripe that was activated by a read is active at the second one."""


@dataclass(frozen=True, slots=True)
class Reading:
    """Where a read is addressed to, and at which epoch it was routed."""

    tenant: str
    epoch: int
    domain: str
    stream: str


class Reader:
    """Reads of one cell's tenants."""

    def __init__(self, store: CellStore, positions: Positions, cell: Cell) -> None:
        self._store = store
        self._positions = positions
        self._serving = Serving(store, positions, cell)

    def entity(self, at: Reading, entity: str) -> tuple[Document, Fence]:
        """Return one entity.

        Raises:
            NotFound: `tenant_not_found`, `entity_not_found`.
            Fenced: `moved`, `frozen`, `epoch_behind`; as for all reads.
        """
        key = entity_key(at.domain, at.stream, entity)
        document, fence = self._read(at, key)
        if document is None or document.deleted:
            raise NotFound("entity_not_found", entity=entity)
        return document, fence

    def stream(self, at: Reading) -> Fence:
        """Return the position of the stripe in which the stream lives.

        Raises:
            NotFound: `stream_not_found`; nothing was ever written to it.
        """
        page, fence = self.entities(at, after=None, limit=1)
        if not page.documents:
            raise NotFound("stream_not_found", stream=at.stream)
        return fence

    def entities(self, at: Reading, *, after: str | None, limit: int) -> tuple[Page, Fence]:
        """Return entities of a stream in the order of their ids, tombstones included."""
        start = None if after is None else entity_key(at.domain, at.stream, after)
        prefix = stream_prefix(at.domain, at.stream)
        partition = self._partition(at)
        return self._with_fence(
            at,
            partition,
            lambda: cut(self._store.page(partition, prefix, after=start, limit=limit)),
        )

    def events(
        self, at: Reading, *, after: str | None, limit: int
    ) -> tuple[list[Entry], str | None, Fence]:
        """Return the stream's entries among `limit` of its stripe, and where to go on."""
        partition = self._partition(at)
        page, fence = self._with_fence(
            at, partition, lambda: cut(self._store.page(partition, LOG, after=after, limit=limit))
        )
        entries = [read_entry(document.body) for document in page.documents]
        here = [e for e in entries if (e.domain, e.stream) == (at.domain, at.stream)]
        return here, page.after, fence

    def whole(self, at: Reading) -> tuple[list[Document], Fence]:
        """Return all entities of a stream as they are at one position.

        Raises:
            LostRace: `contention`; the stream changed under each of a few attempts.
            Rejected: `view_too_large`; such a stream is the lake's business.
        """
        for _ in range(_VIEW_ATTEMPTS_MAX):
            before = self._fence(at, self._partition(at))
            documents = list(self._pages(at))
            after = self._fence(at, self._partition(at))
            if (before.seq, before.chain) == (after.seq, after.chain):
                return documents, after
        raise LostRace

    def _pages(self, at: Reading) -> Iterator[Document]:
        after: str | None = None
        for _ in range(VIEW_PAGES_MAX):
            prefix = stream_prefix(at.domain, at.stream)
            page = self._store.page(self._partition(at), prefix, after=after, limit=PAGE_MAX)
            yield from (document for document in page.documents if not document.deleted)
            after = page.after
            if after is None:
                return
        raise Rejected("view_too_large")

    def _partition(self, at: Reading) -> str:
        return self._positions.locate(at.tenant, at.domain, at.stream)

    def _with_fence(
        self, at: Reading, partition: str, read: Callable[[], Read]
    ) -> tuple[Read, Fence]:
        """Return what `read` found, and the fence that served behind it."""
        for _ in range(_READ_ATTEMPTS_MAX):
            value = read()
            found = self._learn(at, partition)
            fence = self._check(at, partition, found)
            if fence is found:
                return value, fence
        raise LostRace

    def _fence(self, at: Reading, partition: str) -> Fence:
        return self._check(at, partition, self._learn(at, partition))

    def _read(self, at: Reading, key: str) -> tuple[Document | None, Fence]:
        partition = self._partition(at)
        for _ in range(_READ_ATTEMPTS_MAX):
            snapshot = self._store.read(partition, (key,))
            self._positions.note(partition, snapshot.fence)
            fence = self._check(at, partition, snapshot.fence)
            if fence is snapshot.fence:
                return snapshot.documents.get(key), fence
        raise LostRace

    def _learn(self, at: Reading, partition: str) -> Fence:
        try:
            return self._positions.learn(partition)
        except NotFound:
            self._check_located(at, partition)
            raise

    def _check(self, at: Reading, partition: str, found: Fence | None) -> Fence:
        try:
            fence = self._serving.check(partition, found, at.epoch)
        except NotFound:
            self._check_located(at, partition)
            raise
        self._check_located(at, partition)
        return fence

    def _check_located(self, at: Reading, partition: str) -> None:
        if self._partition(at) != partition:
            raise LostRace  # The tenant was made anew with another number of stripes.
