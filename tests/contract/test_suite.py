"""The contract bites: each way to break a store, or to dodge the contract, fails a promise."""

import inspect
import itertools
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from cell_core.domain.errors import CellError
from cell_core.memory import MemoryBackend, MemoryCellStore
from tests.contract import flawed
from tests.contract.contract import marks, overridden
from tests.contract.samples import document, new_partition, stand
from tests.contract.suite import CellStoreContract, FailingStoreContract

PROMISE = CellStoreContract()

FLAWS: list[tuple[type[MemoryCellStore], Callable[..., None]]] = [
    (
        flawed.IgnoresSeq,
        PROMISE.test_a_guard_that_does_not_hold_is_refused_with_the_fence_found,
    ),
    (
        flawed.IgnoresChain,
        PROMISE.test_a_guard_that_does_not_hold_is_refused_with_the_fence_found,
    ),
    (flawed.CreatesOverAFence, PROMISE.test_creating_twice_is_a_lost_race_and_writes_nothing),
    (
        flawed.OverwritesWhatItDidNotRead,
        PROMISE.test_a_document_that_is_not_what_was_read_stops_the_whole_batch,
    ),
    (
        flawed.DeletesWhatItDidNotRead,
        PROMISE.test_a_document_that_is_not_what_was_read_stops_the_whole_batch,
    ),
    (
        flawed.MovesTheFenceFirst,
        PROMISE.test_a_document_that_is_not_what_was_read_stops_the_whole_batch,
    ),
    (flawed.WritesDocumentsFirst, PROMISE.test_a_refused_guard_writes_nothing_of_the_batch),
    (
        flawed.SaysMovedForEverything,
        PROMISE.test_a_guard_that_does_not_hold_is_refused_with_the_fence_found,
    ),
    (
        flawed.HidesTheFenceFound,
        PROMISE.test_a_guard_that_does_not_hold_is_refused_with_the_fence_found,
    ),
    (flawed.HidesTombstones, PROMISE.test_a_tombstone_is_read_like_any_document),
    (flawed.ReadsAnOldFence, PROMISE.test_each_store_sees_the_other_s_commits_at_once),
    (
        flawed.StopsAtAShortPage,
        PROMISE.test_no_page_is_longer_than_asked_and_all_together_are_everything,
    ),
    (
        flawed.ShowsTheLastKeyAgain,
        PROMISE.test_no_page_is_longer_than_asked_and_all_together_are_everything,
    ),
    (flawed.PagesPastThePrefix, PROMISE.test_a_page_shows_its_own_prefix_only),
    (flawed.SharesPartitions, PROMISE.test_partitions_do_not_see_each_other),
    (flawed.NormalisesText, PROMISE.test_a_body_is_read_as_it_was_written),
    (
        flawed.CannotLock,
        PROMISE.test_of_writers_that_advance_one_fence_exactly_one_wins_each_seq,
    ),
    (
        flawed.CannotLock,
        PROMISE.test_of_writers_that_change_one_document_none_overwrites_another,
    ),
]


@pytest.mark.parametrize(
    ("flaw", "promise"), FLAWS, ids=[f"{flaw.__name__}-{p.__name__}" for flaw, p in FLAWS]
)
def test_a_flawed_store_breaks_a_promise(
    flaw: type[MemoryCellStore], promise: Callable[..., None]
) -> None:
    assert any(_is_broken(flaw, promise, case) for case in _cases(promise))


@pytest.mark.parametrize("promise", list(dict.fromkeys(p for _, p in FLAWS)))
def test_a_sound_store_keeps_the_same_promise(promise: Callable[..., None]) -> None:
    assert not any(_is_broken(MemoryCellStore, promise, case) for case in _cases(promise))


def test_a_binding_that_overrides_a_promise_is_caught() -> None:
    class Sly(CellStoreContract):
        def test_creating_twice_is_a_lost_race_and_writes_nothing(self) -> None:
            """Keep the name and test nothing."""

    assert overridden(Sly) == {"test_creating_twice_is_a_lost_race_and_writes_nothing"}


def test_a_binding_that_drops_a_promise_is_caught() -> None:
    class Sly(FailingStoreContract):
        test_a_commit_whose_answer_was_lost_is_unknown = None

    assert overridden(Sly) == {"test_a_commit_whose_answer_was_lost_is_unknown"}


def test_a_binding_that_drops_the_rule_itself_is_caught() -> None:
    class Sly(CellStoreContract):
        test_no_promise_is_skipped_by_a_mark = None

    assert overridden(Sly) == {"test_no_promise_is_skipped_by_a_mark"}


def test_a_binding_that_skips_by_a_mark_is_caught() -> None:
    @pytest.mark.live
    @pytest.mark.skip
    class Sly(CellStoreContract):
        pass

    with pytest.raises(AssertionError):
        Sly().test_no_promise_is_skipped_by_a_mark()
    assert marks(Sly) == {"live", "skip"}


def test_a_binding_that_only_adds_tests_is_not_accused() -> None:
    class Honest(CellStoreContract):
        def test_something_of_its_own(self) -> None:
            """Test nothing else."""

    assert overridden(Honest) == set()


def _is_broken(
    flaw: type[MemoryCellStore], promise: Callable[..., None], case: dict[str, Any]
) -> bool:
    try:
        promise(**_arguments(flaw, promise, case))
    except (AssertionError, CellError, pytest.fail.Exception):
        return True
    return False


def _arguments(
    flaw: type[MemoryCellStore], promise: Callable[..., None], case: dict[str, Any]
) -> dict[str, Any]:
    """Return what the fixtures of a binding over stores of class `flaw` would give `promise`."""
    backend, partition = MemoryBackend(), new_partition()
    wanted = inspect.signature(promise).parameters
    given: dict[str, Any] = {
        "open_store": lambda: flaw(backend),
        "store": flaw(backend),
        "partition": partition,
        **case,
    }
    if "racing" in wanted:
        stand(given["store"], partition, document("ENT:records:main:counter", 0, "0"))
        given["racing"] = [flaw(backend) for _ in range(8)]
    return {name: given[name] for name in wanted}


def _cases(promise: Callable[..., None]) -> Iterator[dict[str, Any]]:
    """Yield every combination of the values that `promise` is parametrized with."""
    axes = []
    for mark in getattr(promise, "pytestmark", []):
        names = mark.args[0] if isinstance(mark.args[0], tuple) else (mark.args[0],)
        rows = [getattr(row, "values", row) for row in mark.args[1]]
        axes.append(
            [
                dict(zip(names, row if isinstance(row, tuple) else (row,), strict=True))
                for row in rows
            ]
        )
    for rows in itertools.product(*axes):
        yield {name: value for row in rows for name, value in row.items()}
