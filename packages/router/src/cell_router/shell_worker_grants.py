"""The edge's grants in a Worker: the same tokens as `cell_router.grants`, signed by Web Crypto.

Web Crypto answers later, not at once. So the exchange gets the lines that need no signature, and
the shell adds the grant itself while it sends.
"""

import base64
from collections.abc import Callable, Mapping
from typing import Any, Final

from cell_core.domain.canonical import canonical
from cell_core.wire.grants import LIFE_MAX_S
from cell_core.wire.message import STANDBY_GRANT
from cell_core.wire.registry import CellRecord
from cell_router.grants import RENEW_S, REPLICATE, TENANT, standby_fields
from cell_router.registry import Route
from cell_router.shell_worker_ports import Crypto

ALGORITHM: Final = "EdDSA"
GRANTS_MAX: Final = 10_000


class WorkerGrants:
    """Signs once for each (tenant, epoch, cell), and uses that until 5 s before its end."""

    def __init__(self, crypto: Crypto, key: Any, kid: str, new_id: Callable[[], str]) -> None:  # noqa: ANN401 - the runtime's key
        self._crypto = crypto
        self._key = key
        self._head = _part({"alg": ALGORITHM, "kid": kid, "typ": "JWT"})
        self._new_id = new_id
        self._held: dict[tuple[str, int, str, str], tuple[int, str]] = {}

    def lines(self, route: Route, _now_s: int) -> bytes:
        """Return tenant and epoch of `route` as header lines; the grant comes with `headers`."""
        return f"x-tenant-id: {route.tenant}\r\nx-tenant-epoch: {route.epoch}\r\n".encode()

    def standby_lines(self, route: Route, _now_s: int) -> bytes:
        """Return what the home is told of the standby; its grant comes with `headers`."""
        fields = standby_fields(route.standby) if route.standby is not None else {}
        return "".join(f"{name}: {value}\r\n" for name, value in fields.items()).encode()

    def forget(self, route: Route) -> None:
        """Sign anew at the next use: the cell did not accept the last one."""
        standby = route.standby.cell if route.standby is not None else None
        for cell, scope in ((route.cell, TENANT), (standby, REPLICATE)):
            if cell is not None:
                self._held.pop((route.tenant, route.epoch, cell.id, scope), None)

    async def headers(self, route: Route, now_s: int, *, writes: bool) -> list[tuple[str, str]]:
        """Return the headers with which the cell of `route` admits the edge.

        One that `writes` also gets what its standby admits the home with, if there is one.
        """
        assert route.cell is not None  # noqa: S101 - decide() forwards to described cells only
        name = route.cell.grant_header
        token = await self._token(route, route.cell, TENANT, now_s)
        found = [(name, f"Bearer {token}" if name == "authorization" else token)]
        standby = route.standby.cell if route.standby is not None else None
        if writes and standby is not None:
            found.append((STANDBY_GRANT, await self._token(route, standby, REPLICATE, now_s)))
        return found

    async def _token(self, route: Route, cell: CellRecord, scope: str, now_s: int) -> str:
        key = (route.tenant, route.epoch, cell.id, scope)
        held = self._held.get(key)
        if held is None or held[0] <= now_s:
            token = await self._sign(route, cell, scope, now_s)
            held = (now_s + LIFE_MAX_S - RENEW_S, token)
            if len(self._held) >= GRANTS_MAX:
                del self._held[next(iter(self._held))]
            self._held[key] = held
        return held[1]

    async def _sign(self, route: Route, cell: CellRecord, scope: str, now_s: int) -> str:
        claims = {
            "iss": "edge",
            "aud": cell.id,
            "tenant": route.tenant,
            "epoch": route.epoch,
            "scope": scope,
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
