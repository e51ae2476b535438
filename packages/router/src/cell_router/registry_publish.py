"""A signed snapshot, written where routers take it from: a file, Redis, or an object.

Refuses to go back: a place that holds a later rev is left alone, unless the operator restores.
"""

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, Final
from urllib.parse import urlsplit

import obstore
from redis.exceptions import RedisError

from cell_core.wire.registry import CellRecord, GroupRecord, TenantRecord
from cell_core.wire.registry_seal import Signer
from cell_core.wire.registry_snapshot import Row, seal_snapshot, tenant_row
from cell_router.ports import SourceUnavailable
from cell_router.replacing import replace_file
from cell_router.sources.latest import TRANSFER_S_MAX, claimed_rev
from cell_router.sources.object_store import open_bucket, translated
from cell_router.sources.opening import file_path, open_source
from cell_router.sources.redis_source import CHANGES_KEY, SNAPSHOT_KEY, connect

CHANGES_KEPT: Final = 10_000
"""Entries of the stream; a reader that is further behind takes a snapshot."""

_PLACES = ("file", "redis", "rediss", "s3", "az")


def write_snapshot(
    path: Path,
    *,
    rev: int,
    created_ms: int,
    cells: Sequence[CellRecord],
    groups: Sequence[GroupRecord],
    tenants: Iterable[TenantRecord],
    signer: Signer,
) -> None:
    """Write a signed snapshot to a file, which is replaced as a whole."""
    rows: list[Row] = sorted(map(tenant_row, tenants))
    sealed = seal_snapshot(
        rev=rev, created_ms=created_ms, cells=cells, groups=groups, rows=rows, signer=signer
    )
    replace_file(path, sealed)


def published_rev(
    url: str, *, ca: Path | None, credential_file: Path | None, options: Mapping[str, str]
) -> int:
    """Return the rev that the snapshot at `url` claims, -1 if there is none.

    Raises:
        SourceUnavailable: It cannot be asked.
        ValueError: Nothing can be published there.
    """
    if urlsplit(url).scheme not in _PLACES:
        raise ValueError("a snapshot is published to file, redis, rediss, s3 or az")
    source = open_source(url, ca=ca, credential_file=credential_file, local=True, options=options)
    try:
        return claimed_rev(source.snapshot(-1) or b"")
    except SourceUnavailable as error:
        if str(error) == "source_missing":
            return -1
        raise


def publish(
    url: str,
    data: bytes,
    rev: int,
    *,
    ca: Path | None,
    credential_file: Path | None,
    options: Mapping[str, str],
) -> None:
    """Put a snapshot at `url`, whole or not at all.

    Raises:
        SourceUnavailable: It may or may not be there; publish again.
        ValueError: Nothing can be published there.
    """
    match urlsplit(url).scheme:
        case "file":
            try:
                replace_file(file_path(url), [data])
            except OSError:
                raise SourceUnavailable("source_unreachable") from None
        case "redis" | "rediss":
            client = connect(url, ca=ca, credential_file=credential_file, answer_s=TRANSFER_S_MAX)
            _to_redis(client, data, rev)
        case _:
            bucket, key = open_bucket(url, options)
            with translated():
                obstore.put(bucket, key, data)


def _to_redis(client: Any, data: bytes, rev: int) -> None:  # noqa: ANN401 - loosely typed library
    try:
        last = client.xrevrange(CHANGES_KEY, count=1)
        announced = int(last[0][0].partition(b"-")[0]) if last else -1
        with client.pipeline(transaction=True) as both:
            both.set(SNAPSHOT_KEY, data)
            if rev > announced:
                both.xadd(CHANGES_KEY, {"rev": rev}, id=f"{rev}-0", maxlen=CHANGES_KEPT)
            both.execute()
    except (RedisError, ValueError):
        raise SourceUnavailable("source_unreachable") from None
    finally:
        client.close()
