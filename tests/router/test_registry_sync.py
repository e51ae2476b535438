"""Whatever a source says, what is held stays good; and what is new is live one step later."""

import threading
from dataclasses import dataclass

import pytest

from cell_core.domain.errors import Unavailable
from cell_core.wire.registry import Change, RegistryRefused
from cell_router.ports import SourceGone, SourceUnavailable
from cell_router.sources.backoff import Patience
from cell_router.sources.sync import QUIET_S, RegistrySync, run
from cell_router.stores.memory import MemoryStore
from tests.core.registering import NOW_MS, batch_bytes, moved, snapshot_bytes, verifier
from tests.router.sourcing import ScriptedSource

GONE, DOWN = SourceGone("feed_gone"), SourceUnavailable("source_unreachable")
DAY_MS = 86_400_000

Answer = bytes | Exception | None


@dataclass(slots=True)
class Rig:
    """A loop over a memory store and a scripted source."""

    sync: RegistrySync
    store: MemoryStore
    source: ScriptedSource

    def steps(self, count: int, now_ms: int = NOW_MS) -> list[float]:
        return [self.sync.step(now_ms) for _ in range(count)]

    def held(self, tenant: str = "T-1") -> bytes | None:
        return self.store.get(f"t:{tenant}".encode())

    @property
    def error(self) -> str:
        return self.sync.status().error

    @property
    def rev(self) -> int:
        return self.sync.status().rev


def rig(*answers: Answer, store: MemoryStore | None = None, restore: bool = False) -> Rig:
    store, source = store or MemoryStore(), ScriptedSource(*answers)
    sync = RegistrySync(store, source, verifier(), draw=lambda: 1.0, restore=restore)
    return Rig(sync, store, source)


def holding(rev: int, created_ms: int = NOW_MS) -> MemoryStore:
    """Return a store as an earlier run has left it."""
    store = MemoryStore()
    RegistrySync(
        store,
        ScriptedSource(snapshot_bytes(rev, created_ms=created_ms)),
        verifier(),
        draw=lambda: 1.0,
    ).step(created_ms)
    return store


# ── Starting ─────────────────────────────────────────────────────────────────


def test_the_first_step_takes_a_snapshot():
    made = rig(snapshot_bytes(5))

    assert made.steps(1) == [0.0]

    assert (made.rev, made.held(), made.error) == (5, b"17", "")
    assert made.source.asked == [("snapshot", 0)]


def test_a_start_with_the_source_gone_serves_what_the_disk_holds():
    made = rig(DOWN, store=holding(5))

    made.steps(1)

    assert (made.rev, made.held(), made.error) == (5, b"17", "source_unreachable")


def test_a_start_with_nothing_anywhere_is_not_ready():
    made = rig(DOWN)

    made.steps(1)

    assert made.rev == 0


def test_a_snapshot_that_is_not_newer_is_not_loaded_again():
    made = rig(None, b"", store=holding(5))
    version = made.store.version()

    made.steps(2)

    assert made.store.version() == version
    assert made.source.asked == [("snapshot", 5), ("changes", 5)]
    assert made.error == ""


# ── The feed ─────────────────────────────────────────────────────────────────


def test_a_change_is_live_after_the_step_that_brought_it():
    made = rig(snapshot_bytes(5), batch_bytes(5, moved(6, text="33")))

    waits = made.steps(2)

    assert (made.rev, made.held()) == (6, b"33")
    assert waits == [0.0, 0.0]
    assert made.source.asked[-1] == ("changes", 5)


def test_what_a_batch_repeats_is_not_applied_again():
    store = holding(5)
    batch = batch_bytes(3, moved(4, text="65"), moved(6, text="33"))
    made = rig(None, batch, store=store)

    made.steps(2)

    assert (made.rev, made.held()) == (6, b"33")


@pytest.mark.parametrize("answer", [b"", batch_bytes(5)])
def test_a_feed_without_news_is_asked_again_but_never_in_a_busy_loop(answer: bytes):
    made = rig(snapshot_bytes(5), answer)

    assert made.steps(2) == [0.0, QUIET_S]


def test_an_empty_batch_keeps_the_registry_fresh():
    made = rig(snapshot_bytes(5), batch_bytes(5, created_ms=NOW_MS + 9_000))

    made.steps(2)

    assert made.sync.status().age_ms(NOW_MS + 10_000) == 1_000


