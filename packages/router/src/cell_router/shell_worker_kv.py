"""How the registry lies in Workers KV: a signed head, chunks named by their hash, and corrections.

KV is a cache that may be a minute behind and shows keys in any order. So chunks are immutable and
named by the head that needs them, and whatever is read is verified, wherever it came from.

    registry/head             the snapshot up to its first chunk: manifest and signature
    registry/chunk/<sha256>   one compressed chunk
    registry/changes          a signed batch of what changed since the head
    registry/tenant/<tenant>  a signed batch with the newest record of one tenant
"""

from typing import Final

from cell_core.wire.registry_changes import Batch
from cell_core.wire.registry_snapshot import Snapshot

HEAD_KEY: Final = "registry/head"
CHANGES_KEY: Final = "registry/changes"

HEAD_CACHE_S: Final = 60
"""The shortest that KV takes in every plan; a 421 repairs a stale route sooner."""

CHUNK_CACHE_S: Final = 24 * 3600


def chunk_key(sha256: str) -> str:
    """Return the key of the chunk with this hash."""
    return f"registry/chunk/{sha256}"


def tenant_key(tenant: str) -> str:
    """Return the key under which a single tenant's newest record may be."""
    return f"registry/tenant/{tenant}"


def publish_kv(snapshot: Snapshot) -> dict[str, bytes]:
    """Return what to write for `snapshot`: each chunk, and the head as the last one.

    Write the head in a second step, once the chunks are written. A chunk that two snapshots share
    has one key, so that only what differs has to be written.
    """
    values: dict[str, bytes] = {}
    at = snapshot.body_at
    for chunk in snapshot.manifest.chunks:
        values[chunk_key(chunk.sha256)] = snapshot.data[at : at + chunk.bytes]
        at += chunk.bytes
    return values | {HEAD_KEY: snapshot.data[: snapshot.body_at]}


def publish_changes(batch: Batch, sealed: bytes) -> dict[str, bytes]:
    """Return what to write for `batch`, whose signed form is `sealed`.

    A batch of one tenant's change goes to that tenant's own key, where nothing else waits for it;
    every other one replaces the changes since the head, so it has to hold all of them.
    """
    if len(batch.changes) == 1 and batch.changes[0].kind == "tenant":
        return {tenant_key(batch.changes[0].key): sealed}
    return {CHANGES_KEY: sealed}
