"""A file is read when it is another one, and whoever waits for that is woken."""

import os
from pathlib import Path

import pytest

from cell_router.ports import SourceGone, SourceUnavailable
from cell_router.replacing import replace_file
from cell_router.sources.file import GLANCE_S, FileSource
from cell_router.sources.sync import RegistrySync
from cell_router.stores.memory import MemoryStore
from tests.core.registering import NOW_MS, snapshot_bytes, verifier


@pytest.fixture
def path(tmp_path: Path) -> Path:
    path = tmp_path / "registry.snapshot"
    path.write_bytes(snapshot_bytes(5))
    return path


def test_the_file_is_returned_until_it_is_taken(path: Path):
    source = FileSource(path)

    assert source.snapshot(0) == snapshot_bytes(5)
    assert source.snapshot(0) == snapshot_bytes(5)
    assert source.snapshot(5) is None


def test_another_file_is_returned_whatever_its_rev(path: Path):
    source = FileSource(path)
    source.snapshot(0)

    replace_file(path, [snapshot_bytes(4)])

    assert source.snapshot(5) == snapshot_bytes(4)
    assert source.snapshot(5) is None


def test_what_is_no_snapshot_is_returned_again_for_the_loop_to_refuse(path: Path):
    path.write_bytes(b"half a snap")
    source = FileSource(path)

    assert source.snapshot(5) == source.snapshot(5) == b"half a snap"


def test_waiting_ends_when_the_file_is_replaced(path: Path):
    paused: list[float] = []

    def pause(seconds: float) -> None:
        paused.append(seconds)
        if len(paused) == 3:
            replace_file(path, [snapshot_bytes(6)])

    source = FileSource(path, pause=pause)
    source.snapshot(0)

    with pytest.raises(SourceGone):
        source.changes(5, 20.0)

    assert paused == [GLANCE_S] * 3


def test_waiting_ends_with_nothing_after_its_time(path: Path):
    paused: list[float] = []
    source = FileSource(path, pause=paused.append)
    source.snapshot(0)

    assert source.changes(5, 1.0) == b""
    assert sum(paused) == pytest.approx(1.0)


def test_a_file_rewritten_in_place_within_the_same_size_is_noticed(path: Path):
    source = FileSource(path, pause=lambda _: None)
    source.snapshot(0)
    stat = path.stat()

    path.write_bytes(snapshot_bytes(6))
    os.utime(path, ns=(stat.st_atime_ns, stat.st_mtime_ns + 1))

    with pytest.raises(SourceGone):
        source.changes(5, 1.0)


def test_a_file_that_is_gone_is_unavailable_and_not_empty(path: Path):
    source = FileSource(path, pause=lambda _: None)
    source.snapshot(0)
    path.unlink()

    for ask in (lambda: source.snapshot(5), lambda: source.changes(5, 1.0)):
        with pytest.raises(SourceUnavailable, match="source_missing"):
            ask()


def test_a_folder_is_not_a_file(tmp_path: Path):
    with pytest.raises(SourceUnavailable, match="source_unreachable"):
        FileSource(tmp_path).snapshot(0)


def test_nobody_is_found_beside_the_file(path: Path):
    assert FileSource(path).find("T-9") is None


def test_a_published_file_is_live_at_the_second_step(path: Path):
    store = MemoryStore()
    source = FileSource(path, pause=lambda _: None)
    sync = RegistrySync(store, source, verifier(), draw=lambda: 1.0)
    sync.step(NOW_MS)

    replace_file(path, [snapshot_bytes(6)])
    waits = [sync.step(NOW_MS) for _ in range(2)]

    assert (store.meta().rev, waits, sync.status().error) == (6, [0.0, 0.0], "")


def test_a_file_that_was_only_touched_is_an_error_for_one_step(path: Path):
    source = FileSource(path, pause=lambda _: None)
    sync = RegistrySync(MemoryStore(), source, verifier(), draw=lambda: 1.0)
    sync.step(NOW_MS)
    os.utime(path, ns=(1, 1))

    waits = [sync.step(NOW_MS) for _ in range(3)]

    assert waits[1] == 0.5
    assert (sync.status().rev, sync.status().error) == (5, "")
