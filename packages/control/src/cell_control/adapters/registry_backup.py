"""The whole registry in one file, and a new registry from it.

An export lists all records and then reads what changed since it began, so it needs no lock and no
long transaction, and yet shows one moment: that of the last page of changes. Refuses to fill a
registry that is not empty. A backup is not signed: keep it where nobody can write.
"""

import os
from collections.abc import Callable, Iterable, Iterator
from itertools import chain
from pathlib import Path
from typing import BinaryIO, Final, Protocol, TypeAlias

from cell_control.adapters.registry_backup_file import Backup, BackupReader, BackupWriter
from cell_control.adapters.registry_rules import Name, RegistryNotEmpty, record_of
from cell_control.domain.records import KINDS, Kind
from cell_control.domain.recovery import rev_above
from cell_control.ports import Record, Registry, Write

PAGE: Final = 1000

Progress: TypeAlias = Callable[[int, int], None]
"""Called with how many records are done, of about how many."""


class Loadable(Protocol):
    """A registry that can be filled at once; see `SqlRegistry.load`."""

    def rev(self) -> int:
        """See `Registry.rev`."""

    def load(self, records: Iterable[Record], rev: int) -> None:
        """See `SqlRegistry.load`."""


def export_registry(
    registry: Registry, path: Path, progress: Progress = lambda _done, _all: None
) -> Backup:
    """Write everything in `registry`, as of the end of this call's reading, to `path`.

    The file appears whole or not at all; one that is there is replaced.

    Raises:
        RegistryError: Of the registry.
        OSError: The file cannot be written.
    """
    partial = path.with_name(f"{path.name}.partial")
    try:
        with partial.open("wb") as file:
            written = _export(registry, file, progress)
            file.flush()
            os.fsync(file.fileno())
        partial.replace(path)
    finally:
        partial.unlink(missing_ok=True)
    return written


def check_backup(path: Path) -> Backup:
    """Return what the backup in `path` is, read whole and checked.

    Raises:
        BackupBroken: It is none.
        OSError: It cannot be read.
    """
    with path.open("rb") as file:
        return _read_whole(file, lambda _record: None)


def restore_registry(
    registry: Loadable,
    path: Path,
    first: Write,
    *,
    rev_at_least: int = 0,
    progress: Progress = lambda _done, _all: None,
) -> int:
    """Fill the empty `registry` from `path`, and return the rev it goes on from.

    That is far above the backup's and at least `rev_at_least`: above every rev that was ever given
    out, as an edge takes equal revs for an equal past. `first` is written with it in place of what
    the backup has there: it says that nothing in it holds before the cells were asked.

    Raises:
        BackupBroken: The file is no whole backup. Nothing was written.
        RegistryNotEmpty: There is a registry. Nothing was written.
        RegistryError: Of the registry; all of it was written, or none.
    """
    if registry.rev():
        raise RegistryNotEmpty("the registry is not empty")
    latest: dict[Name, int] = {}
    with path.open("rb") as file:
        backup = _read_whole(file, lambda r: latest.update({(r.kind, r.key): r.rev}))
        rev = max(rev_above(backup.rev), rev_at_least)
        latest[first.kind, first.key] = rev
        file.seek(0)
        kept = _once(BackupReader(file), backup, latest, progress)
        registry.load(chain(kept, (record_of(first, rev),)), rev)
    return rev


def _export(registry: Registry, file: BinaryIO, progress: Progress) -> Backup:
    began = registry.rev()
    out = BackupWriter(file, began)
    total = sum(registry.count(kind) for kind in KINDS)
    for kind in KINDS:
        for page in _pages(registry, kind):
            # What has changed since is among the changes.
            out.add([record for record in page if record.rev <= began])
            progress(min(out.written, total), total)
    rev, is_more = began, True
    while is_more:
        changes = registry.changes(rev, kinds=KINDS, limit=PAGE)
        out.add(changes.records)
        # A full page may be the last one as well; then the next is empty, and ends it.
        is_more, rev = len(changes.records) == PAGE, changes.rev
    progress(total, total)
    return out.end(rev)


def _pages(registry: Registry, kind: Kind) -> Iterator[list[Record]]:
    page = registry.list(kind, limit=PAGE)
    while page:
        yield page
        page = registry.list(kind, after=page[-1].key, limit=PAGE)


def _read_whole(file: BinaryIO, changed_late: Callable[[Record], None]) -> Backup:
    """Check all of `file`; show `changed_late` each record that may be there twice."""
    reader = BackupReader(file)
    for record in reader:
        if record.rev > reader.began:
            changed_late(record)
    return reader.backup


def _once(
    reader: BackupReader, backup: Backup, latest: dict[Name, int], progress: Progress
) -> Iterator[Record]:
    for done, record in enumerate(reader, 1):
        is_last = latest.get((record.kind, record.key), record.rev) == record.rev
        if is_last and not record.deleted:
            yield record
        if done % PAGE == 0 or done == backup.records:
            progress(done, backup.records)
