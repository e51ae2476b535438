"""The whole registry in one file, and a new registry from it.

An export reads the changes from the beginning to the end, so it needs no lock and no long
transaction: what changes meanwhile is read once more, and the last page ends at one moment. The
file is two lines, frames of compressed JSON, an empty frame, and a line with the SHA-256 of all
before it. Refuses a file that was cut or altered by accident; it is not signed, so keep it safe.
"""

import hashlib
import json
import os
import zlib
from collections.abc import Callable, Iterable, Iterator
from dataclasses import astuple, dataclass
from pathlib import Path
from typing import Any, BinaryIO, Final, Protocol, TypeAlias

from cell_control.adapters.registry_rules import Name, RegistryNotEmpty
from cell_control.domain.records import KINDS
from cell_control.ports import Record, Registry

MAGIC: Final = b"cells-registry-backup 1\n"
PAGE: Final = 1000
FRAME_BYTES_MAX: Final = 256 * 1024 * 1024
"""Of one page of records, inflated: a thousand of the largest."""

LINE_BYTES_MAX: Final = 1024

Progress: TypeAlias = Callable[[int, int], None]
"""Called with how much is done, of how much in all: revs of an export, records of a restore."""

_LENGTH_BYTES = 4
_TYPES = (str, str, int, str, (str, type(None)), str, bool)
"""Of a record's fields, in their order."""


class BackupBroken(Exception):
    """The file is no whole backup, or one of a format that this program does not know."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Backup:
    """What a whole backup says of itself.

    Attributes:
        began: The registry's rev when the export began; what changed later may be there twice.
        rev: The registry's rev at the moment that the backup shows.
        records: How many are in the file, those that are there twice counted twice.
    """

    began: int
    rev: int
    records: int


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
    *,
    rev_at_least: int = 0,
    progress: Progress = lambda _done, _all: None,
) -> int:
    """Fill the empty `registry` from `path`, and return the rev it goes on from.

    That is above the backup's and at least `rev_at_least`, which should be above every rev that
    was ever given out: an edge refuses an older registry than the one it has.

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
        rev = max(backup.rev + 1, rev_at_least)
        file.seek(0)
        registry.load(_once(_Reader(file), backup, latest, progress), rev)
    return rev


def _export(registry: Registry, file: BinaryIO, progress: Progress) -> Backup:
    began, done, records = registry.rev(), 0, 0
    out = _Writer(file)
    out.line(MAGIC)
    out.line(json.dumps({"began": began}).encode() + b"\n")
    is_more = True
    while is_more:
        page = registry.changes(done, kinds=KINDS, limit=PAGE)
        if page.records:
            out.frame(json.dumps([astuple(record) for record in page.records]).encode())
        records += len(page.records)
        # A full page may be the last one as well; then the next is empty, and ends it.
        is_more, done = len(page.records) == PAGE, page.rev
        progress(done, max(done, began))
    out.frame(b"")
    end = {"records": records, "rev": done, "sha256": out.digest()}
    out.line(json.dumps(end).encode() + b"\n")
    return Backup(began=began, rev=done, records=records)


def _read_whole(file: BinaryIO, changed_late: Callable[[Record], None]) -> Backup:
    """Check all of `file`; show `changed_late` each record that may be there twice."""
    reader = _Reader(file)
    for record in reader:
        if record.rev > reader.began:
            changed_late(record)
    return reader.backup


def _once(
    reader: "_Reader", backup: Backup, latest: dict[Name, int], progress: Progress
) -> Iterator[Record]:
    for done, record in enumerate(reader, 1):
        if latest.get((record.kind, record.key), record.rev) == record.rev:
            yield record
        if done % PAGE == 0 or done == backup.records:
            progress(done, backup.records)


class _Writer:
    def __init__(self, file: BinaryIO) -> None:
        self._file = file
        self._hash = hashlib.sha256()

    def line(self, data: bytes) -> None:
        self._hash.update(data)
        self._file.write(data)

    def frame(self, raw: bytes) -> None:
        data = zlib.compress(raw, 3) if raw else b""
        self.line(len(data).to_bytes(_LENGTH_BYTES, "big") + data)

    def digest(self) -> str:
        return self._hash.hexdigest()


class _Reader:
    """Yields records as they are in the file; when it ends, all of the file was checked.

    Attributes:
        began: See `Backup`; known from the start.
        backup: Known at the end.
    """

    backup: Backup

    def __init__(self, file: BinaryIO) -> None:
        self._file = file
        self._hash = hashlib.sha256()
        if self._take(len(MAGIC)) != MAGIC:
            raise BackupBroken("not a backup of this format")
        self.began = _count(self._line(), "began")

    def __iter__(self) -> Iterator[Record]:
        records = 0
        while raw := self._frame():
            for record in _records(raw):
                records += 1
                yield record
        digest = self._hash.hexdigest()
        end = self._line()
        if end.get("sha256") != digest or _count(end, "records") != records or self._file.read(1):
            raise BackupBroken("it was altered")
        self.backup = Backup(began=self.began, rev=_count(end, "rev"), records=records)

    def _frame(self) -> bytes:
        length = int.from_bytes(self._take(_LENGTH_BYTES), "big")
        if not length:
            return b""
        if length > FRAME_BYTES_MAX:
            raise BackupBroken("a frame is too long")
        inflater = zlib.decompressobj()
        try:
            raw = inflater.decompress(self._take(length), FRAME_BYTES_MAX)
        except zlib.error:
            raise BackupBroken("a frame was altered") from None
        if not inflater.eof or inflater.unused_data or not raw:
            raise BackupBroken("a frame was altered")
        return raw

    def _take(self, length: int) -> bytes:
        data = self._file.read(length)
        if len(data) < length:
            raise BackupBroken("it was cut")
        self._hash.update(data)
        return data

    def _line(self) -> dict[str, Any]:
        line = self._file.readline(LINE_BYTES_MAX)
        self._hash.update(line)
        if not line.endswith(b"\n"):
            raise BackupBroken("it was cut")
        found = _json(line)
        if not isinstance(found, dict):
            raise BackupBroken("a line was altered")
        return found


def _records(raw: bytes) -> Iterator[Record]:
    rows = _json(raw)
    if not isinstance(rows, list):
        raise BackupBroken("a frame was altered")
    for row in rows:
        if not isinstance(row, list) or len(row) != len(_TYPES):
            raise BackupBroken("a record was altered")
        if not all(map(isinstance, row, _TYPES)) or row[0] not in KINDS:
            raise BackupBroken("a record was altered")
        kind, key, rev, body, edge, tag, deleted = row
        yield Record(kind=kind, key=key, rev=rev, body=body, edge=edge, tag=tag, deleted=deleted)


def _count(members: dict[str, Any], name: str) -> int:
    found = members.get(name)
    if type(found) is not int or found < 0:
        raise BackupBroken("a line was altered")
    return found


def _json(raw: bytes) -> Any:  # noqa: ANN401 - any JSON value
    try:
        return json.loads(raw)
    except ValueError:
        raise BackupBroken("what it holds is not JSON") from None
