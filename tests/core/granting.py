"""Keys that a test makes for itself, and grants signed with them, right or wrong."""

import base64
import json
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from typing import Any

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey, generate_private_key
from jwt.algorithms import OKPAlgorithm, RSAAlgorithm

from cell_core.wire.grants import GrantSigner

NOW_S = 1_700_000_000
CELL = "aws-alpha"


@dataclass(frozen=True, slots=True)
class Key:
    """A key pair with a name, as JWKs."""

    kid: str
    issuer: str
    private: Any

    def private_jwk(self) -> dict[str, Any]:
        return {**_jwk(self.private), "kid": self.kid}

    def public_jwk(self) -> dict[str, Any]:
        return {**_jwk(self.private.public_key()), "kid": self.kid, "iss": self.issuer}

    def signer(self) -> GrantSigner:
        return GrantSigner(json.dumps(self.private_jwk()), issuer=self.issuer)


@cache
def edge_key(kid: str = "edge-1") -> Key:
    """Return an Ed25519 key of the edge; the same one for the same name."""
    return Key(kid, "edge", Ed25519PrivateKey.generate())


@cache
def control_key(kid: str = "control-1") -> Key:
    """Return an Ed25519 key of the control plane; the same one for the same name."""
    return Key(kid, "control", Ed25519PrivateKey.generate())


@cache
def rsa_key(issuer: str = "edge") -> Key:
    """Return an RSA key; the same one for the same issuer."""
    return Key(f"rsa-{issuer}", issuer, generate_private_key(65537, 2048))


def jwks(*keys: Key) -> str:
    """Return the key set that a cell holds."""
    return json.dumps({"keys": [key.public_jwk() for key in keys]})


def claims(**changes: Any) -> dict[str, Any]:
    """Return the claims of a grant that is in order, but for `changes`."""
    given = {
        "iss": "edge",
        "aud": CELL,
        "tenant": "T-1",
        "epoch": 17,
        "scope": "tenant",
        "iat": NOW_S,
        "exp": NOW_S + 30,
        "jti": "g-1",
    }
    return given | changes


def segment(value: bytes) -> str:
    """Return `value` as a part of a token."""
    return base64.urlsafe_b64encode(value).rstrip(b"=").decode()


def signed(header: Mapping[str, Any] | bytes, payload: Mapping[str, Any] | bytes, key: Key) -> str:
    """Return a token of exactly these bytes with a true signature."""
    head = header if isinstance(header, bytes) else json.dumps(header).encode()
    body = payload if isinstance(payload, bytes) else json.dumps(payload).encode()
    text = f"{segment(head)}.{segment(body)}"
    return f"{text}.{segment(_sign(key, text.encode()))}"


def token(key: Key, **changes: Any) -> str:
    """Return a token in order but for `changes` of its claims."""
    return signed(header_of(key), claims(**changes), key)


def header_of(key: Key) -> dict[str, str]:
    return {"alg": "RS256" if isinstance(key.private, RSAPrivateKey) else "EdDSA", "kid": key.kid}


def _sign(key: Key, text: bytes) -> bytes:
    if isinstance(key.private, RSAPrivateKey):
        return RSAAlgorithm(RSAAlgorithm.SHA256).sign(text, key.private)
    return key.private.sign(text)


def _jwk(key: Any) -> dict[str, Any]:
    kind = RSAAlgorithm if "RSA" in type(key).__name__ else OKPAlgorithm
    return kind.to_jwk(key, as_dict=True)
