"""Tokens that are none: each differs from a good one in one thing."""

import hashlib
import hmac
import json
from collections.abc import Callable
from typing import Any, Final

from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from tests.core.granting import segment
from tests.router.auth.issuing import (
    CLAIMS,
    NOW_S,
    ec_key,
    ed_key,
    headed,
    header_of,
    rsa_key,
    signed,
    token,
)

GOOD: Final = token()
HEAD, BODY, SIGNATURE = GOOD.split(b".")
_KEY: Final = ed_key()
_HEADER: Final = header_of(_KEY)
_STRANGER: Final = ed_key("stranger")


def _hmac(secret: bytes) -> Callable[[bytes], bytes]:
    return lambda text: hmac.new(secret, text, hashlib.sha256).digest()


def _pem(key: Any) -> bytes:
    return key.private.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)


def _confused(alg: str, sign: Callable[[bytes], bytes], kid: str = "ed-1") -> bytes:
    return signed({"alg": alg, "kid": kid, "typ": "JWT"}, CLAIMS, sign)


def _twice(name: str, value: object) -> bytes:
    raw = json.dumps(CLAIMS)[:-1] + f', "{name}": {json.dumps(value)}}}'
    return signed(_HEADER, raw.encode(), _KEY.sign)


def _raw(claims: bytes) -> bytes:
    return signed(_HEADER, claims, _KEY.sign)


