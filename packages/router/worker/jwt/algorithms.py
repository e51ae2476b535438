"""Public keys as JWKs, for Web Crypto to import; whether a point lies on its curve it will say."""

import base64
import binascii
from collections.abc import Mapping
from typing import Any, Final

from cell_core.domain.canonical import canonical

_POINT_BYTES: Final = {"P-256": 32, "P-384": 48, "P-521": 66, "Ed25519": 32}


class Jwk:
    """A public key; equal if its JWK is."""

    def __init__(self, members: Mapping[str, str]) -> None:
        self.members = members
        self.text = canonical(dict(members))

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Jwk) and other.text == self.text

    def __hash__(self) -> int:
        return hash(self.text)


class RsaJwk(Jwk):
    """An RSA key, which knows its size in bits."""

    @property
    def key_size(self) -> int:
        """The bits of the modulus."""
        return int.from_bytes(_bytes(self.members["n"]), "big").bit_length()


class RSAAlgorithm:
    """PyJWT's name for what reads RSA keys."""

    @staticmethod
    def from_jwk(jwk: Mapping[str, Any]) -> RsaJwk:
        """Return the key in `jwk`; raises KeyError or ValueError."""
        if not _bytes(jwk["n"]) or not _bytes(jwk["e"]):
            raise ValueError("an empty number")
        return RsaJwk({name: jwk[name] for name in ("kty", "n", "e")})


class ECAlgorithm:
    """PyJWT's name for what reads keys on NIST's curves."""

    @staticmethod
    def from_jwk(jwk: Mapping[str, Any]) -> Jwk:
        """Return the key in `jwk`; raises KeyError or ValueError."""
        return _point(jwk, ("x", "y"))


class OKPAlgorithm:
    """PyJWT's name for what reads Ed25519 keys."""

    @staticmethod
    def from_jwk(jwk: Mapping[str, Any]) -> Jwk:
        """Return the key in `jwk`; raises KeyError or ValueError."""
        return _point(jwk, ("x",))


def _point(jwk: Mapping[str, Any], coordinates: tuple[str, ...]) -> Jwk:
    if any(len(_bytes(jwk[name])) != _POINT_BYTES[jwk["crv"]] for name in coordinates):
        raise ValueError("a coordinate of another length")
    return Jwk({name: jwk[name] for name in ("kty", "crv", *coordinates)})


def _bytes(text: object) -> bytes:
    if not isinstance(text, str):
        raise ValueError("not a text")  # noqa: TRY004 - PyJWT's callers expect this one
    try:
        return base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))
    except binascii.Error:
        raise ValueError("not base64url") from None
