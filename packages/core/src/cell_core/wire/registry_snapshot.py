"""A signed snapshot of the whole registry: a manifest, then compressed chunks of sorted rows.

The signature covers the manifest, which holds the SHA-256 and the bounds of every chunk; so a chunk
is checked before it is inflated, each by itself, wherever it came from. Refuses anything that is
not exactly what the manifest says: lengths, counts, order, first and last name.
"""

import hashlib
import re
import zlib
from bisect import bisect_left
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import asdict, dataclass
from itertools import pairwise
from operator import lt
from typing import Any, Final

from cell_core.domain.ids import is_hash
from cell_core.wire.registry import (
    NAME_PATTERN,
    ROW_PATTERN,
    CellRecord,
    GroupRecord,
    RegistryRefused,
    TenantRecord,
    cell_from,
    tenant_text,
)
from cell_core.wire.registry_changes import count_of
from cell_core.wire.registry_seal import Sealed, Signer, Verify, seal, unseal

MAGIC: Final = b"cells-registry 1\n"
MANIFEST_BYTES_MAX: Final = 4 * 1024 * 1024
CHUNK_RAW_BYTES_MAX: Final = 16 * 1024 * 1024
CHUNK_BYTES_MAX: Final = CHUNK_RAW_BYTES_MAX + 64 * 1024
"""Compressed; what cannot be compressed grows by a little."""

TENANTS_MAX: Final = 10**8
SNAPSHOT_BYTES_MAX: Final = 1024**3
"""What a source reads before it gives up; 10^8 rows of 12 bytes come to about 300 MB."""

CHUNK_RAW_BYTES: Final = 1024 * 1024
"""What the writer aims at: about 80,000 rows, 12 MB as Python objects while they are loaded."""

Row = tuple[bytes, bytes]
"""A tenant and the text of its record, as stored."""

_VERSION = 1
_MEMBERS = {"v", "kid", "rev", "created_ms", "cells", "groups", "tenants", "chunks"}
_CHUNK_MEMBERS = {"bytes", "raw_bytes", "sha256", "count", "first", "last"}
_ROWS = re.compile(rf"^({NAME_PATTERN}) ({ROW_PATTERN})$".encode(), re.MULTILINE)
_NAME = re.compile(NAME_PATTERN)


@dataclass(frozen=True, slots=True, kw_only=True)
class Chunk:
    """What the manifest says of one chunk: its sizes, its hash and its range of names."""

    bytes: int
    raw_bytes: int
    sha256: str
    count: int
    first: str
    last: str

    def __post_init__(self) -> None:
        sound = (
            0 < self.bytes <= CHUNK_BYTES_MAX
            and 0 < self.raw_bytes <= CHUNK_RAW_BYTES_MAX
            and 0 < self.count <= self.raw_bytes
            and is_hash(self.sha256)
            and _NAME.fullmatch(self.first)
            and _NAME.fullmatch(self.last)
            and self.first <= self.last
        )
        if not sound:
            raise RegistryRefused(part="chunk")


@dataclass(frozen=True, slots=True, kw_only=True)
class Manifest:
    """The head of a snapshot: everything but the tenants' rows, and where those are."""

    rev: int
    created_ms: int
    cells: tuple[CellRecord, ...]
    groups: tuple[GroupRecord, ...]
    tenants: int
    chunks: tuple[Chunk, ...]

    def __post_init__(self) -> None:
        sound = (
            self.tenants <= TENANTS_MAX
            and self.tenants == sum(chunk.count for chunk in self.chunks)
            and _ascends([cell.ordinal for cell in self.cells])
            and len({cell.id for cell in self.cells}) == len(self.cells)
            and _ascends([group.group for group in self.groups])
            and all(one.last < other.first for one, other in pairwise(self.chunks))
        )
        if not sound:
            raise RegistryRefused(part="manifest")

    def chunk_of(self, tenant: str) -> int | None:
        """Return the index of the only chunk that can hold `tenant`."""
        at = bisect_left(self.chunks, tenant, key=lambda chunk: chunk.last)
        return at if at < len(self.chunks) and self.chunks[at].first <= tenant else None


