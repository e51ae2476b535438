"""The edge's grants: one per (tenant, epoch, cell), signed once and used until 5 s before its end.

Signing costs some 50 us, so it is kept off the path of most requests. A write that a standby has to
acknowledge carries a second one, with which the home appends to that standby and does nothing else.
"""

from collections.abc import Callable, Mapping
from typing import Final, Protocol, TypeVar

from cell_core.wire.grants import LIFE_MAX_S, GrantSigner
from cell_core.wire.message import STANDBY, STANDBY_ELSE, STANDBY_GRANT, STANDBY_GRANT_HEADER
from cell_core.wire.registry import CellRecord
from cell_router.registry import Route, Standby

RENEW_S: Final = 5
GRANTS_MAX: Final = 100_000
TENANT: Final = "tenant"
REPLICATE: Final = "replicate"
"""The scope of a grant that admits nothing but entries for one tenant's standby."""

_Key = TypeVar("_Key")


class Grants(Protocol):
    """Makes the header lines with which a cell admits what the edge sends."""

    def lines(self, route: Route, now_s: int) -> bytes:
        """Return grant, tenant and epoch of `route` as header lines, each with its CRLF."""

    def standby_lines(self, route: Route, now_s: int) -> bytes:
        """Return what lets the home of `route` give a write to its standby, as header lines."""

    def forget(self, route: Route) -> None:
        """Sign anew at the next use: the cell did not accept the last one."""


class GrantBook:
    """The header lines with which a cell admits the edge's requests."""

    def __init__(self, signer: GrantSigner, new_id: Callable[[], str]) -> None:
        self._signer = signer
        self._new_id = new_id
        self._lines: dict[tuple[str, int], tuple[int, bytes]] = {}
        self._standby_lines: dict[tuple[str, int, Standby], tuple[int, bytes]] = {}

    def lines(self, route: Route, now_s: int) -> bytes:
        """Return grant, tenant and epoch of `route` as header lines, each with its CRLF."""
        key = (route.tenant, route.epoch)
        held = self._lines.get(key)
        if held is not None and held[0] > now_s:
            return held[1]
        return self._sign(route, key, now_s)

    def standby_lines(self, route: Route, now_s: int) -> bytes:
        """Return what lets the home of `route` give a write to its standby, as header lines."""
        standby = route.standby
        if standby is None or standby.cell is None:
            return b""
        key = (route.tenant, route.epoch, standby)
        held = self._standby_lines.get(key)
        if held is not None and held[0] > now_s:
            return held[1]
        token = self._token(route, standby.cell, REPLICATE, now_s)
        lines = _lines({**standby_fields(standby), STANDBY_GRANT: token})
        _keep(self._standby_lines, key, (now_s + LIFE_MAX_S - RENEW_S, lines))
        return lines

    def forget(self, route: Route) -> None:
        """Sign anew at the next use: the cell did not accept the last one."""
        self._lines.pop((route.tenant, route.epoch), None)
        if route.standby is not None:
            self._standby_lines.pop((route.tenant, route.epoch, route.standby), None)

    def _sign(self, route: Route, key: tuple[str, int], now_s: int) -> bytes:
        assert route.cell is not None  # noqa: S101 - decide() forwards to described cells only
        token = self._token(route, route.cell, TENANT, now_s)
        header = route.cell.grant_header
        value = f"Bearer {token}" if header == "authorization" else token
        named = {header: value, "x-tenant-id": route.tenant, "x-tenant-epoch": str(route.epoch)}
        lines = _lines(named)
        _keep(self._lines, key, (now_s + LIFE_MAX_S - RENEW_S, lines))
        return lines

    def _token(self, route: Route, cell: CellRecord, scope: str, now_s: int) -> str:
        return self._signer.sign(
            audience=cell.id,
            tenant=route.tenant,
            epoch=route.epoch,
            scope=scope,
            now_s=now_s,
            grant_id=self._new_id(),
        )


def standby_fields(standby: Standby) -> dict[str, str]:
    """Return what the home is told of `standby`, but for the grant."""
    cell = standby.cell
    if cell is None:
        return {}
    return {
        STANDBY: cell.base_url,
        STANDBY_GRANT_HEADER: cell.grant_header,
        STANDBY_ELSE: standby.policy,
    }


def _lines(fields: Mapping[str, str]) -> bytes:
    return "".join(f"{name}: {value}\r\n" for name, value in fields.items()).encode()


def _keep(held: dict[_Key, tuple[int, bytes]], key: _Key, value: tuple[int, bytes]) -> None:
    if len(held) >= GRANTS_MAX:
        del held[next(iter(held))]
    held[key] = value
