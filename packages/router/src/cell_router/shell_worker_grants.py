"""The edge's grants in a Worker: the same tokens as `cell_router.grants`, signed by Web Crypto.

Web Crypto answers later, not at once. So the exchange gets the lines that need no signature, and
the shell adds the grant itself while it sends.
"""

import base64
from collections.abc import Callable, Mapping
from typing import Any, Final

from cell_core.domain.canonical import canonical
from cell_core.wire.grants import LIFE_MAX_S
from cell_router.grants import RENEW_S
from cell_router.registry import Route
from cell_router.shell_worker_ports import Crypto

ALGORITHM: Final = "EdDSA"
GRANTS_MAX: Final = 10_000


class WorkerGrants:
    """Signs once for each (tenant, epoch), and uses that until 5 s before its end."""

    def __init__(self, crypto: Crypto, key: Any, kid: str, new_id: Callable[[], str]) -> None:  # noqa: ANN401 - the runtime's key
        self._crypto = crypto
        self._key = key
        self._head = _part({"alg": ALGORITHM, "kid": kid, "typ": "JWT"})
        self._new_id = new_id
        self._held: dict[tuple[str, int], tuple[int, str]] = {}

    def lines(self, route: Route, _now_s: int) -> bytes:
        """Return tenant and epoch of `route` as header lines; the grant comes with `header`."""
        return f"x-tenant-id: {route.tenant}\r\nx-tenant-epoch: {route.epoch}\r\n".encode()

    def forget(self, route: Route) -> None:
        """Sign anew at the next use: the cell did not accept the last one."""
        self._held.pop((route.tenant, route.epoch), None)

    async def header(self, route: Route, now_s: int) -> tuple[str, str]:
        """Return name and value of the header with which the cell of `route` admits the edge."""
        key = (route.tenant, route.epoch)
        held = self._held.get(key)
        if held is None or held[0] <= now_s:
            held = (now_s + LIFE_MAX_S - RENEW_S, await self._sign(route, now_s))
            if len(self._held) >= GRANTS_MAX:
                del self._held[next(iter(self._held))]
            self._held[key] = held
        assert route.cell is not None  # noqa: S101 - decide() forwards to described cells only
        name = route.cell.grant_header
        return name, f"Bearer {held[1]}" if name == "authorization" else held[1]

    async def _sign(self, route: Route, now_s: int) -> str:
        assert route.cell is not None  # noqa: S101 - as above
        claims = {
            "iss": "edge",
            "aud": route.cell.id,
            "tenant": route.tenant,
            "epoch": route.epoch,
            "scope": "tenant",
            "iat": now_s,
            "exp": now_s + LIFE_MAX_S,
            "jti": self._new_id(),
        }
        message = f"{self._head}.{_part(claims)}"
        return f"{message}.{_encoded(await self._crypto.sign(self._key, message.encode()))}"


def _part(members: Mapping[str, Any]) -> str:
    return _encoded(canonical(members).encode())


def _encoded(raw: bytes) -> str:
    return base64.urlsafe_b64encode(raw).rstrip(b"=").decode()
