"""A backup is whole or refused, shows one moment, and fills a new registry that goes on ahead."""

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Final

import pytest

from cell_control.adapters.registry_backup import (
    check_backup,
    export_registry,
    restore_registry,
)
from cell_control.adapters.registry_backup_file import BackupBroken
from cell_control.adapters.registry_faulty import Fault, FaultyRegistry, listed
from cell_control.adapters.registry_memory import MemoryRecords, MemoryRegistry
from cell_control.adapters.registry_rules import RegistryNotEmpty
from cell_control.adapters.registry_url import open_registry
from cell_control.domain.records import Kind
from cell_control.domain.recovery import JUMP
from cell_control.ports import ChangesGone, Record, RegistryUnavailable
from tests.control.registry.samples import delete, fill, found, keys, put, tenants

FIRST: Final = put("~first", body='"new"', kind="operation", tag="open")


class Busy(MemoryRegistry):
    """Somebody else commits before each page that is read from it."""

    def __init__(self, others: Sequence[Callable[[MemoryRegistry], object]]) -> None:
        records = MemoryRecords()
        super().__init__(records)
        self._others = iter(others)
        self._other = MemoryRegistry(records)

    def list(self, kind: Kind, *, limit: int, **how: str) -> list[Record]:
        next(self._others, lambda _registry: None)(self._other)
        return super().list(kind, limit=limit, **how)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "registry.backup"


@pytest.fixture
def filled() -> MemoryRegistry:
    registry = MemoryRegistry()
    for first in (0, 600):
        fill(registry, [f"T-{n:04d}" for n in range(first, first + 600)], body='{"x":"é"}')
    registry.commit([put("aws-1", kind="cell"), put("T-0007", 8, '"new"', tag="open")])
    registry.commit([delete("T-0003", 4)])
    return registry


@pytest.mark.parametrize("where", ["memory", "sqlite"])
def test_what_is_restored_is_what_was_exported(
    filled: MemoryRegistry, path: Path, tmp_path: Path, where: str
) -> None:
    restored = (
        MemoryRegistry() if where == "memory" else open_registry(f"sqlite:///{tmp_path / 'new.db'}")
    )

    export_registry(filled, path)
    rev = restore_registry(restored, path, FIRST)

    assert rev == restored.rev() == filled.rev() + JUMP
    for kind in ("tenant", "cell", "usage"):
        assert restored.list(kind, limit=10_000) == filled.list(kind, limit=10_000)
    restored.close()


def test_a_backup_shows_the_moment_at_which_it_ends(path: Path, tmp_path: Path) -> None:
    registry = Busy(
        [
            lambda other: other.commit([put("a", 1, '"late"'), put("zz")]),
            lambda other: other.commit([put("a", 4, '"later"'), put("0")]),
            lambda other: other.commit([delete("b", 2)]),
            lambda other: other.commit([put("c", 3), put("u", kind="usage")]),
            lambda other: other.commit([delete("c", 9), put("b")]),
        ]
    )
    MemoryRegistry(registry._held).commit([put("a"), put("b"), put("c")])

    backup = export_registry(registry, path)
    restored = open_registry(f"sqlite:///{tmp_path / 'new.db'}")  # It takes no record twice.
    restore_registry(restored, path, FIRST)

    assert (backup.began, backup.rev) == (3, registry.rev())
    for kind in ("tenant", "usage"):
        assert restored.list(kind, limit=99) == registry.list(kind, limit=99)
    assert found(restored, "a").body == '"later"'
    restored.close()


@pytest.mark.parametrize(
    ("at_least", "rev"), [(0, 1203 + JUMP), (1204, 1203 + JUMP), (2 * JUMP, 2 * JUMP)]
)
def test_a_restored_registry_goes_on_ahead_and_knows_no_past(
    filled: MemoryRegistry, path: Path, at_least: int, rev: int
) -> None:
    export_registry(filled, path)
    restored = MemoryRegistry()

    assert restore_registry(restored, path, FIRST, rev_at_least=at_least) == rev

    assert restored.rev() == rev
    for after in (0, filled.rev(), rev + 1):
        with pytest.raises(ChangesGone):
            tenants(restored, after)
    assert restored.commit([put("new")]) == rev + 1


