"""What Cloudflare's runtime gives the Worker: KV, Web Crypto and subrequests, in Python's types.

The only module beside the shell that knows JavaScript. Every promise awaited here belongs to the
request that awaits it: the runtime refuses to let one request wait for another's I/O, so nothing
that is under way is ever shared.
"""

from collections.abc import AsyncIterator, Mapping
from typing import Any, Final

import js
from pyodide.ffi import JsException, to_js

from cell_router.messages import PASSED_TO_CLIENT, CellAnswer
from cell_router.shell_worker_ports import KvUnavailable, Lost, Nonsense, TimedOut

_ED25519: Final = "Ed25519"
_BYTES: Final = "arrayBuffer"
_EXTRACTABLE: Final = False


class KvReader:
    """Reads values of one KV namespace; writes none."""

    def __init__(self, namespace: Any) -> None:  # noqa: ANN401 - the runtime's binding
        self._namespace = namespace

    async def get(self, key: str, cache_s: int) -> bytes | None:
        """Return the value at `key`; a copy at this edge location may be up to `cache_s` old.

        Raises:
            KvUnavailable: KV does not answer.
        """
        try:
            found = await self._namespace.get(key, {"type": _BYTES, "cacheTtl": cache_s})
        except JsException:
            raise KvUnavailable from None
        return None if found is None else bytes(found)


class WebCrypto:
    """Signs and verifies with the keys of JWKs; knows which parameters an algorithm has."""

    async def load(self, jwk: Mapping[str, str], algorithm: str, *, use: str) -> Any:  # noqa: ANN401
        """Return the key for `use` (`sign` or `verify`).

        Raises:
            ValueError: It cannot be loaded.
        """
        bare = {name: jwk[name] for name in _KEY_MEMBERS if name in jwk}
        parameters = _object(_IMPORTED[algorithm])
        try:
            return await js.crypto.subtle.importKey(
                "jwk", _object(bare), parameters, _EXTRACTABLE, to_js([use])
            )
        except JsException:
            raise ValueError("a key that cannot be loaded") from None

    async def sign(self, key: Any, message: bytes) -> bytes:  # noqa: ANN401 - a CryptoKey
        """Return the Ed25519 signature of `message`."""
        signature = await js.crypto.subtle.sign(_ED25519, key, to_js(message))
        return bytes(signature.to_bytes())

    async def verify(self, key: Any, algorithm: str, signature: bytes, message: bytes) -> bool:  # noqa: ANN401
        """Say whether `signature` is one of `message`."""
        parameters = _object(_USED.get(algorithm, _IMPORTED[algorithm]))
        try:
            found = await js.crypto.subtle.verify(parameters, key, to_js(signature), to_js(message))
        except JsException:
            return False
        return bool(found)


async def subrequest(
    url: str,
    method: str,
    headers: list[tuple[str, str]],
    body: bytes,
    *,
    wait_ms: int,
    bytes_max: int,
) -> CellAnswer:
    """Send a request and return the whole answer, whose body has at most `bytes_max` bytes.

    Redirects are not followed.

    Raises:
        TimedOut: No whole answer came within `wait_ms`.
        Lost: The connection broke.
        Nonsense: What came is longer than allowed.
    """
    options = {
        "method": method,
        "headers": [list(pair) for pair in headers],
        "redirect": "manual",
        "signal": js.AbortSignal.timeout(wait_ms),
    }
    if body:
        options["body"] = body
    try:
        response = await js.fetch(url, _object(options))
        found = {}
        for name, value in response.headers:
            field = name.encode("latin-1").lower()
            if field in PASSED_TO_CLIENT:
                found[field] = value.encode("latin-1", "replace")
        return CellAnswer(response.status, found, await read_body(response, bytes_max))
    except JsException as failed:
        raise (TimedOut if failed.name == "TimeoutError" else Lost) from None
    except TooLarge:
        raise Nonsense from None


class TooLarge(Exception):
    """A body has more bytes than allowed; the rest was not read."""


async def read_body(message: Any, bytes_max: int) -> bytes:  # noqa: ANN401 - Request or Response
    """Return the whole body of a JavaScript `Request` or `Response`.

    Raises:
        TooLarge: It has more than `bytes_max` bytes.
        JsException: It broke off.
    """
    body = bytearray()
    async for chunk in _chunks(message.body):
        body += chunk
        if len(body) > bytes_max:
            raise TooLarge
    return bytes(body)


async def _chunks(stream: Any) -> AsyncIterator[bytes]:  # noqa: ANN401 - a ReadableStream or null
    if not stream:
        return
    reader = stream.getReader()
    while not (step := await reader.read()).done:
        yield step.value.to_bytes()


def _object(members: Mapping[str, Any]) -> Any:  # noqa: ANN401 - a JavaScript object
    return to_js(dict(members), dict_converter=js.Object.fromEntries)


_KEY_MEMBERS: Final = ("kty", "crv", "x", "y", "n", "e", "d")
"""Others, such as `alg`, are spelt differently by different runtimes, and bind nothing here."""


def _rsa(scheme: str, bits: int) -> dict[str, Any]:
    return {"name": scheme, "hash": f"SHA-{bits}"}


_IMPORTED: Final[Mapping[str, Mapping[str, Any]]] = {
    "EdDSA": {"name": _ED25519},
    **{f"RS{bits}": _rsa("RSASSA-PKCS1-v1_5", bits) for bits in (256, 384, 512)},
    **{f"PS{bits}": _rsa("RSA-PSS", bits) for bits in (256, 384, 512)},
    "ES256": {"name": "ECDSA", "namedCurve": "P-256"},
    "ES384": {"name": "ECDSA", "namedCurve": "P-384"},
    "ES512": {"name": "ECDSA", "namedCurve": "P-521"},
}
_USED: Final[Mapping[str, Mapping[str, Any]]] = {
    **{f"PS{bits}": {"name": "RSA-PSS", "saltLength": bits // 8} for bits in (256, 384, 512)},
    **{f"ES{bits}": {"name": "ECDSA", "hash": f"SHA-{bits}"} for bits in (256, 384, 512)},
}
