"""The contract bites: each way to break a registry breaks a promise, and the sound one keeps it."""

import inspect
from collections.abc import Callable
from typing import Any

import pytest

from cell_control.adapters.registry_memory import MemoryRecords, MemoryRegistry
from cell_control.ports import RegistryError
from tests.control.registry import flawed
from tests.control.registry.suite import RegistryContract

PROMISE = RegistryContract()

FLAWS: list[tuple[type[MemoryRegistry], Callable[..., None], dict[str, Any]]] = [
    (
        flawed.IgnoresRevs,
        PROMISE.test_a_record_at_another_rev_is_a_conflict_that_names_it,
        {"rev": 99},
    ),
    (flawed.IgnoresRevs, PROMISE.test_a_deletion_of_what_has_changed_is_a_conflict, {}),
    (flawed.WritesUpToTheConflict, PROMISE.test_one_write_that_conflicts_stops_all_of_them, {}),
    (flawed.WritesOneByOne, PROMISE.test_a_reader_never_sees_half_a_commit, {}),
    (flawed.SkipsARev, PROMISE.test_each_write_of_a_commit_gets_the_next_rev, {}),
    (flawed.TakesARevForAConflict, PROMISE.test_a_conflict_takes_no_rev, {}),
    (flawed.SharesKeys, PROMISE.test_kinds_do_not_share_keys, {}),
    (flawed.ShowsTombstones, PROMISE.test_a_tombstone_is_no_record, {}),
    (flawed.HidesDeletions, PROMISE.test_a_deletion_is_a_change, {}),
    (flawed.HidesDeletions, PROMISE.test_who_folds_the_changes_holds_what_is_there, {}),
    (flawed.SaysItIsFurtherThanItsPage, PROMISE.test_a_page_says_how_far_it_goes, {}),
    (
        flawed.TakesAFullPageForACutOne,
        PROMISE.test_a_full_page_with_nothing_behind_it_goes_to_the_end,
        {},
    ),
    (flawed.ListsInTheOrderOfRevs, PROMISE.test_a_list_is_in_the_order_of_bytes, {}),
    (flawed.TakesAPrefixForAPattern, PROMISE.test_a_prefix_is_no_pattern, {}),
    (flawed.CountsTombstones, PROMISE.test_a_tombstone_is_no_record, {}),
    (flawed.ForgetsInSilence, PROMISE.test_what_is_older_than_a_forgotten_tombstone_is_gone, {}),
    (
        flawed.BelievesInTheFuture,
        PROMISE.test_a_rev_that_never_was_is_refused_with_where_the_registry_is,
        {"after": 4},
    ),
    (flawed.LoadsOverWhatIsThere, PROMISE.test_only_an_empty_registry_is_loaded, {}),
    (flawed.KeepsThePastOfAnother, PROMISE.test_the_past_of_a_loaded_registry_is_gone, {}),
    (flawed.SkipsBack, PROMISE.test_a_registry_never_skips_back, {"rev": 1}),
    (
        flawed.SkipsAndKeepsThePast,
        PROMISE.test_every_follower_from_before_a_skip_takes_a_snapshot,
        {},
    ),
    (flawed.ForgetsThePastAtEachSkip, PROMISE.test_a_skip_that_was_done_is_nothing_again, {}),
    (
        flawed.CannotLock,
        PROMISE.test_of_writers_that_change_one_record_exactly_one_wins_each_rev,
        {},
    ),
    (flawed.WakesNobody, PROMISE.test_a_commit_wakes_all_who_wait_on_the_same_registry, {}),
]


@pytest.mark.parametrize(
    ("flaw", "promise", "case"), FLAWS, ids=[f"{f.__name__}-{p.__name__}" for f, p, _ in FLAWS]
)
def test_a_flawed_registry_breaks_a_promise(
    flaw: type[MemoryRegistry], promise: Callable[..., None], case: dict[str, Any]
) -> None:
    assert _is_broken(flaw, promise, case)
    assert not _is_broken(MemoryRegistry, promise, case)


def _is_broken(
    build: type[MemoryRegistry], promise: Callable[..., None], case: dict[str, Any]
) -> bool:
    records = MemoryRecords()
    given: dict[str, Any] = {
        "open_registry": lambda: build(records),
        "registry": build(records),
        "racing": [build(records) for _ in range(4)],
        **case,
    }
    try:
        promise(**{name: given[name] for name in inspect.signature(promise).parameters})
    except (AssertionError, ValueError, RegistryError, pytest.fail.Exception):
        return True
    return False