def test_an_empty_batch_may_move_the_rev():
    made = rig(snapshot_bytes(5), batch_bytes(5, rev=8))

    made.steps(2)

    assert made.rev == 8


def test_a_gap_in_the_feed_is_closed_by_a_snapshot():
    made = rig(snapshot_bytes(5), batch_bytes(7, moved(8, text="33")), snapshot_bytes(8))

    made.steps(3)

    assert made.rev == 8
    assert [what for what, _ in made.source.asked] == ["snapshot", "changes", "snapshot"]
    assert made.held() == b"17"


def test_a_feed_that_no_longer_reaches_back_is_left_for_a_snapshot():
    made = rig(snapshot_bytes(5), GONE, snapshot_bytes(9), batch_bytes(9, moved(10)))

    made.steps(4)

    assert (made.rev, made.error) == (10, "")


def test_a_feed_and_a_snapshot_that_contradict_each_other_make_no_busy_loop():
    made = rig(snapshot_bytes(5), GONE, None, GONE, None, GONE, snapshot_bytes(5))

    waits = made.steps(7)

    assert waits == [0.0, 0.0, 0.5, 0.0, 1.0, 0.0, 2.0]
    assert made.error == "feed_gone"


def test_a_source_without_a_feed_is_polled():
    made = rig(snapshot_bytes(5), None, snapshot_bytes(6), None)

    assert made.steps(4) == [0.0, 5.0, 0.0, 5.0]
    assert made.rev == 6


# ── What is refused ──────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    ("bad", "code"),
    [
        (snapshot_bytes(9, kid="stranger"), "registry_key_unknown"),
        (snapshot_bytes(9)[:-1], "registry_truncated"),
        (snapshot_bytes(9)[:-1] + b"x", "registry_malformed"),
        (snapshot_bytes(4), "registry_rolled_back"),
        (b"<html>", "registry_malformed"),
        (b"", "registry_truncated"),
        (batch_bytes(5, moved(6)), "registry_malformed"),
    ],
)
def test_a_snapshot_that_cannot_be_trusted_changes_nothing(bad: bytes, code: str):
    made = rig(bad, store=holding(5))

    waits = made.steps(1)

    assert (made.rev, made.held(), made.error) == (5, b"17", code)
    assert waits == [0.5]


@pytest.mark.parametrize(
    ("bad", "code"),
    [
        (batch_bytes(5, moved(6, text="33"), kid="stranger"), "registry_key_unknown"),
        (batch_bytes(3, moved(4, text="33")), "registry_rolled_back"),
        (batch_bytes(5, moved(6, text="33"))[:-3], "registry_truncated"),
        (snapshot_bytes(9), "registry_malformed"),
    ],
)
def test_a_batch_that_cannot_be_trusted_changes_nothing_and_a_snapshot_is_asked_for(
    bad: bytes, code: str
):
    made = rig(snapshot_bytes(5), bad, DOWN)

    waits = made.steps(2)

    assert (made.rev, made.held(), made.error) == (5, b"17", code)
    assert waits[1] == 0.5
    made.steps(1)
    assert made.source.asked[-1] == ("snapshot", 5)


def test_a_refusal_stays_visible_until_something_good_comes():
    made = rig(snapshot_bytes(5), None, snapshot_bytes(4), None, None, snapshot_bytes(6))

    made.steps(3)
    assert made.error == "registry_rolled_back"
    made.steps(2)
    assert made.error == "registry_rolled_back"
    made.steps(1)

    assert (made.rev, made.error, made.sync.status().failures) == (6, "", 0)


def test_a_refusal_stays_visible_while_the_feed_is_silent():
    made = rig(snapshot_bytes(5), GONE, snapshot_bytes(4), None, b"", batch_bytes(5))

    made.steps(5)
    assert made.error == "registry_rolled_back"
    made.steps(1)

    assert made.error == ""


def test_an_older_snapshot_is_taken_once_if_the_operator_restores():
    made = rig(snapshot_bytes(3), GONE, snapshot_bytes(2), store=holding(5), restore=True)

    made.steps(3)

    assert (made.rev, made.error) == (3, "registry_rolled_back")
    assert [rev for _what, rev in made.source.asked] == [-1, 3, 3]


