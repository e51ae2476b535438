"""Verifies tokens of configured issuers; PyJWT and cryptography check the signatures.

Order: size, form, header, issuer, key and its algorithm, signature, audience, time, subject,
tenants. Nothing in a token says where a key is, which algorithm a key has, or that none is needed:
`jku`, `x5u`, `jwk` and `x5c` are not looked at (RFC 8725 is the source of most rules here).
"""

import base64
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

import jwt

from cell_core.domain.canonical import parse
from cell_core.domain.errors import InvalidInput
from cell_router.auth.claims import principal_of
from cell_router.auth.issuer import ALGORITHMS, Issuer
from cell_router.auth.jwks import IssuerKeys
from cell_router.auth.key_set import KID_MAX
from cell_router.auth.principal import Principal
from cell_router.auth.refused import INVALID, AuthRefused

TOKEN_BYTES_MAX: Final = 8 * 1024

_TOKEN: Final = re.compile(rb"[A-Za-z0-9_-]+\.[A-Za-z0-9_-]+\.[A-Za-z0-9_-]+")
_MEANING: Final = frozenset({"crit", "b64", "zip", "enc", "cty", "epk", "apu", "apv", "p2s", "p2c"})
"""Members that change what the rest means; all others that are not read are ignored."""

_TYPES: Final = frozenset({"jwt", "at+jwt", "application/at+jwt"})
"""Not a token made for another purpose, such as `logout+jwt` (RFC 8725, 3.11)."""

# Only these exist for it: neither `none` nor HMAC can be reached from any header.
_SIGNATURES: Final = jwt.PyJWS(algorithms=list(ALGORITHMS))


@dataclass(frozen=True, slots=True)
class TrustedIssuer:
    """An issuer's rules, and its keys."""

    rules: Issuer
    keys: IssuerKeys


class TokenVerifier:
    """Verifies tokens; holds none."""

    def __init__(self, trusted: Mapping[str, TrustedIssuer]) -> None:
        """Trust the issuers of `trusted`, by the claim `iss`, and no other."""
        self._trusted = trusted

    def verify(self, token: bytes, now_s: int) -> Principal:
        """Return whom `token` speaks for at `now_s`, in wall clock seconds.

        Raises:
            AuthRefused: `credential_invalid`, `credential_expired` or `auth_unavailable`.
        """
        if len(token) > TOKEN_BYTES_MAX:
            raise AuthRefused(INVALID, "token_too_large")
        if _TOKEN.fullmatch(token) is None:
            raise AuthRefused(INVALID, "malformed_token")
        head, body, _ = token.split(b".")
        algorithm, kid = _read_header(_object(head))
        claims = _object(body)
        issuer = claims.get("iss")
        trusted = self._trusted.get(issuer) if isinstance(issuer, str) else None
        if trusted is None:
            raise AuthRefused(INVALID, "wrong_issuer")
        if algorithm not in trusted.rules.algorithms:
            raise AuthRefused(INVALID, "algorithm_refused")
        key = trusted.keys.find(kid, now_s)
        if algorithm not in key.algorithms:
            raise AuthRefused(INVALID, "algorithm_of_another_key")
        _check_signature(token, key.key, algorithm)
        return principal_of(claims, trusted.rules, now_s)


def _object(segment: bytes) -> dict[str, Any]:
    """Read a part strictly: the last of two members of one name must not win silently."""
    try:
        value = parse(base64.urlsafe_b64decode(segment + b"=" * (-len(segment) % 4)))
    except (InvalidInput, ValueError):
        raise AuthRefused(INVALID, "malformed_token") from None
    if not isinstance(value, dict):
        raise AuthRefused(INVALID, "malformed_token")
    return value


def _read_header(header: Mapping[str, Any]) -> tuple[str, str]:
    if not _MEANING.isdisjoint(header):
        raise AuthRefused(INVALID, "header_refused")
    kind = header.get("typ", "JWT")
    if not isinstance(kind, str) or kind.lower() not in _TYPES:
        raise AuthRefused(INVALID, "header_refused")
    algorithm, kid = header.get("alg"), header.get("kid")
    if not isinstance(algorithm, str):
        raise AuthRefused(INVALID, "algorithm_refused")
    if not isinstance(kid, str) or not 0 < len(kid) <= KID_MAX:
        raise AuthRefused(INVALID, "no_kid")
    return algorithm, kid


def _check_signature(token: bytes, key: Any, algorithm: str) -> None:  # noqa: ANN401 - key classes
    try:
        _SIGNATURES.decode_complete(token, key, [algorithm])
    except (jwt.PyJWTError, ValueError, TypeError):
        raise AuthRefused(INVALID, "bad_signature") from None
