"""An issuer that a test owns: keys of each kind, tokens right or wrong, a set that can be down."""

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cache
from typing import Any, Final

from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.asymmetric.rsa import generate_private_key
from jwt.algorithms import ECAlgorithm, OKPAlgorithm, RSAAlgorithm, get_default_algorithms

from cell_router.auth.api_key_file import NO_KEYS, KeyFile
from cell_router.auth.api_keys import ApiKeys
from cell_router.auth.authenticator import Authenticator
from cell_router.auth.issuer import Issuer
from cell_router.auth.jwks import IssuerKeys
from cell_router.auth.jwt import TokenVerifier, TrustedIssuer
from cell_router.auth.key_fetch import KeysUnavailable
from cell_router.auth.refresher import JwksRefresher, Source
from tests.core.granting import segment

NOW_S: Final = 1_700_000_000
ISSUER: Final = "https://idp.example"
AUDIENCE: Final = "cells"
ALGORITHMS: Final = frozenset({"EdDSA", "RS256", "ES256"})
_ALGORITHMS: Final = get_default_algorithms()


@dataclass(frozen=True)
class Key:
    """A key pair with a name."""

    kid: str
    private: Any
    algorithm: str

    def public_jwk(self, **changes: Any) -> dict[str, Any]:
        kind = {"E": OKPAlgorithm, "R": RSAAlgorithm, "P": RSAAlgorithm}.get(self.algorithm[0])
        if self.algorithm.startswith("ES"):
            kind = ECAlgorithm
        made = {**kind.to_jwk(self.private.public_key(), as_dict=True), "kid": self.kid}
        return {k: v for k, v in {**made, "use": "sig", **changes}.items() if v is not ...}

    def private_jwk(self) -> dict[str, Any]:
        """Return what nobody publishes on purpose; of an Ed25519 key."""
        return {**OKPAlgorithm.to_jwk(self.private, as_dict=True), "kid": self.kid}

    def sign(self, text: bytes) -> bytes:
        return _ALGORITHMS[self.algorithm].sign(text, self.private)


@cache
def ed_key(kid: str = "ed-1") -> Key:
    return Key(kid, Ed25519PrivateKey.generate(), "EdDSA")


@cache
def rsa_key(kid: str = "rsa-1", algorithm: str = "RS256") -> Key:
    return Key(kid, generate_private_key(65537, 2048), algorithm)


@cache
def ec_key(kid: str = "ec-1") -> Key:
    return Key(kid, ec.generate_private_key(ec.SECP256R1()), "ES256")


def key_set(*keys: Key | Mapping[str, Any]) -> bytes:
    """Return the bytes of a set of `keys`, some of them already JWKs."""
    listed = [key.public_jwk() if isinstance(key, Key) else key for key in keys]
    return json.dumps({"keys": listed}).encode()


CLAIMS: Final[Mapping[str, Any]] = {
    "iss": ISSUER,
    "aud": AUDIENCE,
    "sub": "alice",
    "exp": NOW_S + 3600,
    "nbf": NOW_S,
    "iat": NOW_S,
    "tenant": "T-a",
    "scope": "read write",
}


def changed(given: Mapping[str, Any], changes: Mapping[str, Any]) -> dict[str, Any]:
    """Return `given` but for `changes`; `...` leaves a member out."""
    return {k: v for k, v in {**given, **changes}.items() if v is not ...}


def signed(
    header: Mapping[str, Any] | bytes,
    claims: Mapping[str, Any] | bytes,
    sign: Callable[[bytes], bytes],
) -> bytes:
    """Return a token of exactly these parts."""
    parts = [
        one if isinstance(one, bytes) else json.dumps(one).encode() for one in (header, claims)
    ]
    text = ".".join(map(segment, parts)).encode()
    return text + b"." + segment(sign(text)).encode()


def header_of(key: Key) -> dict[str, Any]:
    return {"alg": key.algorithm, "kid": key.kid, "typ": "JWT"}


def token(key: Key | None = None, **claims: Any) -> bytes:
    """Return a token that is right but for `claims`, of the Ed25519 key if none is given."""
    key = key or ed_key()
    return signed(header_of(key), changed(CLAIMS, claims), key.sign)


def headed(key: Key | None = None, **header: Any) -> bytes:
    """Return a token that is right but for members of its header."""
    key = key or ed_key()
    return signed(changed(header_of(key), header), CLAIMS, key.sign)


def bearer(credential: bytes) -> bytes:
    return b"Bearer " + credential


def rules(**changes: Any) -> Issuer:
    given = {
        "issuer": ISSUER,
        "audiences": frozenset({AUDIENCE}),
        "algorithms": ALGORITHMS,
        "leeway_s": 30,
    }
    return Issuer(**{**given, **changes})


class FakeKeys:
    """A set that a test changes or takes down; counts how often it was asked for."""

    def __init__(self, *keys: Key) -> None:
        self.raw = key_set(*keys)
        self.problem: Exception | None = None
        self.asked = 0

    def fetch(self) -> bytes:
        self.asked += 1
        if self.problem is not None:
            raise self.problem
        return self.raw

    def go_down(self) -> None:
        self.problem = KeysUnavailable("unreachable")

    def come_back(self) -> None:
        self.problem = None


class Edge:
    """An authenticator and its refresher, at a time that the test sets."""

    def __init__(
        self, *keys: Key, file: KeyFile = NO_KEYS, remembered_max: int = 1000, **changes: Any
    ) -> None:
        self.now_s = NOW_S
        self.reports: list[tuple[str, str]] = []
        self.published = FakeKeys(*(keys or (ed_key(), rsa_key(), ec_key())))
        issuer = rules(**changes)
        self.keys = IssuerKeys(issuer.algorithms, jitter=lambda: 0.0)
        self.authenticator = Authenticator(
            TokenVerifier({issuer.issuer: TrustedIssuer(issuer, self.keys)}),
            ApiKeys(file),
            remembered_max=remembered_max,
        )
        self.refresher = JwksRefresher(
            {issuer.issuer: Source(self.keys, self.published)},
            clock_s=lambda: self.now_s,
            forget=self.authenticator.forget,
            report=lambda *said: self.reports.append(said),
        )
        self.refresher.refresh_due()

    def at(self, now_s: int) -> "Edge":
        """Let the time be `now_s`, and what is due then be fetched."""
        self.now_s = now_s
        self.refresher.refresh_due()
        return self

    def accepts(self, credential: bytes) -> Any:
        return self.authenticator.authenticate(bearer(credential), None, self.now_s)
