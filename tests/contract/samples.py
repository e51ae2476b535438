"""The partitions, fences and documents that the promises are tested with; no test is in here."""

from collections.abc import Callable, Iterator
from typing import TypeAlias
from uuid import uuid4

import pytest

from cell_core.domain.documents import Advance, Batch, Create, Delete, Document, Put, log_key
from cell_core.domain.fence import Fence, Guard, Role
from cell_core.ports import CellStore

OpenStore: TypeAlias = Callable[[], CellStore]

EPOCH = 17
FENCE = Fence(role=Role.ACTIVE, epoch=EPOCH)
GUARD = Guard(role=Role.ACTIVE, epoch=EPOCH)
_PAGES_MAX = 5000


class OnOneBackend:
    """The fixtures of all promises but those about faults.

    A partition is new in each test, so that the suite also runs on a table that is not empty.
    """

    @pytest.fixture
    def open_store(self) -> OpenStore:
        """Return a function that opens independent stores onto one backend."""
        raise NotImplementedError("a binding gives it")

    @pytest.fixture
    def store(self, open_store: OpenStore) -> CellStore:
        return open_store()

    @pytest.fixture
    def partition(self) -> str:
        return new_partition()


def new_partition() -> str:
    """Return a partition that no test has used, in no database."""
    return f"T-{uuid4().hex}/00"


def document(key: str, version: int = 1, body: str = '{"a":1}') -> Document:
    """Return a document that is not a tombstone."""
    return Document(key, version, body)


def tombstone(key: str, version: int) -> Document:
    """Return what is left of a deleted entity."""
    return Document(key, version, "", deleted=True)


def stand(store: CellStore, partition: str, *documents: Document, fence: Fence = FENCE) -> None:
    """Create `fence` and write `documents`, in as many commits as it takes."""
    first, rest = documents[:89], documents[89:]
    store.commit(Batch(partition=partition, fence=Create(fence), writes=tuple(map(Put, first))))
    guard = Guard(role=fence.role, epoch=fence.epoch)
    for start in range(0, len(rest), 89):
        writes = tuple(map(Put, rest[start : start + 89]))
        store.commit(
            Batch(partition=partition, fence=Advance(guard, {"op": fence.op}), writes=writes)
        )


def step(
    partition: str, seq: int, *writes: Put | Delete, token: str | None = None, chain: str = ""
) -> Batch:
    """Return the commit that takes the fence from the seq before to `seq`."""
    guard = Guard(role=Role.ACTIVE, epoch=EPOCH, seq=seq - 1)
    sets: dict[str, str | int] = {"seq": seq} | ({"chain": chain} if chain else {})
    return Batch(partition=partition, fence=Advance(guard, sets), writes=writes, token=token)


def log(seq: int, body: str = "{}") -> Put:
    """Return the put of the journal entry at `seq`."""
    return Put(Document(log_key(seq), seq, body))


def found(store: CellStore, partition: str, key: str) -> Document | None:
    """Return the document at `key`."""
    return store.read(partition, [key]).documents.get(key)


def pages(store: CellStore, partition: str, prefix: str, limit: int) -> Iterator[list[Document]]:
    """Yield the pages of `prefix` until the store says that there is no more."""
    after = None
    for _ in range(_PAGES_MAX):
        page = store.page(partition, prefix, after=after, limit=limit)
        yield list(page.documents)
        after = page.after
        if after is None:
            return
    raise AssertionError("the pages never end")


def listed(store: CellStore, partition: str, prefix: str, limit: int = 1000) -> list[str]:
    """Return the keys on all pages of `prefix`, in the order in which they came."""
    return [line.key for page in pages(store, partition, prefix, limit) for line in page]
