"""The registry in a dict: for one process, for tests, and for an edge without a disk."""

from collections.abc import Iterable, Sequence

from cell_core.wire.registry import CellRecord, Change, GroupRecord, cell_text, group_text
from cell_router.ports import StoreMeta
from cell_router.stores.forward import admits, key_of


class MemoryStore:
    """A `RegistryStore` whose content ends with the process. Readers share one view."""

    def __init__(self) -> None:
        self._rows: dict[bytes, bytes] = {}
        self._meta = StoreMeta(rev=0, created_ms=0, tenants=0)
        self._version = 0

    def get(self, key: bytes) -> bytes | None:
        """Return the value at `key`."""
        return self._rows.get(key)

    def version(self) -> int:
        """Return a number that changes whenever anything did."""
        return self._version

    def meta(self) -> StoreMeta:
        """Return what is held."""
        return self._meta

    def replace(
        self,
        *,
        rev: int,
        created_ms: int,
        cells: Sequence[CellRecord],
        groups: Sequence[GroupRecord],
        tenants: Iterable[list[tuple[bytes, bytes]]],
    ) -> None:
        """Put a whole snapshot in place of everything."""
        rows = {b"t:" + name: text for run in tenants for name, text in run}
        held = len(rows)
        rows |= {b"c:%d" % cell.ordinal: cell_text(cell).encode() for cell in cells}
        rows |= {f"g:{one.group}".encode(): group_text(one).encode() for one in groups}
        self._rows = rows
        self._meta = StoreMeta(rev=rev, created_ms=created_ms, tenants=held)
        self._version += 1

    def apply(self, rev: int, changes: Sequence[Change]) -> None:
        """Apply `changes` up to `rev`."""
        rows = dict(self._rows) if len(changes) > 1 else self._rows
        tenants = self._meta.tenants
        for change in changes:
            key = key_of(change)
            if not admits(rows.get(key), change):
                continue
            if change.kind == "tenant":
                tenants += (change.value is not None) - (key in rows)
            if change.value is None:
                rows.pop(key, None)
            else:
                rows[key] = change.value.encode()
        self._rows = rows
        self._meta = StoreMeta(rev=rev, created_ms=self._meta.created_ms, tenants=tenants)
        self._version += 1
