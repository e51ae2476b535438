"""What a registry promises to many at once: one winner, no gap, no torn commit."""

import threading
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor

import pytest

from cell_control.domain.records import KINDS
from cell_control.ports import Key, Record, Registry, RegistryConflict, Write
from tests.contract.contract import Contract
from tests.control.registry.samples import (
    FullRegistry,
    OnOneBackend,
    OpenRegistry,
    delete,
    found,
    put,
    revs,
)

_WRITERS = 8
_WINS = 5
_THREADS = 32
_COMMITS = 3
_PAIR = [Key(kind="usage", key="left"), Key(kind="usage", key="right")]


class RacePromises(OnOneBackend, Contract):
    """Promises that only threads can break."""

    @pytest.fixture
    def racing(self, open_registry: OpenRegistry) -> list[FullRegistry]:
        """Return four registries, which several threads share."""
        return [open_registry() for _ in range(4)]

    def test_of_writers_that_change_one_record_exactly_one_wins_each_rev(
        self, racing: list[FullRegistry]
    ) -> None:
        racing[0].commit([put("count", body="0")])

        won = _at_once(racing, _WRITERS, lambda registry, _n: _increments(registry))

        total = _WRITERS * _WINS
        assert sorted(won) == list(range(2, total + 2))
        assert found(racing[0], "count").body == str(total)

    def test_of_writers_that_create_one_record_exactly_one_wins(
        self, racing: list[FullRegistry]
    ) -> None:
        won = _at_once(racing, _WRITERS, _creates)

        assert won == [1]
        assert racing[0].rev() == 1

    def test_threads_that_commit_leave_no_gap_and_readers_see_none(
        self, racing: list[FullRegistry]
    ) -> None:
        total = _THREADS * _COMMITS * 2

        def work(registry: Registry, n: int) -> list[int]:
            if n < _THREADS:
                return _commits(registry, n)
            return [-1] if _followed(registry, total) else []

        given = _at_once(racing, _THREADS + 2, work)

        taken = sorted(rev for rev in given if rev > 0)
        assert taken == list(range(2, total + 1, 2))
        assert given.count(-1) == 2
        everything = racing[0].changes(0, kinds=KINDS, limit=1000)
        assert revs(everything.records) == list(range(1, total + 1))

    def test_a_reader_never_sees_half_a_commit(self, racing: list[FullRegistry]) -> None:
        racing[0].commit([put(key.key, body="0", kind="usage") for key in _PAIR])

        is_over = threading.Event()

        def work(registry: Registry, n: int) -> Iterable[int]:
            if n:
                return _differences(registry, is_over)
            for step in range(1, 11):
                pair = [found(registry, key.key, "usage") for key in _PAIR]
                registry.commit([put(r.key, r.rev, str(step), kind="usage") for r in pair if r])
            is_over.set()
            return []

        assert set(_at_once(racing, 4, work)) == {0}
        assert found(racing[0], "left", "usage").body == "10"

    def test_a_deletion_and_a_change_do_not_both_win(self, racing: list[FullRegistry]) -> None:
        for n in range(8):
            rev = racing[0].commit([put(f"T-{n}")])
            writes = [put(f"T-{n}", rev, '"new"'), delete(f"T-{n}", rev)]

            won = _at_once(racing, 2, lambda registry, n, w=writes: _tries(registry, w[n]))

            assert won == [rev + 1]


def _at_once(
    registries: list[FullRegistry], threads: int, work: Callable[[Registry, int], Iterable[int]]
) -> list[int]:
    """Return all that `work` returned, run in so many threads from one moment on."""
    start = threading.Barrier(threads, timeout=30)

    def started(n: int) -> Iterable[int]:
        start.wait()
        return work(registries[n % len(registries)], n)

    with ThreadPoolExecutor(threads) as pool:
        return [number for numbers in pool.map(started, range(threads)) for number in numbers]


def _increments(registry: Registry) -> list[int]:
    won: list[int] = []
    for _ in range(2000):
        record = found(registry, "count")
        assert record is not None
        won += _tries(registry, put("count", record.rev, str(int(record.body) + 1)))
        if len(won) == _WINS:
            return won
    raise AssertionError("starved: every attempt lost its race")


def _creates(registry: Registry, n: int) -> list[int]:
    return _tries(registry, put("count", body=str(n)))


def _tries(registry: Registry, write: Write) -> list[int]:
    try:
        return [registry.commit([write])]
    except RegistryConflict:
        return []


def _commits(registry: Registry, n: int) -> list[int]:
    return [
        registry.commit([put(f"T-{n}-{step}"), put(f"A-{n}-{step}", kind="audit")])
        for step in range(_COMMITS)
    ]


def _followed(registry: Registry, total: int) -> bool:
    """Follow the changes until `total`; say whether they were all revs in their order."""
    seen: list[Record] = []
    rev = 0
    while rev < total:
        registry.wait(rev, 30.0)
        changes = registry.changes(rev, kinds=KINDS, limit=7)
        seen += changes.records
        rev = changes.rev
    return revs(seen) == list(range(1, total + 1))


def _differences(registry: Registry, is_over: threading.Event) -> set[int]:
    """Return by how much both records of the pair ever differed, seen until `is_over`."""
    seen: set[int] = set()
    while not is_over.is_set():
        left, right = registry.get(_PAIR)
        assert left is not None
        assert right is not None
        seen.add(int(left.body) - int(right.body))
    return seen
