"""The registry's keys: one private half signs, a set of public halves verifies.

Ed25519 only; the algorithm belongs to the key, never to the message. Refuses private keys in a key
set, and keys of another issuer: a key of the edge or of control cannot write the registry.
"""

import json
from collections.abc import Mapping
from typing import Any, Final

import jwt
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from jwt.algorithms import OKPAlgorithm

from cell_core.domain.ids import is_id
from cell_core.wire.registry import RegistryRefused

ISSUER: Final = "registry"


class RegistrySigner:
    """Signs snapshots and change batches; lives in the control plane, never at the edge."""

    def __init__(self, private_jwk: str) -> None:
        """Read the key.

        Raises:
            ValueError: It is not a private Ed25519 key with a `kid`.
        """
        raw = _object(private_jwk)
        key = _load(raw)
        if not isinstance(key, Ed25519PrivateKey):
            raise ValueError("a signer needs a private Ed25519 key")  # noqa: TRY004 - as promised
        self._kid = _kid(raw)
        self._key = key

    @property
    def kid(self) -> str:
        """The name under which verifiers know the public half."""
        return self._kid

    def sign(self, message: bytes) -> bytes:
        """Return the signature of `message`, 64 bytes."""
        return self._key.sign(message)


class RegistryVerifier:
    """Knows which keys may sign the registry; two live during a rotation."""

    def __init__(self, jwks: str) -> None:
        """Read the key set; each key names its issuer, `registry`, in the member `iss`.

        Raises:
            ValueError: It holds no key, a private one, or one that is not for the registry.
        """
        self._keys: dict[str, Ed25519PublicKey] = {}
        listed = _object(jwks).get("keys")
        for raw in listed if isinstance(listed, list) else []:
            key = _load(raw)
            if not isinstance(key, Ed25519PublicKey):
                raise ValueError("not a public key")  # noqa: TRY004 - a value, as promised
            if raw.get("iss") != ISSUER or _kid(raw) in self._keys:
                raise ValueError("a registry key needs registry as its iss, and a kid of its own")
            self._keys[_kid(raw)] = key
        if not self._keys:
            raise ValueError("no key")

    def __call__(self, kid: str, signature: bytes, message: bytes) -> None:
        """Return if the key `kid` signed `message`.

        Raises:
            RegistryRefused: `registry_key_unknown` or `registry_signature_invalid`.
        """
        key = self._keys.get(kid)
        if key is None:
            raise RegistryRefused("registry_key_unknown", kid=kid)
        try:
            key.verify(signature, message)
        except InvalidSignature:
            raise RegistryRefused("registry_signature_invalid", kid=kid) from None


def new_private_jwk(kid: str) -> str:
    """Return a new private key under the name `kid`."""
    if not is_id(kid):
        raise ValueError("a kid is an identifier")
    made = OKPAlgorithm.to_jwk(Ed25519PrivateKey.generate(), as_dict=True)
    return json.dumps({**made, "kid": kid, "iss": ISSUER})


def public_jwk(private_jwk: str) -> dict[str, str]:
    """Return the public half of a private key, as a member of a key set.

    Raises:
        ValueError: It is not a private Ed25519 key with a `kid`.
    """
    raw = _object(private_jwk)
    RegistrySigner(private_jwk)
    return {name: raw[name] for name in ("kty", "crv", "x", "kid")} | {"iss": ISSUER}


def _object(text: str) -> dict[str, Any]:
    try:
        raw = json.loads(text)
    except ValueError:
        raise ValueError("not JSON") from None  # Without the text: it may hold a private key.
    if not isinstance(raw, dict):
        raise ValueError("not a JSON object")  # noqa: TRY004 - as promised
    return raw


def _load(raw: object) -> object:
    if not isinstance(raw, Mapping) or raw.get("kty") != "OKP" or raw.get("crv") != "Ed25519":
        raise ValueError("not an Ed25519 key")
    try:
        return OKPAlgorithm.from_jwk(json.dumps(raw))
    except jwt.InvalidKeyError:
        raise ValueError("a key that cannot be loaded") from None


def _kid(raw: Mapping[str, Any]) -> str:
    kid = raw.get("kid")
    if not isinstance(kid, str) or not is_id(kid):
        raise ValueError("a key needs a kid, an identifier")
    return kid
