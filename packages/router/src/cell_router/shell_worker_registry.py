"""The registry at a Worker: what KV holds of the tenants that were asked for, verified.

A `RegistryStore` to read from, filled by `load`. Rows are replaced by newer ones only, and no epoch
goes back. Refuses to hold the whole registry: an isolate has 128 MB and little time to start.
"""

import asyncio
import hashlib
import zlib
from collections.abc import Awaitable, Callable
from typing import Final, NamedTuple

from cell_core.wire.registry import RegistryRefused, cell_text, group_text
from cell_core.wire.registry_changes import read_batch, unseal_batch
from cell_core.wire.registry_seal import Sealed
from cell_core.wire.registry_snapshot import (
    Chunk,
    Manifest,
    read_manifest,
    unseal_snapshot,
)
from cell_router.limits import UNKNOWN_TENANT_S
from cell_router.ports import StoreMeta
from cell_router.shell_worker_kv import (
    CHANGES_KEY,
    CHUNK_CACHE_S,
    HEAD_CACHE_S,
    HEAD_KEY,
    chunk_key,
    tenant_key,
)
from cell_router.shell_worker_ports import Kv, KvUnavailable

FRESH_S: Final = 60.0
"""A row read longer ago is still used, and read again after the answer was given."""

TENANTS_MAX: Final = 20_000
CHUNKS_RAW_BYTES_MAX: Final = 8 * 1024 * 1024
"""Of inflated chunks kept, as bytes: as Python objects they would take twelve times as much."""

Check = Callable[[Sealed], Awaitable[None]]
"""Raises `RegistryRefused` unless a trusted key signed the head."""


class _Held(NamedTuple):
    rev: int
    text: str | None