@dataclass(frozen=True, slots=True)
class Snapshot:
    """A verified manifest before chunks that are verified as they are read, as often as wanted."""

    manifest: Manifest
    data: bytes
    body_at: int

    def __iter__(self) -> Iterator[list[Row]]:
        """Yield one sorted run of rows for each chunk.

        Raises:
            RegistryRefused: A chunk is not what the manifest says.
        """
        at, view = self.body_at, memoryview(self.data)
        for chunk in self.manifest.chunks:
            yield read_chunk(chunk, view[at : at + chunk.bytes])
            at += chunk.bytes


def open_snapshot(data: bytes, verify: Verify) -> Snapshot:
    """Return the snapshot in `data`, its manifest verified; its chunks are when they are read.

    Raises:
        RegistryRefused: No trusted key signed it, or it is not a snapshot.
    """
    sealed = unseal_snapshot(data)
    sealed.check(verify)
    manifest = read_manifest(sealed)
    body_bytes, expected = len(data) - sealed.end, sum(chunk.bytes for chunk in manifest.chunks)
    if body_bytes != expected:
        shorter = body_bytes < expected
        raise RegistryRefused("registry_truncated" if shorter else None, part="body")
    return Snapshot(manifest, data, sealed.end)


def unseal_snapshot(data: bytes) -> Sealed:
    """Return the unverified head of a snapshot; `data` may end anywhere behind it.

    Raises:
        RegistryRefused: It is not a snapshot in shape or size.
    """
    return unseal(data, MAGIC, MANIFEST_BYTES_MAX)


def read_manifest(sealed: Sealed) -> Manifest:
    """Return the manifest in a head that was verified.

    Raises:
        RegistryRefused: Its members are not a manifest's.
    """
    raw = sealed.members()
    if raw.keys() != _MEMBERS or raw["v"] != _VERSION:
        raise RegistryRefused(part="manifest")
    return Manifest(
        rev=sealed.rev,
        created_ms=count_of(raw["created_ms"]),
        cells=tuple(map(cell_from, _list(raw["cells"]))),
        groups=tuple(map(_group_from, _list(raw["groups"]))),
        tenants=count_of(raw["tenants"]),
        chunks=tuple(map(_chunk_from, _list(raw["chunks"]))),
    )


def read_chunk(chunk: Chunk, data: bytes | memoryview) -> list[Row]:
    """Return the rows of one chunk, which may come from anywhere.

    Raises:
        RegistryRefused: Its bytes are not those that the manifest speaks of.
    """
    if len(data) != chunk.bytes or hashlib.sha256(data).hexdigest() != chunk.sha256:
        raise RegistryRefused(
            "registry_truncated" if len(data) < chunk.bytes else None, part="body"
        )
    raw = _inflate(data, chunk.raw_bytes)
    rows: list[Row] = _ROWS.findall(raw)
    # A match is one whole line; as many matches as lines means that no line was skipped.
    if len(rows) != chunk.count or raw.count(b"\n") != chunk.count or raw[-1:] != b"\n":
        raise RegistryRefused(part="rows")
    names = [name for name, _text in rows]
    if (names[0], names[-1]) != (chunk.first.encode(), chunk.last.encode()):
        raise RegistryRefused(part="rows")
    if not all(map(lt, names, names[1:])):
        raise RegistryRefused(part="rows")
    return rows


def tenant_row(record: TenantRecord) -> Row:
    """Return the row of a tenant."""
    return record.tenant.encode(), tenant_text(record).encode()


