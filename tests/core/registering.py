"""Registries that a test signs for itself."""

import json
from collections.abc import Iterable, Sequence
from functools import cache

from cell_core.wire.registry import CellRecord, Change, GroupRecord, TenantRecord
from cell_core.wire.registry_changes import Batch, seal_batch
from cell_core.wire.registry_keys import (
    RegistrySigner,
    RegistryVerifier,
    new_private_jwk,
    public_jwk,
)
from cell_core.wire.registry_snapshot import seal_snapshot, tenant_row

NOW_MS = 1_700_000_000_000
ALPHA = CellRecord(
    id="aws-alpha",
    ordinal=1,
    cloud="aws",
    region="eu-central-1",
    base_url="https://alpha.lambda-url.eu-central-1.on.aws",
)
BETA = CellRecord(
    id="az-beta",
    ordinal=2,
    cloud="azure",
    region="westeurope",
    base_url="https://beta.azurewebsites.net/api",
    grant_header="x-cell-grant",
)
GROUP = GroupRecord(group="pilot", epoch=18)
TENANTS = (
    TenantRecord(tenant="T-1", epoch=17),
    TenantRecord(tenant="T-2", epoch=34, stripes=4),
    TenantRecord(tenant="T-3", epoch=17, group="pilot", status="held"),
)


@cache
def private_key(kid: str = "registry-1") -> str:
    """Return a private key; the same one for the same name."""
    return new_private_jwk(kid)


def signer(kid: str = "registry-1") -> RegistrySigner:
    return RegistrySigner(private_key(kid))


def key_set(*kids: str) -> str:
    return json.dumps({"keys": [public_jwk(private_key(kid)) for kid in kids or ("registry-1",)]})


def verifier(*kids: str) -> RegistryVerifier:
    return RegistryVerifier(key_set(*kids))


def snapshot_bytes(
    rev: int = 1,
    *,
    tenants: Iterable[TenantRecord] = TENANTS,
    cells: Sequence[CellRecord] = (ALPHA, BETA),
    groups: Sequence[GroupRecord] = (GROUP,),
    created_ms: int = NOW_MS,
    kid: str = "registry-1",
) -> bytes:
    """Return a signed snapshot."""
    return b"".join(
        seal_snapshot(
            rev=rev,
            created_ms=created_ms,
            cells=cells,
            groups=groups,
            rows=sorted(map(tenant_row, tenants)),
            signer=signer(kid),
        )
    )


def moved(rev: int, tenant: str = "T-1", text: str | None = "33") -> Change:
    """Return a change of one tenant."""
    return Change(rev=rev, kind="tenant", key=tenant, value=text)


def batch_bytes(
    after: int,
    *changes: Change,
    rev: int | None = None,
    created_ms: int = NOW_MS,
    kid: str = "registry-1",
) -> bytes:
    """Return a signed batch that ends with its last change, if nothing else is said."""
    to = rev if rev is not None else changes[-1].rev if changes else after
    batch = Batch(after=after, rev=to, created_ms=created_ms, changes=changes)
    return seal_batch(batch, signer(kid))
