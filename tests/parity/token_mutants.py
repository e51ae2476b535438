"""Grants that are none: each differs from a good one in one thing."""

import base64
import hashlib
import hmac
import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Final

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from tests.parity.cell import PRIVATE
from tests.parity.steps import CELL, EPOCH, START_MS

_NOW_S: Final = START_MS // 1000
_HEADER: Final = {"alg": "EdDSA", "kid": "tenant", "typ": "JWT"}
CLAIMS: Final[Mapping[str, Any]] = {
    "iss": "edge",
    "aud": CELL,
    "tenant": "T-a",
    "epoch": EPOCH,
    "scope": "tenant",
    "iat": _NOW_S,
    "exp": _NOW_S + 30,
    "jti": "g-1",
}
_CONTROL: Final = {"iss": "control", "scope": "control", "tenant": "*", "epoch": 0}
_STRANGER: Final = Ed25519PrivateKey.from_private_bytes(b"s" * 32)
_PUBLIC: Final = PRIVATE["tenant"].public_key()


@dataclass(frozen=True, slots=True)
class Mutant:
    """A token, and the code with which it is refused."""

    name: str
    token: str
    code: str = "grant_invalid"


def _encoded(value: bytes | Mapping[str, Any]) -> str:
    raw = value if isinstance(value, bytes) else json.dumps(value).encode()
    return base64.urlsafe_b64encode(raw).decode().rstrip("=")


def token(
    claims: Mapping[str, Any] | bytes = CLAIMS,
    header: Mapping[str, Any] | bytes = _HEADER,
    sign: Callable[[bytes], bytes] = PRIVATE["tenant"].sign,
) -> str:
    """Return a token that says `header` and `claims`, whatever they are."""
    text = f"{_encoded(header)}.{_encoded(claims)}"
    return f"{text}.{_encoded(sign(text.encode()))}"


def _said(name: str, code: str = "grant_invalid", **claims: Any) -> Mutant:
    kept = {k: v for k, v in {**CLAIMS, **claims}.items() if v is not ...}
    return Mutant(name, token(kept), code)


def _headed(
    name: str, sign: Callable[[bytes], bytes] = PRIVATE["tenant"].sign, **changes: Any
) -> Mutant:
    kept = {k: v for k, v in {**_HEADER, **changes}.items() if v is not ...}
    return Mutant(name, token(header=kept, sign=sign))


def _hmac(key: bytes) -> Callable[[bytes], bytes]:
    return lambda text: hmac.new(key, text, hashlib.sha256).digest()


_GOOD: Final = token()
_HEAD, _BODY, _SIGNATURE = _GOOD.split(".")
_OTHER_TENANT: Final = token({**CLAIMS, "tenant": "T-b"})

MUTANTS: Final = (
    Mutant("nothing", "", "grant_missing"),
    Mutant("a word", "x"),
    Mutant("two parts", "a.b"),
    Mutant("three parts of nothing", ".."),
    Mutant("three words", "a.b.c"),
    Mutant("five parts", "a.b.c.d.e"),
    Mutant("a part more", f"{_GOOD}.x"),
    Mutant("cut", _GOOD[:-2]),
    Mutant("no signature", f"{_HEAD}.{_BODY}."),
    Mutant("signature of nothing", f"{_HEAD}.{_BODY}.{_encoded(bytes(64))}"),
    Mutant("another's signature", f"{_HEAD}.{_BODY}.{_OTHER_TENANT.split('.')[2]}"),
    Mutant("another's claims", f"{_HEAD}.{_OTHER_TENANT.split('.')[1]}.{_SIGNATURE}"),
    Mutant("parts swapped", f"{_BODY}.{_HEAD}.{_SIGNATURE}"),
    Mutant("a space inside", f"{_HEAD} .{_BODY}.{_SIGNATURE}"),
    Mutant("not ascii", f"{_GOOD}é"),
    Mutant("too long", token({**CLAIMS, "jti": "x" * 2000})),
    Mutant("a header of no object", token(header=b"[]")),
    Mutant("a header of no json", token(header=b"{")),
    Mutant("claims of no object", token(b"[]")),
    Mutant("claims of no json", token(b"{")),
    _headed("alg none", sign=lambda _: b"", alg="none"),
    _headed("alg None", sign=lambda _: b"", alg="None"),
    _headed("alg nOnE, signed", alg="nOnE"),
    _headed("no alg", alg=...),
    _headed("alg of another case", alg="eddsa"),
    _headed("RS256 with the key of EdDSA", alg="RS256"),
    _headed("HS256 over the public bytes", _hmac(_PUBLIC.public_bytes_raw()), alg="HS256"),
    _headed(
        "HS256 over the public PEM",
        _hmac(_PUBLIC.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)),
        alg="HS256",
    ),
    _headed("HS256 over nothing", _hmac(b""), alg="HS256"),
    _headed("no kid", kid=...),
    _headed("an unknown kid", kid="other"),
    _headed("a kid that is a path", kid="../tenant"),
    _headed("a kid that is a list", kid=["tenant"]),
    _headed("a kid that is null", kid=None),
    _headed("the kid of another key", kid="control"),
    _headed("a stranger's key", sign=_STRANGER.sign),
    _headed("a stranger's key in the header", sign=_STRANGER.sign, jwk={"kty": "OKP"}),
    _headed("a key from elsewhere", jku="https://keys.invalid/"),
    _headed("a certificate from elsewhere", x5u="https://keys.invalid/"),
    _headed("critical extensions", crit=["exp"]),
    _headed("an unencoded payload", b64=False),
    _headed("a compressed payload", zip="DEF"),
    _said("another cell", aud="cell-2"),
    _said("two cells", aud=[CELL, "cell-2"]),
    _said("no cell", aud=...),
    _said("another issuer", iss="somebody"),
    _said("no issuer", iss=...),
    _said("an unknown scope", scope="admin"),
    _said("two scopes", scope=["tenant", "control"]),
    _said("no scope", scope=...),
    _said("control, issued by the edge", scope="control"),
    _said("every tenant, for a tenant's scope", tenant="*"),
    _said("every tenant's standby", tenant="*", scope="replicate"),
    _said("a tenant with a slash", tenant="T-a/00"),
    _said("an empty tenant", tenant=""),
    _said("two tenants", tenant=["T-a", "T-b"]),
    _said("a tenant that is a number", tenant=1),
    _said("no tenant", tenant=...),
    _said("an epoch in a text", epoch="17"),
    _said("an epoch that is a fraction", epoch=17.0),
    _said("an epoch that is true", epoch=True),
    _said("a negative epoch", epoch=-1),
    _said("an epoch beyond all", epoch=2**52 + 1),
    _said("no epoch", epoch=...),
    _said("a life of 31 seconds", exp=_NOW_S + 31),
    _said("a life of no time", exp=_NOW_S),
    _said("a life backwards", iat=_NOW_S + 5, exp=_NOW_S),
    _said("an end in a text", exp=str(_NOW_S + 30)),
    _said("no end", exp=...),
    _said("no beginning", iat=...),
    _said("a beginning in six seconds", iat=_NOW_S + 6, exp=_NOW_S + 20),
    _said("an end five seconds ago", "grant_expired", iat=_NOW_S - 30, exp=_NOW_S - 5),
    _said("not before, which is no claim here", nbf=_NOW_S),
    _said("a claim more", admin=True),
    _said("an empty id", jti=""),
    _said("no id", jti=...),
    _said("an id that is a number", jti=7),
    Mutant("control of everything, signed by the edge's key", token({**CLAIMS, **_CONTROL})),
)
