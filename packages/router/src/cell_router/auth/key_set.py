"""Reads a JSON Web Key Set: untrusted bytes in, public keys bound to their algorithms out.

What a key may verify follows from its type and curve and never from a token. Keys for other uses
are passed over, as a set may hold them; a set that is ambiguous or too large is refused whole.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final

import jwt
from jwt.algorithms import ECAlgorithm, OKPAlgorithm, RSAAlgorithm

from cell_core.domain.canonical import parse
from cell_core.domain.errors import InvalidInput

SET_BYTES_MAX: Final = 64 * 1024
KEYS_MAX: Final = 64
KID_MAX: Final = 256

_RSA_BITS: Final = range(2048, 8192 + 1)
"""Shorter ones are broken, longer ones cost a verifier milliseconds."""

_RSA: Final = frozenset({"RS256", "RS384", "RS512", "PS256", "PS384", "PS512"})
_BOUND: Final[Mapping[tuple[str, str], frozenset[str]]] = {
    ("RSA", ""): _RSA,
    ("EC", "P-256"): frozenset({"ES256"}),
    ("EC", "P-384"): frozenset({"ES384"}),
    ("EC", "P-521"): frozenset({"ES512"}),
    ("OKP", "Ed25519"): frozenset({"EdDSA"}),
}
_READERS: Final[Mapping[str, Any]] = {"RSA": RSAAlgorithm, "EC": ECAlgorithm, "OKP": OKPAlgorithm}
_PRIVATE: Final = frozenset({"d", "p", "q", "dp", "dq", "qi", "oth", "k"})


class KeySetRefused(Exception):
    """The set cannot be used; the message is a word for the log, never a piece of the set."""


@dataclass(frozen=True, slots=True)
class VerifyingKey:
    """A public key, and all that may be verified with it."""

    kid: str
    algorithms: frozenset[str]
    key: Any = field(repr=False)


def read_key_set(raw: bytes, allowed: frozenset[str]) -> dict[str, VerifyingKey]:
    """Return the keys of `raw`, by `kid`, that verify one of the algorithms `allowed`.

    Raises:
        KeySetRefused: `too_large`, `not_a_key_set`, `too_many_keys`, `duplicate_kid` or
            `no_usable_key`.
    """
    if len(raw) > SET_BYTES_MAX:
        raise KeySetRefused("too_large")
    found: dict[str, VerifyingKey] = {}
    for jwk in _listed(raw):
        key = _usable(jwk, allowed)
        if key is None:
            continue
        if key.kid in found:
            # Taking the first or the last would be a guess at who may sign.
            raise KeySetRefused("duplicate_kid")
        found[key.kid] = key
    if not found:
        raise KeySetRefused("no_usable_key")
    return found


def _listed(raw: bytes) -> list[Any]:
    try:
        value = parse(raw)
    except InvalidInput:
        raise KeySetRefused("not_a_key_set") from None
    keys = value.get("keys") if isinstance(value, dict) else None
    if not isinstance(keys, list):
        raise KeySetRefused("not_a_key_set")
    if len(keys) > KEYS_MAX:
        raise KeySetRefused("too_many_keys")
    return keys


def _usable(jwk: object, allowed: frozenset[str]) -> VerifyingKey | None:
    if not isinstance(jwk, dict) or not _is_for_signatures(jwk):
        return None
    kid, kind = jwk.get("kid"), jwk.get("kty")
    if not isinstance(kid, str) or not 0 < len(kid) <= KID_MAX or not isinstance(kind, str):
        return None
    algorithms = _algorithms(jwk, kind) & allowed
    key = _load(jwk, kind) if algorithms else None
    return None if key is None else VerifyingKey(kid, algorithms, key)


def _is_for_signatures(jwk: Mapping[str, Any]) -> bool:
    # A private key that is published is everyone's; what it signs proves nothing.
    if not _PRIVATE.isdisjoint(jwk):
        return False
    operations = jwk.get("key_ops", ["verify"])
    return (
        jwk.get("use", "sig") == "sig" and isinstance(operations, list) and "verify" in operations
    )


def _algorithms(jwk: Mapping[str, Any], kind: str) -> frozenset[str]:
    curve = "" if kind == "RSA" else jwk.get("crv")
    if not isinstance(curve, str):
        return frozenset()
    bound = _BOUND.get((kind, curve), frozenset())
    named = jwk.get("alg")
    return bound if named is None else bound & {str(named)}


def _load(jwk: dict[str, Any], kind: str) -> Any:  # noqa: ANN401 - one of several key classes
    try:
        key = _READERS[kind].from_jwk(jwk)
    except (jwt.PyJWTError, ValueError, TypeError, KeyError, OverflowError):
        return None
    return None if kind == "RSA" and key.key_size not in _RSA_BITS else key