class KvRegistry:
    """What is known of the registry in this isolate. `get`, `version` and `meta` never wait."""

    def __init__(
        self, kv: Kv, check: Check, *, chunks_raw_bytes_max: int = CHUNKS_RAW_BYTES_MAX
    ) -> None:
        self._kv = kv
        self._chunks_raw_bytes_max = chunks_raw_bytes_max
        self._check = check
        self._manifest: Manifest | None = None
        self._changes_rev = 0
        self._head_read = float("-inf")
        self._common: dict[bytes, _Held] = {}
        self._tenants: dict[str, _Held] = {}
        self._read: dict[str, float] = {}
        self._chunks: dict[str, bytes] = {}
        self._chunks_raw_bytes = 0
        self._version = 0
        self.refusals: list[str] = []

    def get(self, key: bytes) -> bytes | None:
        """Return the value at `key`, if it is known here."""
        if key.startswith(b"t:"):
            held = self._tenants.get(key[2:].decode())
        else:
            held = self._common.get(key)
        return None if held is None or held.text is None else held.text.encode()

    def version(self) -> int:
        """Return a number that changes whenever anything did."""
        return self._version

    def meta(self) -> StoreMeta:
        """Return which registry this is; rev 0 before the first head was read."""
        if self._manifest is None:
            return StoreMeta(rev=0, created_ms=0, tenants=0)
        rev = max(self._manifest.rev, self._changes_rev)
        return StoreMeta(
            rev=rev, created_ms=self._manifest.created_ms, tenants=self._manifest.tenants
        )

    def is_stale(self, tenant: str, now: float) -> bool:
        """Say whether `tenant` should be read again when there is time."""
        return now - self._read.get(tenant, float("-inf")) >= FRESH_S

    async def freshen(self, now: float) -> None:
        """Read the head and the changes since, unless that was done a moment ago.

        Raises:
            KvUnavailable: There is no head, or no KV; what was read before stays good.
        """
        if now - self._head_read < FRESH_S:
            return
        head, changes = await asyncio.gather(
            self._kv.get(HEAD_KEY, HEAD_CACHE_S), self._kv.get(CHANGES_KEY, HEAD_CACHE_S)
        )
        if head is not None:
            await self._guarded(self._adopt_head(head))
        if changes is not None and self._manifest is not None:
            await self._guarded(self._adopt_changes(changes))
        if self._manifest is None:
            raise KvUnavailable
        self._head_read = now

    async def load(self, tenant: str, now: float) -> None:
        """Read what KV holds of `tenant`.

        Raises:
            KvUnavailable: It cannot be told; what was read before stays good.
        """
        if now - self._read.get(tenant, float("-inf")) < UNKNOWN_TENANT_S:
            return  # However often somebody asks for what is not there.
        await self.freshen(now)
        manifest = self._manifest
        assert manifest is not None  # noqa: S101 - freshen() has raised otherwise
        at = manifest.chunk_of(tenant)
        lines, newest = await asyncio.gather(
            self._lines(manifest.chunks[at]) if at is not None else _nothing(),
            self._kv.get(tenant_key(tenant), HEAD_CACHE_S),
        )
        self._keep_tenant(tenant, _Held(manifest.rev, _find(lines, tenant)))
        if newest is not None:
            await self._guarded(self._adopt_newest(tenant, newest))
        self._read[tenant] = now

    async def _adopt_head(self, head: bytes) -> None:
        sealed = unseal_snapshot(head)
        if sealed.end != len(head):
            raise RegistryRefused(part="head")
        if self._manifest is not None and sealed.rev <= self._manifest.rev:
            return  # KV shows an older view than it did.
        await self._check(sealed)
        manifest = read_manifest(sealed)
        fresh = {b"c:%d" % cell.ordinal: cell_text(cell) for cell in manifest.cells}
        fresh |= {b"g:" + group.group.encode(): group_text(group) for group in manifest.groups}
        for key in self._common.keys() - fresh.keys():
            self._keep_common(key, _Held(manifest.rev, None))
        for key, text in fresh.items():
            self._keep_common(key, _Held(manifest.rev, text))
        self._manifest = manifest
        self._version += 1

    async def _adopt_changes(self, data: bytes) -> None:
        sealed = unseal_batch(data)
        assert self._manifest is not None  # noqa: S101 - as the caller has seen
        if sealed.rev <= max(self._manifest.rev, self._changes_rev):
            return
        await self._check(sealed)
        batch = read_batch(sealed)
        if batch.after > self._manifest.rev:
            raise RegistryRefused("registry_too_old", part="head")  # A gap between the two.
        for change in batch.changes:
            held = _Held(change.rev, change.value)
            if change.kind == "tenant":
                self._keep_tenant(change.key, held)
            else:
                self._keep_common(f"{change.kind[0]}:{change.key}".encode(), held)
        self._changes_rev = batch.rev

    async def _adopt_newest(self, tenant: str, data: bytes) -> None:
        sealed = unseal_batch(data)
        held = self._tenants.get(tenant)
        if held is not None and sealed.rev <= held.rev:
            return
        await self._check(sealed)
        for change in read_batch(sealed).changes:
            # Signed for one tenant, it says nothing under another one's key.
            if change.kind != "tenant" or change.key != tenant:
                raise RegistryRefused(part="change")
            self._keep_tenant(tenant, _Held(change.rev, change.value))

    async def _guarded(self, adopting: Awaitable[None]) -> None:
        """Go on with what is held if what was read is refused; say so to whoever logs."""
        try:
            await adopting
        except RegistryRefused as refused:
            self.refusals.append(refused.code)
            del self.refusals[:-16]

    async def _lines(self, chunk: Chunk) -> bytes:
        lines = self._chunks.get(chunk.sha256)
        if lines is not None:
            return lines
        data = await self._kv.get(chunk_key(chunk.sha256), CHUNK_CACHE_S)
        if data is None:
            raise KvUnavailable  # The head is here before its chunk.
        try:
            lines = _inflated(chunk, data)
        except RegistryRefused as refused:
            self.refusals.append(refused.code)
            raise KvUnavailable from None
        if self._chunks_raw_bytes + len(lines) > self._chunks_raw_bytes_max:
            self._chunks.clear()
            self._chunks_raw_bytes = 0
        self._chunks[chunk.sha256] = lines
        self._chunks_raw_bytes += len(lines)
        return lines

    def _keep_tenant(self, tenant: str, found: _Held) -> None:
        held = self._tenants.get(tenant)
        if held is not None and not _follows(found, held):
            return
        self._tenants[tenant] = found
        self._version += (held.text if held else None) != found.text
        while len(self._tenants) > TENANTS_MAX:
            dropped = next(iter(self._tenants))
            del self._tenants[dropped]
            self._read.pop(dropped, None)

    def _keep_common(self, key: bytes, found: _Held) -> None:
        held = self._common.get(key)
        is_cell = key.startswith(b"c:")
        if held is not None and (found.rev < held.rev if is_cell else not _follows(found, held)):
            return
        self._common[key] = found
        self._version += 1


async def _nothing() -> bytes:
    return b""


def _inflated(chunk: Chunk, data: bytes) -> bytes:
    """Return the lines of a chunk that is the one the signed head names.

    They are not read as rows: the hash says that they are those which were, when it was signed,
    and matching 80,000 of them to find one takes a Worker 100 ms.
    """
    if len(data) != chunk.bytes or hashlib.sha256(data).hexdigest() != chunk.sha256:
        raise RegistryRefused(part="chunk")
    try:
        lines = zlib.decompressobj().decompress(data, chunk.raw_bytes)
    except zlib.error:
        raise RegistryRefused(part="chunk") from None
    if len(lines) != chunk.raw_bytes:
        raise RegistryRefused(part="chunk")
    return lines


def _find(lines: bytes, tenant: str) -> str | None:
    """Return the text of the row of `tenant`, an identifier, in sorted lines `tenant text`."""
    name = tenant.encode() + b" "
    at = 0 if lines.startswith(name) else lines.find(b"\n" + name) + 1
    if not lines.startswith(name) and not at:
        return None
    return lines[at + len(name) : lines.index(b"\n", at)].decode()


def _follows(found: _Held, held: _Held) -> bool:
    """Say whether `found` may replace `held`: not older, and not back in epoch."""
    if found.rev < held.rev:
        return False
    return found.text is None or held.text is None or _epoch(found.text) >= _epoch(held.text)


def _epoch(text: str) -> int:
    return int(text.partition(" ")[0])
