"""Tenants from a CSV or a JSON-lines file into a draft, with the number of the line that is wrong.

Columns, or members: `tenant`, then `cell` or `epoch`, and as wanted `stripes`, `group`, `status`,
`standby`, `ack`.
"""

import csv
import json
from collections.abc import Callable, Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any, BinaryIO, Final

from cell_core.wire.registry import RegistryRefused
from cell_router.registry_draft import Draft, DraftRefused, Wanted

LINE_BYTES_MAX: Final = 4096
REPORT_EVERY: Final = 10_000

Report = Callable[[int, float], None]
"""Told the number of tenants so far, and the part of the file that was read, 0 to 1."""

_TEXTS = ("tenant", "cell", "group", "status", "standby", "ack")
_NUMBERS = ("epoch", "stripes")


def import_tenants(draft: Draft, path: Path, report: Report) -> int:
    """Put every tenant of the file; return how many.

    Raises:
        DraftRefused: A line is wrong, named by its number; the draft must be thrown away.
    """
    try:
        with path.open("rb") as file:
            size = path.stat().st_size or 1
            return _put_all(draft, _rows(path, file), lambda: file.tell() / size, report)
    except (OSError, UnicodeDecodeError) as error:
        raise DraftRefused(f"{path} cannot be read ({type(error).__name__})") from None


def _put_all(
    draft: Draft,
    rows: Iterable[tuple[int, Mapping[str, Any]]],
    part: Callable[[], float],
    report: Report,
) -> int:
    count = 0
    for number, row in rows:
        try:
            _put(draft, row)
        except DraftRefused as refused:
            raise DraftRefused(f"line {number}: {refused}") from None
        except (RegistryRefused, ValueError, TypeError):
            raise DraftRefused(f"line {number}: a field is not what it should be") from None
        count += 1
        if count % REPORT_EVERY == 0:
            report(count, part())
    report(count, 1.0)
    return count


def _put(draft: Draft, row: Mapping[str, Any]) -> None:
    unknown = row.keys() - {*_TEXTS, *_NUMBERS}
    if unknown or not row.get("tenant"):
        raise DraftRefused(
            "needs tenant; may have cell, epoch, stripes, group, status, standby, ack"
        )
    given: dict[str, Any] = {name: row[name] for name in _TEXTS if row.get(name)}
    given |= {name: int(row[name]) for name in _NUMBERS if row.get(name) not in (None, "")}
    if not all(isinstance(given[name], str) for name in _TEXTS if name in given):
        raise TypeError
    draft.put_tenant(given.pop("tenant"), Wanted(**given))


def _rows(path: Path, file: BinaryIO) -> Iterator[tuple[int, Mapping[str, Any]]]:
    if path.suffix in (".jsonl", ".ndjson"):
        return _json_rows(file)
    if path.suffix == ".csv":
        return _csv_rows(file)
    raise DraftRefused(f"{path} should end in .csv or .jsonl")


def _json_rows(file: BinaryIO) -> Iterator[tuple[int, Mapping[str, Any]]]:
    for number, line in enumerate(_lines(file), 1):
        if not line.strip():
            continue
        try:
            row = json.loads(line)
        except ValueError:
            raise DraftRefused(f"line {number}: not JSON") from None
        if not isinstance(row, dict):
            raise DraftRefused(f"line {number}: not a JSON object")
        yield number, row


def _csv_rows(file: BinaryIO) -> Iterator[tuple[int, Mapping[str, Any]]]:
    reader = csv.DictReader(_lines(file), restkey="surplus")
    try:
        for row in reader:
            yield reader.line_num, row
    except csv.Error:
        raise DraftRefused(f"line {reader.line_num}: not CSV") from None


def _lines(file: BinaryIO) -> Iterator[str]:
    for number, line in enumerate(iter(lambda: file.readline(LINE_BYTES_MAX + 1), b""), 1):
        if len(line) > LINE_BYTES_MAX:
            raise DraftRefused(f"line {number}: longer than {LINE_BYTES_MAX} bytes")
        yield line.decode("utf-8-sig" if number == 1 else "utf-8")
