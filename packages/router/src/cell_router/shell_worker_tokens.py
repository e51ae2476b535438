"""Clients' tokens in a Worker: the rules of `cell_router.auth`, with Web Crypto for the signatures.

Keys come inline from the settings or by a subrequest, and are kept by `IssuerKeys`. A request waits
for them only where there are none yet; otherwise they are fetched after an answer was given.
"""

import asyncio
import base64
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from typing import Any, Final

from cell_core.domain.canonical import canonical
from cell_router.auth.jwks import IssuerKeys
from cell_router.auth.jwt import TrustedIssuer
from cell_router.auth.key_set import KeySetRefused
from cell_router.shell_worker_ports import Crypto, Lost, Nonsense, TimedOut
from cell_router.shell_worker_settings import IssuerTable

Fetch = Callable[[str], Awaitable[bytes]]
"""Returns what stands at a URL; raises `Lost`, `Nonsense` or `TimedOut`."""

KEYS_HELD_MAX: Final = 256


@dataclass(frozen=True, slots=True)
class _Source:
    table: IssuerTable
    keys: IssuerKeys


class TokenKeys:
    """The keys of every issuer, and when to get them."""

    def __init__(
        self,
        tables: Sequence[IssuerTable],
        fetch: Fetch,
        *,
        jitter: Callable[[], float],
        forget: Callable[[], None],
    ) -> None:
        """Hold no keys yet.

        Args:
            tables: The issuers.
            fetch: Gets a key set.
            jitter: Returns numbers from 0 to below 1.
            forget: Called when a key was withdrawn: no token verified by it may be remembered.
        """
        self._fetch = fetch
        self._forget = forget
        self._sources = [
            _Source(table, IssuerKeys(frozenset(table.algorithms), jitter=jitter))
            for table in tables
        ]
        self.trusted = {
            source.table.issuer: TrustedIssuer(source.table.rules(), source.keys)
            for source in self._sources
        }

    def due(self, now_s: int) -> bool:
        """Say whether some keys should be fetched."""
        return any(source.keys.due(now_s) for source in self._sources)

    async def ensure(self, now_s: int) -> None:
        """Get the keys of those issuers that have none, if it is time to try."""
        missing = [s for s in self._sources if not s.keys.ready(now_s) and s.keys.due(now_s)]
        await asyncio.gather(*(self._refresh(source, now_s) for source in missing))

    async def refresh(self, now_s: int) -> None:
        """Get what is due."""
        due = [source for source in self._sources if source.keys.due(now_s)]
        await asyncio.gather(*(self._refresh(source, now_s) for source in due))

    async def _refresh(self, source: _Source, now_s: int) -> None:
        try:
            if source.table.jwks is not None:
                raw = canonical(source.table.jwks).encode()
            else:
                raw = await self._fetch(source.table.jwks_url)
            if source.keys.adopt(raw, now_s):
                self._forget()
        except (Lost, Nonsense, TimedOut):
            source.keys.failed(now_s)
        except KeySetRefused:
            pass  # `adopt` has counted it as a failure.


class Signatures:
    """Asks Web Crypto about signatures of tokens; keeps the keys that it has loaded."""

    def __init__(self, crypto: Crypto) -> None:
        self._crypto = crypto
        self._loaded: dict[tuple[str, str], Any] = {}

    async def is_right(self, token: bytes, jwk: Any, algorithm: str) -> bool:  # noqa: ANN401 - jwt.algorithms.Jwk
        """Say whether the key `jwk` made the signature of `token`."""
        message, _, signature = token.rpartition(b".")
        try:
            key = await self._key(jwk, algorithm)
            return await self._crypto.verify(key, algorithm, _decoded(signature), message)
        except ValueError:
            return False  # A key that Web Crypto refuses, or a signature that is not base64url.

    async def _key(self, jwk: Any, algorithm: str) -> Any:  # noqa: ANN401 - the runtime's key
        held = self._loaded.get((jwk.text, algorithm))
        if held is None:
            held = await self._crypto.load(jwk.members, algorithm, use="verify")
            if len(self._loaded) >= KEYS_HELD_MAX:
                self._loaded.clear()
            self._loaded[jwk.text, algorithm] = held
        return held


def _decoded(segment: bytes) -> bytes:
    raw = base64.urlsafe_b64decode(segment + b"=" * (-len(segment) % 4))
    # As PyJWT does: spare bits that are not zero would make two texts of one signature.
    if base64.urlsafe_b64encode(raw).rstrip(b"=") != segment:
        raise ValueError("not the one text of these bytes")
    return raw