def test_a_snapshot_past_its_age_is_refused_if_what_is_held_is_newer():
    made = rig(snapshot_bytes(9, created_ms=NOW_MS - 2 * DAY_MS), store=holding(5))

    made.steps(1)

    assert (made.rev, made.error) == (5, "registry_too_old")


@pytest.mark.parametrize("store", [MemoryStore(), holding(5, NOW_MS - 3 * DAY_MS)])
def test_a_snapshot_past_its_age_is_better_than_none_or_an_older_one(store: MemoryStore):
    made = rig(snapshot_bytes(9, created_ms=NOW_MS - 2 * DAY_MS), store=store)

    made.steps(1)

    assert (made.rev, made.error) == (9, "")
    assert made.sync.status().age_ms(NOW_MS) == 2 * DAY_MS


# ── Patience ─────────────────────────────────────────────────────────────────


def test_a_source_that_is_down_is_asked_less_and_less_often_but_at_least_every_half_minute():
    made = rig(store=holding(5))

    assert made.steps(9) == [0.5, 1.0, 2.0, 4.0, 8.0, 16.0, 30.0, 30.0, 30.0]
    assert made.sync.status().failures == 9


def test_the_first_success_ends_the_patience():
    made = rig(DOWN, DOWN, snapshot_bytes(5), DOWN)

    assert made.steps(4) == [0.5, 1.0, 0.0, 0.5]


@pytest.mark.parametrize(("drawn", "expected_s"), [(0.0, 0.25), (1.0, 0.5)])
def test_a_delay_is_drawn_from_its_upper_half(drawn: float, expected_s: float):
    assert Patience().after(1, lambda: drawn) == expected_s


def test_very_many_failures_do_not_overflow():
    assert Patience().after(10_000, lambda: 1.0) == 30.0


def test_a_store_that_cannot_write_is_a_failure_like_another():
    class FullStore(MemoryStore):
        def apply(self, rev: int, changes: object) -> None:
            raise Unavailable("registry_cache")

    made = rig(snapshot_bytes(5), batch_bytes(5, moved(6)), store=FullStore())

    waits = made.steps(2)

    assert (made.rev, made.error, waits[1]) == (5, "store_unavailable", 0.5)


def test_the_loop_ends_when_it_is_told_to():
    made = rig(snapshot_bytes(5))
    stop = threading.Event()

    def now_ms() -> int:
        if made.source.asked:
            stop.set()
        return NOW_MS

    run(made.sync, stop, now_ms)

    assert [what for what, _ in made.source.asked] == ["snapshot", "changes"]


# ── One tenant ───────────────────────────────────────────────────────────────


def _with(answer: Answer) -> Rig:
    made = rig(snapshot_bytes(5), answer)
    made.steps(1)
    return made


def test_an_unknown_tenant_that_the_source_knows_is_stored_ahead_of_the_feed():
    made = _with(batch_bytes(6, moved(7, "T-9", "33")))

    assert made.sync.find("T-9")

    assert (made.held("T-9"), made.rev) == (b"33", 5)
    assert made.source.asked[-1] == ("find", "T-9")


def test_a_tenant_that_the_source_does_not_know_is_unknown():
    assert not _with(None).sync.find("T-9")


def test_an_answer_that_is_older_than_what_is_held_is_not_stored():
    made = _with(batch_bytes(3, moved(4, "T-9", "33")))

    assert not made.sync.find("T-9")


def test_an_answer_for_another_tenant_is_not_stored():
    made = _with(
        batch_bytes(6, moved(7, "T-8", "33"), Change(rev=7, kind="cell", key="1", value=None))
    )

    assert not made.sync.find("T-9")

    assert made.held("T-8") is None
    assert made.store.get(b"c:1") is not None


def test_an_answer_of_a_stranger_is_refused():
    made = _with(batch_bytes(6, moved(7, "T-9", "33"), kid="stranger"))

    with pytest.raises(RegistryRefused):
        made.sync.find("T-9")

    assert made.held("T-9") is None


def test_nobody_knowing_is_not_the_same_as_unknown():
    with pytest.raises(SourceUnavailable):
        _with(DOWN).sync.find("T-9")


def test_the_status_names_the_kind_of_source_and_no_address():
    assert rig().sync.status().source == "scripted"
