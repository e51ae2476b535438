"""A configuration whose every file exists, to break in one place."""

import json
from pathlib import Path

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from jwt.algorithms import OKPAlgorithm

from cell_core.wire.registry_keys import new_private_jwk, public_jwk
from tests.router.ops.certificates import Authority

TEXT = """
local = {local}
[listen]
address = "127.0.0.1"
port = 0
workers = 2
[listen.tls]
certificate = "edge.pem"
key = "edge.key"
[admin]
port = 0
[registry]
cache = "cache"
source = "file:///nowhere/registry.snapshot"
keys = "registry-keys.json"
[grants]
key = "grant-key.json"
[cells]
host_suffixes = [".on.aws", ".azurewebsites.net"]
ca = "ca.pem"
[[issuers]]
issuer = "https://idp.example"
audience = "cells"
algorithms = ["EdDSA"]
jwks_file = "jwks.json"
[api_keys]
file = "api-keys.json"
"""


def private_jwk(kid):
    made = json.loads(OKPAlgorithm.to_jwk(Ed25519PrivateKey.generate()))
    return {**made, "kid": kid}


def write_private(path, text):
    path.write_text(text)
    path.chmod(0o600)


def write_files(folder: Path, *, local=False, prefix="prod") -> Path:
    """Write everything; return the path of the configuration."""
    registry = new_private_jwk(f"{prefix}-registry")
    client = private_jwk(f"{prefix}-idp")
    public = {name: client[name] for name in ("kty", "crv", "x", "kid")}
    authority = Authority()
    authority.issue("edge.example", folder / "edge.pem", folder / "edge.key")
    (folder / "ca.pem").write_bytes(authority.pem)
    write_private(folder / "grant-key.json", json.dumps(private_jwk(f"{prefix}-edge")))
    (folder / "registry-keys.json").write_text(json.dumps({"keys": [public_jwk(registry)]}))
    (folder / "jwks.json").write_text(json.dumps({"keys": [{**public, "alg": "EdDSA"}]}))
    (folder / "api-keys.json").write_text('{"v": 1, "keys": []}')
    path = folder / "router.toml"
    path.write_text(TEXT.format(local=str(local).lower()))
    return path
