"""What `CellStore.commit` promises to writers at once: one winner, and no update is lost."""

import sys
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager

import pytest

from cell_core.domain.documents import Advance, Batch, Document, Put, entity_key, log_key
from cell_core.domain.errors import Fenced, LostRace, Unavailable
from cell_core.domain.fence import Role
from cell_core.ports import CellStore
from tests.contract.contract import Contract
from tests.contract.samples import (
    GUARD,
    OnOneBackend,
    OpenStore,
    document,
    found,
    listed,
    log,
    stand,
    step,
)

_WRITERS = 8
_WINS = 10
_ATTEMPTS_MAX = 2000
_COUNTER = entity_key("records", "main", "counter")


class RacePromises(OnOneBackend, Contract):
    """Promises that only threads can break; each writer has a store of its own."""

    @pytest.fixture
    def racing(self, open_store: OpenStore, partition: str) -> list[CellStore]:
        """Return a store for each writer, on a partition with a fence and a counter at 0."""
        if self.no_races:
            pytest.skip(self.no_races)
        stores = [open_store() for _ in range(_WRITERS)]
        stand(stores[0], partition, document(_COUNTER, 0, "0"))
        return stores

    def test_of_writers_that_advance_one_fence_exactly_one_wins_each_seq(
        self, racing: list[CellStore], partition: str
    ) -> None:
        won = _at_once(racing, lambda store: _wins(lambda: _next_seq(store, partition)))

        total = _WRITERS * _WINS
        assert sorted(won) == list(range(1, total + 1))
        snapshot = racing[0].read(partition, [_COUNTER])
        assert snapshot.fence is not None
        assert snapshot.fence.seq == total
        assert snapshot.documents[_COUNTER] == document(_COUNTER, total, str(total))
        assert listed(racing[0], partition, "LOG:") == [log_key(n + 1) for n in range(total)]

    def test_of_writers_that_change_one_document_none_overwrites_another(
        self, racing: list[CellStore], partition: str
    ) -> None:
        won = _at_once(racing, lambda store: _wins(lambda: _next_version(store, partition)))

        total = _WRITERS * _WINS
        assert sorted(won) == list(range(1, total + 1))
        assert found(racing[0], partition, _COUNTER) == document(_COUNTER, total, str(total))

    def test_nothing_is_written_after_a_freeze_that_succeeded(
        self, racing: list[CellStore], partition: str
    ) -> None:
        frozen_at: list[int] = []
        under_way = threading.Event()

        def write(store: CellStore) -> int:
            seq = _next_seq(store, partition)
            if seq >= 5:
                under_way.set()
            return seq

        def write_or_freeze(store: CellStore) -> list[int]:
            if store is racing[0]:
                assert under_way.wait(timeout=30)
                frozen_at.append(_freeze(store, partition))
                return []
            return _wins(lambda: write(store))

        won = _at_once(racing, write_or_freeze)

        fence = racing[0].read(partition, []).fence
        assert fence is not None
        assert (fence.role, fence.seq) == (Role.FROZEN, frozen_at[0])
        assert sorted(won) == list(range(1, fence.seq + 1))
        assert len(listed(racing[0], partition, "LOG:")) == fence.seq


def _at_once(stores: list[CellStore], work: Callable[[CellStore], list[int]]) -> list[int]:
    """Return all that `work` returned, run in one thread for each store from one moment on."""
    start = threading.Barrier(len(stores), timeout=30)

    def started(store: CellStore) -> list[int]:
        start.wait()
        return work(store)

    with ThreadPoolExecutor(len(stores)) as threads, _often_switching():
        return [number for numbers in threads.map(started, stores) for number in numbers]


@contextmanager
def _often_switching() -> Iterator[None]:
    """Let threads take turns so often that a store in memory meets them too."""
    usual_s = sys.getswitchinterval()
    sys.setswitchinterval(1e-4)
    try:
        yield
    finally:
        sys.setswitchinterval(usual_s)


def _wins(attempt: Callable[[], int]) -> list[int]:
    """Return what `attempt` won until it won often enough or was fenced out."""
    won: list[int] = []
    for _ in range(_ATTEMPTS_MAX):
        try:
            won.append(attempt())
        except (LostRace, Unavailable):  # Either way nothing was written.
            continue
        except Fenced:
            return won
        if len(won) == _WINS:
            return won
    raise AssertionError("starved: every attempt lost its race")


def _next_seq(store: CellStore, partition: str) -> int:
    # In one read all parts may be of different moments; the commit must notice.
    snapshot = store.read(partition, [_COUNTER])
    assert snapshot.fence is not None
    seq = snapshot.fence.seq + 1
    counter = snapshot.documents[_COUNTER]
    following = Document(_COUNTER, seq, str(int(counter.body) + 1))
    store.commit(step(partition, seq, Put(following, counter), log(seq)))
    return seq


def _next_version(store: CellStore, partition: str) -> int:
    counter = found(store, partition, _COUNTER)
    assert counter is not None
    following = document(_COUNTER, counter.version + 1, str(counter.version + 1))
    put = Put(following, counter)
    store.commit(Batch(partition=partition, fence=Advance(GUARD, {}), writes=(put,)))
    return following.version


def _freeze(store: CellStore, partition: str) -> int:
    freeze = Batch(partition=partition, fence=Advance(GUARD, {"role": Role.FROZEN.value}))
    for _ in range(_ATTEMPTS_MAX):
        try:
            store.commit(freeze)
        except (LostRace, Unavailable):  # Either way nothing was written.
            continue
        frozen = store.read(partition, []).fence
        assert frozen is not None
        return frozen.seq
    raise AssertionError("starved: it was never frozen")
