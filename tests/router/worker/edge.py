"""Keys, a registry and clients for a Worker under test: made anew, and never anybody's."""

import base64
import json
import time
from collections.abc import Mapping, Sequence
from typing import Any

import jwt
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from jwt.algorithms import ECAlgorithm, OKPAlgorithm, RSAAlgorithm

from cell_core.domain.ids import owner
from cell_core.wire.grants import Grant, GrantVerifier
from cell_core.wire.registry import CellRecord, Change, GroupRecord, TenantRecord
from cell_core.wire.registry_changes import Batch, seal_batch
from cell_core.wire.registry_keys import (
    RegistrySigner,
    RegistryVerifier,
    new_private_jwk,
    public_jwk,
)
from cell_core.wire.registry_snapshot import open_snapshot, seal_snapshot, tenant_row
from cell_router.auth.api_key_file import NO_KEYS, with_key, write_key_file
from cell_router.auth.api_key_text import make_key
from cell_router.shell_worker_kv import publish_changes, publish_kv
from tests.router.worker.isolate import Answered, Subrequest

ISSUER = "https://idp.example"
AUDIENCE = "cells"
ALPHA = CellRecord(
    id="aws-alpha",
    ordinal=1,
    cloud="aws",
    region="eu-west-1",
    base_url="https://alpha.lambda-url.on.aws",
    grant_header="x-cell-grant",
)
BETA = CellRecord(
    id="azure-beta",
    ordinal=2,
    cloud="azure",
    region="westeurope",
    base_url="https://beta.azurewebsites.net/api",
)
ALPHA_EPOCH, BETA_EPOCH = 17, 18  # The epochs name their owners: 17 % 16 is alpha's ordinal.