def seal_snapshot(
    *,
    rev: int,
    created_ms: int,
    cells: Sequence[CellRecord],
    groups: Sequence[GroupRecord],
    rows: Iterable[Row],
    signer: Signer,
) -> Iterator[bytes]:
    """Yield a snapshot piece by piece: the head first, then chunk by chunk.

    `rows` are sorted by name. Only compressed chunks are held meanwhile, about 3 bytes a tenant.

    Raises:
        RegistryRefused: A row is not one, or out of order, or the manifest would be too large.
    """
    packed = list(_pack(rows))
    manifest = Manifest(
        rev=rev,
        created_ms=created_ms,
        cells=tuple(sorted(cells, key=lambda cell: cell.ordinal)),
        groups=tuple(sorted(groups, key=lambda group: group.group)),
        tenants=sum(chunk.count for chunk, _data in packed),
        chunks=tuple(chunk for chunk, _data in packed),
    )
    head = seal(MAGIC, _members(manifest), rev, signer)
    if head.index(b"\n", len(MAGIC)) >= len(MAGIC) + MANIFEST_BYTES_MAX:
        raise RegistryRefused("registry_too_large", part="manifest")
    yield head
    for _chunk, data in packed:
        yield data


def _pack(rows: Iterable[Row]) -> Iterator[tuple[Chunk, bytes]]:
    lines: list[bytes] = []
    size = 0
    for name, text in rows:
        lines.append(b"%b %b\n" % (name, text))
        size += len(lines[-1])
        if size >= CHUNK_RAW_BYTES:
            yield _compress(lines)
            lines, size = [], 0
    if lines:
        yield _compress(lines)


def _compress(lines: list[bytes]) -> tuple[Chunk, bytes]:
    raw = b"".join(lines)
    data = zlib.compress(raw, 6)
    chunk = Chunk(
        bytes=len(data),
        raw_bytes=len(raw),
        sha256=hashlib.sha256(data).hexdigest(),
        count=len(lines),
        first=lines[0].partition(b" ")[0].decode("ascii", "replace"),
        last=lines[-1].partition(b" ")[0].decode("ascii", "replace"),
    )
    read_chunk(chunk, data)  # What a reader would refuse is never signed.
    return chunk, data


def _inflate(data: bytes | memoryview, raw_bytes: int) -> bytes:
    inflater = zlib.decompressobj()
    try:
        raw = inflater.decompress(data, raw_bytes)
        # The end is only seen once the last byte is out; nothing may come with it.
        more = inflater.decompress(inflater.unconsumed_tail, 1)
    except zlib.error:
        raise RegistryRefused(part="chunk") from None
    if more or len(raw) != raw_bytes or not inflater.eof or inflater.unused_data:
        raise RegistryRefused(part="chunk")
    return raw


def _members(manifest: Manifest) -> dict[str, Any]:
    return {
        "v": _VERSION,
        "created_ms": manifest.created_ms,
        "cells": [asdict(cell) for cell in manifest.cells],
        "groups": [[group.group, group.epoch] for group in manifest.groups],
        "tenants": manifest.tenants,
        "chunks": [asdict(chunk) for chunk in manifest.chunks],
    }


def _list(raw: object) -> list[Any]:
    if not isinstance(raw, list):
        raise RegistryRefused(part="manifest")
    return raw


def _group_from(raw: object) -> GroupRecord:
    if not isinstance(raw, list) or len(raw) != 2 or not isinstance(raw[0], str):
        raise RegistryRefused(part="manifest")
    return GroupRecord(group=raw[0], epoch=count_of(raw[1]))


def _chunk_from(raw: object) -> Chunk:
    if not isinstance(raw, dict) or raw.keys() != _CHUNK_MEMBERS:
        raise RegistryRefused(part="manifest")
    numbers = {name: count_of(raw[name]) for name in ("bytes", "raw_bytes", "count")}
    if not all(isinstance(raw[name], str) for name in ("sha256", "first", "last")):
        raise RegistryRefused(part="manifest")
    return Chunk(sha256=raw["sha256"], first=raw["first"], last=raw["last"], **numbers)


def _ascends(values: list[Any]) -> bool:
    return all(one < other for one, other in pairwise(values))