FORM: Final = {
    "nothing": b"",
    "a word": b"x",
    "two parts": b"a.b",
    "three words": b"a.b.c",
    "three parts of nothing": b"..",
    "a part more": GOOD + b".x",
    "no signature": HEAD + b"." + BODY + b".",
    "no header": b"." + BODY + b"." + SIGNATURE,
    "parts swapped": b".".join((BODY, HEAD, SIGNATURE)),
    "a space inside": HEAD + b" ." + BODY + b"." + SIGNATURE,
    "a line break": GOOD + b"\n",
    "a NUL": GOOD + b"\0",
    "not ASCII": GOOD + "é".encode(),
    "padding": GOOD + b"==",
    "standard alphabet": HEAD + b"." + BODY + b"." + b"+/" + SIGNATURE[2:],
    "spare bits of the signature": GOOD[:-1] + bytes([GOOD[-1] + 1]),
    "a header of no object": signed(b"[]", CLAIMS, _KEY.sign),
    "a header of no JSON": signed(b"{", CLAIMS, _KEY.sign),
    "a header that is not UTF-8": signed(b'{"alg":"\xff"}', CLAIMS, _KEY.sign),
    "claims of no object": _raw(b"[]"),
    "claims of no JSON": _raw(b"{"),
    "claims that nest deeply": token(deep=json.loads("[" * 20 + "]" * 20)),
    "claims with NaN": token(nan=float("nan")),
    "a JSON serialization": json.dumps({"payload": BODY.decode()}).encode(),
    "an encrypted token": b"a.b.c.d.e",
    "oversize": token(pad="x" * 8192),
}
ALGORITHM: Final = {
    "alg none, unsigned": _confused("none", lambda _: b""),
    "alg none, a signature of a byte": _confused("none", lambda _: b"x"),
    "alg None": _confused("None", _KEY.sign),
    "alg nOnE": _confused("nOnE", _KEY.sign),
    "alg empty": _confused("", _KEY.sign),
    "alg missing": headed(alg=...),
    "alg null": headed(alg=None),
    "alg a list": headed(alg=["EdDSA"]),
    "alg in another case": headed(alg="eddsa"),
    "HS256 over the raw public key": _confused(
        "HS256", _hmac(_KEY.private.public_key().public_bytes_raw())
    ),
    "HS256 over the PEM": _confused("HS256", _hmac(_pem(_KEY))),
    "HS256 over the RSA PEM": _confused("HS256", _hmac(_pem(rsa_key())), "rsa-1"),
    "HS256 over the JWK": _confused("HS256", _hmac(json.dumps(_KEY.public_jwk()).encode())),
    "HS256 over nothing": _confused("HS256", _hmac(b"")),
    "HS512 over the PEM": _confused("HS512", _hmac(_pem(rsa_key())), "rsa-1"),
    "RS256 said of an Ed25519 key": headed(alg="RS256"),
    "EdDSA said of an RSA key": headed(rsa_key(), alg="EdDSA"),
    "ES256 said of an RSA key": headed(rsa_key(), alg="ES256"),
    "RS256 said of an EC key": headed(ec_key(), alg="RS256"),
    "an algorithm that is not allowed": headed(rsa_key("rsa-1", "RS512")),
    "PS256 where RS256 is allowed": headed(rsa_key("rsa-1", "PS256")),
}
KEY: Final = {
    "no kid": headed(kid=...),
    "kid null": headed(kid=None),
    "kid empty": headed(kid=""),
    "kid a list": headed(kid=["ed-1"]),
    "kid a number": headed(kid=1),
    "kid a path": headed(kid="../../dev/null"),
    "kid too long": headed(kid="k" * 257),
    "kid unknown": headed(kid="other"),
    "kid of another key": headed(kid="rsa-1"),
    "a stranger's signature": signed(_HEADER, CLAIMS, _STRANGER.sign),
    "a stranger's key brought along": signed(
        {**_HEADER, "jwk": _STRANGER.public_jwk()}, CLAIMS, _STRANGER.sign
    ),
    "a stranger's key pointed at": signed(
        {**_HEADER, "jku": "https://keys.invalid"}, CLAIMS, _STRANGER.sign
    ),
    "a signature of zeros": HEAD + b"." + BODY + b"." + segment(bytes(64)).encode(),
    "another token's claims": HEAD + b"." + token(tenant="T-b").split(b".")[1] + b"." + SIGNATURE,
    "another token's signature": HEAD + b"." + BODY + b"." + token(tenant="T-b").split(b".")[2],
    "half a signature": signed(_HEADER, CLAIMS, lambda text: _KEY.sign(text)[:32]),
    "two signatures": signed(_HEADER, CLAIMS, lambda text: _KEY.sign(text) * 2),
}
HEADER: Final = {
    "critical extension": headed(crit=["exp"]),
    "critical extension b64": headed(crit=["b64"], b64=True),
    "no critical extensions": headed(crit=[]),
    "an unencoded payload": headed(b64=False),
    "a compressed payload": headed(zip="DEF"),
    "a token inside": headed(cty="JWT"),
    "an encrypted one": headed(enc="A256GCM"),
    "a logout token": headed(typ="logout+jwt"),
    "typ a number": headed(typ=1),
    "alg twice": signed(b'{"alg":"none","alg":"EdDSA","kid":"ed-1"}', CLAIMS, _KEY.sign),
    "kid twice": signed(b'{"alg":"EdDSA","kid":"x","kid":"ed-1"}', CLAIMS, _KEY.sign),
}
CLAIM: Final = {
    **{f"{name} twice": _twice(name, CLAIMS[name]) for name in CLAIMS},
    "tenant twice, another": _twice("tenant", "T-b"),
    **{f"no {name}": token(**{name: ...}) for name in ("iss", "aud", "sub", "exp", "tenant")},
    **{f"{name} null": token(**{name: None}) for name in CLAIMS},
    **{f"{name} true": token(**{name: True}) for name in CLAIMS},
    **{f"{name} an object": token(**{name: {"a": 1}}) for name in CLAIMS},
    **{f"{name} a number": token(**{name: 1}) for name in ("iss", "aud", "sub", "tenant", "scope")},
    **{f"{name} a text": token(**{name: str(NOW_S)}) for name in ("exp", "nbf", "iat")},
    **{f"{name} a list": token(**{name: [NOW_S]}) for name in ("iss", "sub", "exp", "nbf", "iat")},
    "exp infinite": token(exp=float("inf")),
    "exp NaN": token(exp=float("nan")),
    "exp beyond a double": token(exp=10**18),
    "iss empty": token(iss=""),
    "iss in another case": token(iss="HTTPS://idp.example"),
    "aud empty": token(aud=""),
    "aud nobody": token(aud=[]),
    "aud with a number": token(aud=["cells", 1]),
    "aud nested": token(aud=[["cells"]]),
    "aud a prefix": token(aud="cell"),
    "sub empty": token(sub=""),
    "sub with a line break": token(sub="a\nlevel=admin"),
    "sub too long": token(sub="s" * 256),
    "sub not ASCII": token(sub="\u202ea"),
    "tenant empty": token(tenant=""),
    "tenant with a slash": token(tenant="T-a/00"),
    "tenant ends in a line break": token(tenant="T-a\n"),
    "tenant too long": token(tenant="T" * 65),
    "tenant a star": token(tenant="*"),
    "no tenants": token(tenant=[]),
    "tenants with a number": token(tenant=["T-a", 1]),
    "tenants with a bad name": token(tenant=["T-a", "../b"]),
    "tenants nested": token(tenant=[["T-a"]]),
    "scopes with a number": token(scope=["read", 1]),
    "scopes nested": token(scope=[["read"]]),
    "not yet valid": token(nbf=NOW_S + 60),
    "issued in the future": token(iat=NOW_S + 60),
}
ALL: Final = {
    f"{group}: {name}": forged
    for group, members in {
        "form": FORM,
        "algorithm": ALGORITHM,
        "key": KEY,
        "header": HEADER,
        "claim": CLAIM,
    }.items()
    for name, forged in members.items()
}
