"""The records that the registry's promises are tested with; no test is in here."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Protocol, TypeAlias

import pytest

from cell_control.domain.records import Kind
from cell_control.ports import Changes, Key, Record, Registry, Write


class FullRegistry(Registry, Protocol):
    """What this project's registries can beside the port."""

    def forget_tombstones(self, up_to: int) -> int: ...

    def load(self, records: Iterable[Record], rev: int) -> None: ...


OpenRegistry: TypeAlias = Callable[[], FullRegistry]


class OnOneBackend:
    """The fixtures of all promises."""

    @pytest.fixture
    def make_registry(self) -> OpenRegistry:
        """Return a function that opens independent registries onto one empty backend."""
        raise NotImplementedError("a binding gives it")

    @pytest.fixture
    def open_registry(self, make_registry: OpenRegistry) -> Iterator[OpenRegistry]:
        opened: list[FullRegistry] = []

        def open_one() -> FullRegistry:
            opened.append(make_registry())
            return opened[-1]

        yield open_one
        for registry in opened:
            registry.close()

    @pytest.fixture
    def registry(self, open_registry: OpenRegistry) -> FullRegistry:
        return open_registry()


def put(key: str, rev: int = 0, body: str = "{}", *, kind: Kind = "tenant", tag: str = "") -> Write:
    """Return the write of a record that the edge is told about."""
    return Write(kind=kind, key=key, rev=rev, body=body, edge="17", tag=tag)


def delete(key: str, rev: int, *, kind: Kind = "tenant") -> Write:
    """Return the write that leaves a tombstone."""
    return Write(kind=kind, key=key, rev=rev, body=None)


def found(registry: Registry, key: str, kind: Kind = "tenant") -> Record | None:
    """Return one record."""
    return registry.get([Key(kind=kind, key=key)])[0]


def keys(records: Iterable[Record]) -> list[str]:
    """Return the keys of `records`, in their order."""
    return [record.key for record in records]


def revs(records: Iterable[Record]) -> list[int]:
    """Return the revs of `records`, in their order."""
    return [record.rev for record in records]


def tenants(registry: Registry, after: int = 0, limit: int = 1000) -> Changes:
    """Return the changes of tenants behind `after`."""
    return registry.changes(after, kinds=("tenant",), limit=limit)


def fill(registry: Registry, names: Sequence[str], **more: str) -> int:
    """Put a tenant for each name, in one commit; return the last rev."""
    return registry.commit([put(name, **more) for name in names])
