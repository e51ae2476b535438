"""What every registry checks alike: the bounds of what it is asked, and which write has lost.

Pure. What no caller may ask is a `ValueError`: that is a mistake in the program, not of the world.
"""

from collections.abc import Mapping, Sequence
from typing import Final, TypeAlias

from cell_control.domain.records import KINDS
from cell_control.ports import ChangesGone, Key, Record, RegistryError, Write

WRITES_MAX: Final = 1000
KEYS_MAX: Final = 100
LIMIT_MAX: Final = 10_000
KEY_CHARS_MAX: Final = 200
TAG_CHARS_MAX: Final = 32
TEXT_BYTES_MAX: Final = 64 * 1024
"""Of a body, and of what the edge is told; a move of 64 stripes takes about 6 KB."""

ABOVE_ALL_KEYS: Final = "\x7f"
"""Sorts above every character that a key may hold, so `prefix` + this ends the prefix's range."""

Name: TypeAlias = tuple[str, str]
"""Kind and key of a record."""


class RegistryNotEmpty(RegistryError):
    """Records can be loaded into an empty registry only. Nothing was written."""


def require_writes(writes: Sequence[Write]) -> None:
    """Require what `Registry.commit` takes.

    Raises:
        ValueError: Too few or many, two on one record, or a text that no registry holds.
    """
    if not 1 <= len(writes) <= WRITES_MAX:
        raise ValueError(f"a commit has 1 to {WRITES_MAX} writes")
    if len({(write.kind, write.key) for write in writes}) != len(writes):
        raise ValueError("a commit writes each record once")
    for write in writes:
        _require_record(write)


def require_keys(keys: Sequence[Key]) -> None:
    """Require what `Registry.get` takes, or raise `ValueError`."""
    if len(keys) > KEYS_MAX:
        raise ValueError(f"at most {KEYS_MAX} records are read at a time")


def require_limit(limit: int) -> None:
    """Require what `Registry.list` and `Registry.changes` take, or raise `ValueError`."""
    if not 1 <= limit <= LIMIT_MAX:
        raise ValueError(f"a limit is 1 to {LIMIT_MAX}")


def require_remembered(after: int, *, rev: int, forgotten: int) -> None:
    """Require that every change behind `after` is known to a registry at `rev`.

    Raises:
        ChangesGone: It is above `rev`, or a tombstone behind it, up to `forgotten`, is gone.
    """
    if not forgotten <= after <= rev:
        raise ChangesGone(rev)


def first_lost(writes: Sequence[Write], live: Mapping[Name, int]) -> Write | None:
    """Return the first of `writes` whose record is not at its rev; `live` leaves tombstones out."""
    return next((w for w in writes if live.get((w.kind, w.key), 0) != w.rev), None)


def record_of(write: Write, rev: int) -> Record:
    """Return what `write` leaves at `rev`; a tombstone keeps what its write told the edge."""
    return Record(
        kind=write.kind,
        key=write.key,
        rev=rev,
        body=write.body or "",
        edge=write.edge,
        tag=write.tag,
        deleted=write.body is None,
    )


def _require_record(write: Write) -> None:
    if write.kind not in KINDS:
        raise ValueError("a write is of a kind that is listed in `records.KINDS`")
    if not (0 < len(write.key) <= KEY_CHARS_MAX and _is_plain(write.key)):
        raise ValueError(f"a key is 1 to {KEY_CHARS_MAX} printable ASCII characters")
    if not (len(write.tag) <= TAG_CHARS_MAX and _is_plain(write.tag)):
        raise ValueError(f"a tag is up to {TAG_CHARS_MAX} printable ASCII characters")
    if write.body == "":
        raise ValueError("an empty body is a tombstone's")
    for text in (write.body, write.edge):
        # A lone surrogate cannot be encoded, which is a ValueError as well.
        if text is not None and ("\0" in text or len(text.encode()) > TEXT_BYTES_MAX):
            raise ValueError(f"a text is up to {TEXT_BYTES_MAX} bytes without a zero")


def _is_plain(text: str) -> bool:
    return text.isascii() and (not text or text.isprintable())
