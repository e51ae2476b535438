"""Grants: short-lived signed permissions from the edge or the control plane to a cell (cell.md 6).

A cell holds public keys only, so a stolen cell can mint nothing. The algorithm belongs to the key,
never to the token's header. Refuses to fetch keys: they arrive as configuration.
"""

import base64
import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

import jwt
from jwt.algorithms import OKPAlgorithm, RSAAlgorithm

from cell_core.domain.canonical import parse
from cell_core.domain.errors import InvalidInput, Refused
from cell_core.domain.ids import EPOCH_MAX, is_id
from cell_core.wire.grant_text import is_token

LIFE_MAX_S: Final = 30
LEEWAY_S: Final = 5
ISSUERS: Final = ("edge", "control")
EVERY_TENANT: Final = "*"
"""In a control grant: not bound to one tenant."""

_VERIFIED_MAX = 1024
_CLAIMS: Final = {"iss", "aud", "tenant", "epoch", "scope", "iat", "exp", "jti"}
_ALGORITHMS: Mapping[str, str] = {"OKP": "EdDSA", "RSA": "RS256"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Grant:
    """What a verified token allows.

    Attributes:
        scope: `tenant`, `control`, or `replicate`: append entries to one tenant's standby.
        issued_s, expires_s: Seconds since 1970-01-01 UTC.
    """

    issuer: str
    audience: str
    tenant: str
    epoch: int
    scope: str
    issued_s: int
    expires_s: int
    id: str


class GrantVerifier:
    """Verifies tokens against the public keys of a JWKS.

    Verified tokens are remembered by their bytes, so an edge that uses one for 25 s costs one
    signature check in that time; audience and time are checked at each use.
    """

    def __init__(self, jwks: str, *, audience: str) -> None:
        """Read the key set; each key names its issuer in the member `iss`.

        Raises:
            ValueError: It holds no usable key, or a private one, or one without `kid` or `iss`.
        """
        self._keys = _read_keys(jwks)
        self._audience = audience
        self._verified: dict[str, Grant] = {}

    def holds(self, kid: str) -> bool:
        """Say whether a key of this name is trusted."""
        return kid in self._keys

    def verify(self, token: str, now_s: int) -> Grant:
        """Return what `token` allows at `now_s`.

        Raises:
            Refused: `grant_missing`, `grant_invalid` or `grant_expired`.
        """
        if not token:
            raise Refused("grant_missing")
        grant = self._verified.get(token) or self._check(token)
        if grant.issued_s > now_s + LEEWAY_S:
            raise Refused("grant_invalid")
        if now_s >= grant.expires_s + LEEWAY_S:
            raise Refused("grant_expired")
        return grant

    def _check(self, token: str) -> Grant:
        if not is_token(token):
            raise Refused("grant_invalid")
        try:
            header = jwt.get_unverified_header(token)
            trusted = self._keys[str(header.get("kid"))]
            if header.get("alg") != trusted.algorithm or not header.keys() <= {"alg", "kid", "typ"}:
                raise Refused("grant_invalid")
            claims = jwt.decode(
                token,
                trusted.key,
                algorithms=[trusted.algorithm],
                options={"verify_aud": False, "verify_exp": False, "verify_iat": False},
            )
            # Read once more, strictly: the library takes the last of two claims of one name.
            parse(base64.urlsafe_b64decode(token.split(".")[1] + "=="))
        except (jwt.PyJWTError, InvalidInput, KeyError, ValueError, TypeError):
            raise Refused("grant_invalid") from None
        grant = _read_claims(claims)
        # The edge's key cannot speak for the control plane, whatever the token claims.
        if grant.audience != self._audience or grant.issuer != trusted.issuer:
            raise Refused("grant_invalid")
        if len(self._verified) >= _VERIFIED_MAX:
            self._verified.clear()
        self._verified[token] = grant
        return grant


class GrantSigner:
    """Signs grants with one private key; lives at the edge and in control, never in a cell."""

    def __init__(self, private_jwk: str, *, issuer: str) -> None:
        """Read the key.

        Raises:
            ValueError: It is not a private key with a `kid`.
        """
        raw = json.loads(private_jwk)
        if "d" not in raw or not raw.get("kid"):
            raise ValueError("signing needs a private key with a kid")
        self._kid = str(raw["kid"])
        self._algorithm = _ALGORITHMS[raw["kty"]]
        self._key = _load(raw)
        self._issuer = issuer

    def sign(
        self,
        *,
        audience: str,
        tenant: str,
        epoch: int,
        scope: str,
        now_s: int,
        grant_id: str,
        life_s: int = LIFE_MAX_S,
    ) -> str:
        """Return a token for `tenant` at `epoch` in the cell `audience`."""
        claims = {
            "iss": self._issuer,
            "aud": audience,
            "tenant": tenant,
            "epoch": epoch,
            "scope": scope,
            "iat": now_s,
            "exp": now_s + life_s,
            "jti": grant_id,
        }
        return jwt.encode(claims, self._key, self._algorithm, headers={"kid": self._kid})


@dataclass(frozen=True, slots=True)
class _Trusted:
    """A public key, and what may be signed with it."""

    algorithm: str
    issuer: str
    key: Any


def _read_keys(jwks: str) -> dict[str, _Trusted]:
    keys: dict[str, _Trusted] = {}
    for raw in json.loads(jwks)["keys"]:
        if "d" in raw:
            raise ValueError("a cell must not hold a private key")
        algorithm = _ALGORITHMS.get(raw.get("kty"))
        kid, issuer = raw.get("kid"), raw.get("iss")
        if algorithm is None or not kid or raw.get("alg", algorithm) != algorithm:
            raise ValueError("a key needs a kid and one of the types OKP and RSA")
        if issuer not in ISSUERS:
            raise ValueError("a key needs the issuer it is for, edge or control, as iss")
        keys[kid] = _Trusted(algorithm, issuer, _load(raw))
    if not keys:
        raise ValueError("no key")
    return keys


def _load(raw: Mapping[str, Any]) -> Any:  # noqa: ANN401 - one of several key classes
    kind = OKPAlgorithm if raw["kty"] == "OKP" else RSAAlgorithm
    try:
        return kind.from_jwk(json.dumps(raw))
    except jwt.InvalidKeyError:
        raise ValueError("a key that cannot be loaded") from None


def _read_claims(claims: Mapping[str, Any]) -> Grant:
    if claims.keys() != _CLAIMS:
        raise Refused("grant_invalid")
    texts = [claims.get(name) for name in ("iss", "aud", "tenant", "scope", "jti")]
    numbers = [claims.get(name) for name in ("epoch", "iat", "exp")]
    if not all(isinstance(t, str) and len(t) <= 128 for t in texts):
        raise Refused("grant_invalid")
    if not all(type(n) is int and 0 <= n <= EPOCH_MAX for n in numbers):
        raise Refused("grant_invalid")
    grant = Grant(
        issuer=claims["iss"],
        audience=claims["aud"],
        tenant=claims["tenant"],
        epoch=claims["epoch"],
        scope=claims["scope"],
        issued_s=claims["iat"],
        expires_s=claims["exp"],
        id=claims["jti"],
    )
    if not _is_sound(grant):
        raise Refused("grant_invalid")
    return grant


def _is_sound(grant: Grant) -> bool:
    anywhere = grant.tenant == EVERY_TENANT and grant.scope == "control"
    return (
        grant.issuer in ISSUERS
        and grant.scope in ("tenant", "control", "replicate")
        and (grant.scope != "control" or grant.issuer == "control")
        and (anywhere or is_id(grant.tenant))
        and 0 < grant.expires_s - grant.issued_s <= LIFE_MAX_S
        and bool(grant.id)
    )
