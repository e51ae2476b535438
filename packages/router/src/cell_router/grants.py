"""The edge's grants: one per (tenant, epoch, cell), signed once and used until 5 s before its end.

Signing costs some 50 us, so it is kept off the path of most requests.
"""

from collections.abc import Callable
from typing import Final

from cell_core.wire.grants import LIFE_MAX_S, GrantSigner
from cell_router.registry import Route

RENEW_S: Final = 5
GRANTS_MAX: Final = 100_000


class GrantBook:
    """The header lines with which a cell admits the edge's requests."""

    def __init__(self, signer: GrantSigner, new_id: Callable[[], str]) -> None:
        self._signer = signer
        self._new_id = new_id
        self._lines: dict[tuple[str, int], tuple[int, bytes]] = {}

    def lines(self, route: Route, now_s: int) -> bytes:
        """Return grant, tenant and epoch of `route` as header lines, each with its CRLF."""
        key = (route.tenant, route.epoch)
        held = self._lines.get(key)
        if held is not None and held[0] > now_s:
            return held[1]
        return self._sign(route, key, now_s)

    def forget(self, route: Route) -> None:
        """Sign anew at the next use: the cell did not accept the last one."""
        self._lines.pop((route.tenant, route.epoch), None)

    def _sign(self, route: Route, key: tuple[str, int], now_s: int) -> bytes:
        assert route.cell is not None  # noqa: S101 - decide() forwards to described cells only
        token = self._signer.sign(
            audience=route.cell.id,
            tenant=route.tenant,
            epoch=route.epoch,
            scope="tenant",
            now_s=now_s,
            grant_id=self._new_id(),
        )
        header = route.cell.grant_header
        value = f"Bearer {token}" if header == "authorization" else token
        lines = (
            f"{header}: {value}\r\nx-tenant-id: {route.tenant}\r\nx-tenant-epoch: {route.epoch}\r\n"
        ).encode()
        if len(self._lines) >= GRANTS_MAX:
            del self._lines[next(iter(self._lines))]
        self._lines[key] = (now_s + LIFE_MAX_S - RENEW_S, lines)
        return lines
