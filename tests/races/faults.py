"""The faults that a race has to expose: what a cell would be if a rule of protocol.md 4 was broken.

Each is a processor or a store as it must not be; `Right` is the one that ships.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Final

from cell_core.domain.documents import Batch, Page, Put, Snapshot
from cell_core.domain.fence import Fence
from cell_core.ports import CellStore
from cell_core.service.plan import Ask
from cell_core.service.process import Processor

_LOOKS_MAX: Final = 20


class EntitiesFirst(Processor):
    """Reads entities before it knows the position, and takes whatever position it finds then.

    It looks at the fence a few times before it goes on, until another writer was there: the
    window is in the order of the reads, this only holds it open.
    """

    def _read(self, partition: str, epoch: int, asks: Sequence[Ask]) -> tuple[Fence, Snapshot]:
        keys = list(dict.fromkeys(key for ask in asks for key in ask.needs()))
        snapshot = self._store.read(partition, keys)
        found = snapshot.fence
        for _ in range(_LOOKS_MAX):
            if found != snapshot.fence:
                break
            found = self._positions.learn(partition)
        return self._serving.check("", found, epoch), snapshot


class BlindWrites:
    """A store that overwrites entities whatever they are by now."""

    def __init__(self, inner: CellStore) -> None:
        self._inner = inner

    def read(self, partition: str, keys: Sequence[str]) -> Snapshot:
        return self._inner.read(partition, keys)

    def page(self, partition: str, prefix: str, *, after: str | None, limit: int) -> Page:
        return self._inner.page(partition, prefix, after=after, limit=limit)

    def ping(self) -> None:
        self._inner.ping()

    def commit(self, batch: Batch) -> None:
        keys = [w.document.key for w in batch.writes if isinstance(w, Put) and w.over]
        found = self._inner.read(batch.partition, keys).documents
        writes = tuple(
            replace(w, over=found[w.document.key]) if isinstance(w, Put) and w.over else w
            for w in batch.writes
        )
        self._inner.commit(replace(batch, writes=writes))


@dataclass(frozen=True, slots=True)
class Build:
    """How to make a cell's parts."""

    processor: type[Processor] = Processor
    store: Callable[[CellStore], CellStore] = lambda store: store


BUILDS: Final = {
    "right": Build(),
    "entities-first": Build(processor=EntitiesFirst),
    "entities-first-and-blind": Build(processor=EntitiesFirst, store=BlindWrites),
}