class Edge:
    """What an operator gives a Worker, and what its clients hold."""

    def __init__(self) -> None:
        self._registry_jwk = new_private_jwk("registry-1")
        self._signer = RegistrySigner(self._registry_jwk)
        self._grant_key = _jwk(OKPAlgorithm, ed25519.Ed25519PrivateKey.generate(), "edge-1")
        self.token_keys: dict[str, Any] = {
            "RS256": rsa.generate_private_key(65537, 2048),
            "ES256": ec.generate_private_key(ec.SECP256R1()),
            "EdDSA": ed25519.Ed25519PrivateKey.generate(),
        }
        key = make_key("live", bytes(range(40)))
        self.api_key = key.text
        self._key_file = with_key(
            NO_KEYS,
            key,
            client="shop",
            tenants="*",
            scopes=["read", "write", "explain"],
            now_s=0,
            expires_s=None,
        )

    def secrets(self, **changed: Any) -> dict[str, str]:
        """Return what the Worker's settings and secrets hold; None removes one."""
        held = {
            "SETTINGS": json.dumps(self.settings()),
            "GRANT_KEY": json.dumps(self._grant_key),
            "API_KEYS": write_key_file(self._key_file).decode(),
        }
        return {name: value for name, value in (held | changed).items() if value is not None}

    def settings(self, **changed: Any) -> dict[str, Any]:
        return {
            "registry_keys": {"keys": [public_jwk(self._registry_jwk)]},
            "host_suffixes": [".on.aws", ".azurewebsites.net"],
            "issuers": [
                {
                    "issuer": ISSUER,
                    "audience": AUDIENCE,
                    "algorithms": ["RS256", "ES256", "EdDSA"],
                    "jwks": self.jwks(),
                }
            ],
        } | changed

    def jwks(self) -> dict[str, Any]:
        """Return the public keys of the issuer of tokens; each is named like its algorithm."""
        readers = {"RS256": RSAAlgorithm, "ES256": ECAlgorithm, "EdDSA": OKPAlgorithm}
        return {
            "keys": [
                _jwk(readers[name], key.public_key(), name) for name, key in self.token_keys.items()
            ]
        }

    def token(self, algorithm: str = "ES256", **claims: Any) -> str:
        """Return a token of a client of tenant `acme`, good for a minute."""
        now_s = int(time.time())
        held = {
            "iss": ISSUER,
            "aud": AUDIENCE,
            "sub": "client-7",
            "tenant": "acme",
            "scope": "read write",
            "iat": now_s,
            "exp": now_s + 60,
        }
        return jwt.encode(
            held | claims, self.token_keys[algorithm], algorithm, headers={"kid": algorithm}
        )

    def grant(self, request: Subrequest, cell: CellRecord, header: str = "") -> Grant:
        """Return what the edge's grant in `request` allows at `cell`; raises if it does not."""
        public = {name: self._grant_key[name] for name in ("kty", "crv", "x", "kid")}
        verifier = GrantVerifier(json.dumps({"keys": [public | {"iss": "edge"}]}), audience=cell.id)
        token = request.headers[header or cell.grant_header].removeprefix("Bearer ")
        return verifier.verify(token, int(time.time()))

    def snapshot(
        self,
        tenants: Mapping[str, int],
        *,
        rev: int = 1,
        cells: Sequence[CellRecord] = (ALPHA, BETA),
        groups: Sequence[GroupRecord] = (),
        records: Sequence[TenantRecord] = (),
        created_ms: int = 1,
    ) -> dict[str, bytes]:
        """Return what KV holds after a snapshot of `tenants` (to their epochs) was published."""
        listed = [TenantRecord(tenant=name, epoch=epoch) for name, epoch in tenants.items()]
        rows = sorted(tenant_row(record) for record in [*listed, *records])
        pieces = seal_snapshot(
            rev=rev,
            created_ms=created_ms,
            cells=cells,
            groups=groups,
            rows=rows,
            signer=self._signer,
        )
        return publish_kv(open_snapshot(b"".join(pieces), self._verifier()))

    def changes(self, *changes: Change, after: int = 0) -> dict[str, bytes]:
        """Return what KV holds after `changes` were published."""
        batch = Batch(after=after, rev=changes[-1].rev, created_ms=2, changes=changes)
        return publish_changes(batch, seal_batch(batch, self._signer))

    def _verifier(self) -> RegistryVerifier:
        return RegistryVerifier(json.dumps({"keys": [public_jwk(self._registry_jwk)]}))


def command(tenant: str = "acme", **members: Any) -> bytes:
    """Return the body of a command."""
    return json.dumps({"tenant_id": tenant, "command_id": "c-1", "amount": 5} | members).encode()


def served(_request: Subrequest, *, epoch: int = ALPHA_EPOCH) -> Answered:
    """Answer like a cell that has done it."""
    headers = [
        ("content-type", "application/json"),
        ("x-tenant-epoch", str(epoch)),
        ("x-tenant-seq", "9"),
        ("x-tenant-chain", "c" * 64),
    ]
    return Answered(200, b'{"applied":true}', headers)


def refused(status: int, code: str, **headers: str) -> Answered:
    """Answer with a problem, as cells do."""
    named = [("content-type", "application/problem+json")]
    named += [(name.replace("_", "-"), value) for name, value in headers.items()]
    return Answered(status, json.dumps({"code": code, "status": status}).encode(), named)


def bearer(token: str) -> tuple[str, str]:
    return ("authorization", f"Bearer {token}")


JSON = ("content-type", "application/json")


def _jwk(algorithm: Any, key: Any, kid: str) -> dict[str, Any]:
    return {**algorithm.to_jwk(key, as_dict=True), "kid": kid}


def decoded(segment: str) -> Any:
    """Return the JSON that a part of a token holds."""
    return json.loads(base64.urlsafe_b64decode(segment + "=" * (-len(segment) % 4)))


assert (owner(ALPHA_EPOCH), owner(BETA_EPOCH)) == (ALPHA.ordinal, BETA.ordinal)