def test_a_restored_registry_begins_with_what_it_is_told_and_not_with_what_was_there(
    filled: MemoryRegistry, path: Path, tmp_path: Path
) -> None:
    filled.commit([put("~first", body='"old"', kind="operation"), put("op-1", kind="operation")])
    export_registry(filled, path)
    restored = open_registry(f"sqlite:///{tmp_path / 'new.db'}")

    rev = restore_registry(restored, path, FIRST)

    [first] = restored.list("operation", tag="open", limit=9)
    assert (first.key, first.body, first.rev) == ("~first", '"new"', rev)
    assert keys(restored.list("operation", limit=9)) == ["op-1", "~first"]
    restored.close()


def test_an_empty_registry_has_a_backup_too(path: Path) -> None:
    export_registry(MemoryRegistry(), path)
    restored = MemoryRegistry()

    assert restore_registry(restored, path, FIRST) == JUMP


def test_a_registry_that_holds_something_is_not_restored_over(
    filled: MemoryRegistry, path: Path
) -> None:
    export_registry(filled, path)
    other = MemoryRegistry()
    other.commit([put("mine")])

    with pytest.raises(RegistryNotEmpty):
        restore_registry(other, path, FIRST)

    assert keys(other.list("tenant", limit=9)) == ["mine"]


def test_a_file_that_was_cut_anywhere_is_refused_and_nothing_is_written(path: Path) -> None:
    registry = MemoryRegistry()
    fill(registry, ["a", "b", "c"])
    export_registry(registry, path)
    whole = path.read_bytes()

    for length in [*range(0, len(whole), 5), len(whole) - 1]:
        path.write_bytes(whole[:length])
        restored = MemoryRegistry()
        with pytest.raises(BackupBroken):
            restore_registry(restored, path, FIRST)
        assert restored.rev() == 0


def test_a_file_with_any_byte_altered_is_refused(path: Path) -> None:
    registry = MemoryRegistry()
    fill(registry, ["a", "b", "c"])
    export_registry(registry, path)
    whole = path.read_bytes()

    for at in range(len(whole)):
        path.write_bytes(whole[:at] + bytes([whole[at] ^ 1]) + whole[at + 1 :])
        with pytest.raises(BackupBroken):
            check_backup(path)


@pytest.mark.parametrize("tail", [b"\0", b"\n", b"cells-registry-backup 1\n"])
def test_nothing_may_follow_a_backup(filled: MemoryRegistry, path: Path, tail: bytes) -> None:
    export_registry(filled, path)
    path.write_bytes(path.read_bytes() + tail)

    with pytest.raises(BackupBroken):
        check_backup(path)


def test_a_file_of_another_version_is_refused(filled: MemoryRegistry, path: Path) -> None:
    export_registry(filled, path)
    path.write_bytes(path.read_bytes().replace(b"backup 1", b"backup 2", 1))

    with pytest.raises(BackupBroken):
        check_backup(path)


def test_an_export_that_fails_leaves_the_file_before_it(filled: MemoryRegistry, path: Path) -> None:
    before = export_registry(filled, path)
    broken = FaultyRegistry(filled, listed([Fault.REFUSED], of="changes"))

    with pytest.raises(RegistryUnavailable):
        export_registry(broken, path)

    assert check_backup(path) == before
    assert list(path.parent.iterdir()) == [path]


def test_progress_goes_up_to_all(filled: MemoryRegistry, path: Path) -> None:
    told: list[tuple[int, int]] = []

    export_registry(filled, path, lambda done, total: told.append((done, total)))
    exported = list(told)
    told.clear()
    restore_registry(
        MemoryRegistry(), path, FIRST, progress=lambda done, total: told.append((done, total))
    )

    assert exported[-1] == (1200, 1200)
    assert told == [(1000, 1200), (1200, 1200)]
    assert exported == sorted(exported)
