"""The format of a registry's backup: two lines, frames of compressed JSON, and two lines more.

An empty frame ends the frames; the very last line is the SHA-256 of all before it. Refuses a file
that was cut or altered by accident; it is not signed.
"""

import hashlib
import json
import zlib
from collections.abc import Iterator, Sequence
from dataclasses import astuple, dataclass
from typing import Any, BinaryIO, Final

from cell_control.domain.records import KINDS
from cell_control.ports import Record

MAGIC: Final = b"cells-registry-backup 1\n"
FRAME_BYTES_MAX: Final = 256 * 1024 * 1024
"""Inflated: more than a thousand of the largest records."""

LINE_BYTES_MAX: Final = 1024

_LENGTH_BYTES = 4
_TYPES = (str, str, int, str, str | None, str, bool)
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


class BackupWriter:
    """Writes one backup into a file.

    Attributes:
        written: How many records so far.
    """

    def __init__(self, file: BinaryIO, began: int) -> None:
        """Begin with the registry's rev of now."""
        self._file = file
        self._hash = hashlib.sha256()
        self._began = began
        self.written = 0
        self._write(MAGIC)
        self._write_line({"began": began})

    def add(self, records: Sequence[Record]) -> None:
        """Write `records`, at most a thousand, as one frame."""
        if records:
            self._write_frame(json.dumps([astuple(record) for record in records]).encode())
            self.written += len(records)

    def end(self, rev: int) -> Backup:
        """Write the end of a backup that shows the registry at `rev`."""
        self._write_frame(b"")
        self._write_line({"records": self.written, "rev": rev})
        self._write(f"{self._hash.hexdigest()}\n".encode())
        return Backup(began=self._began, rev=rev, records=self.written)

    def _write_frame(self, raw: bytes) -> None:
        data = zlib.compress(raw, 3) if raw else b""
        self._write(len(data).to_bytes(_LENGTH_BYTES, "big") + data)

    def _write_line(self, members: dict[str, Any]) -> None:
        self._write(json.dumps(members).encode() + b"\n")

    def _write(self, data: bytes) -> None:
        self._hash.update(data)
        self._file.write(data)


class BackupReader:
    """Yields records as they are in the file; when it ends, all of the file was checked.

    Attributes:
        began: See `Backup`; known from the start.
        backup: Known at the end.
    """

    backup: Backup

    def __init__(self, file: BinaryIO) -> None:
        """Read the beginning, or raise `BackupBroken`, as going through the records may."""
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
        end = self._line()
        digest = f"{self._hash.hexdigest()}\n".encode()
        if self._take(len(digest)) != digest or self._file.read(1):
            raise BackupBroken("it was altered")
        if _count(end, "records") != records:
            raise BackupBroken("it does not hold what it says")
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
        if not _is_record(row):
            raise BackupBroken("a record was altered")
        kind, key, rev, body, edge, tag, deleted = row
        yield Record(kind=kind, key=key, rev=rev, body=body, edge=edge, tag=tag, deleted=deleted)


def _is_record(row: object) -> bool:
    if not isinstance(row, list) or len(row) != len(_TYPES) or row[0] not in KINDS:
        return False
    return all(isinstance(value, kind) for value, kind in zip(row, _TYPES, strict=True))


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
