"""Hands out grants on 127.0.0.1, so that a person can call the local cells with curl.

It stands where the edge will: it signs for whoever asks. It is part of the local world only, whose
keys are refused everywhere else.
"""

from collections.abc import Mapping
from typing import Self

from cell_core.domain.ids import is_id
from cell_devstack.http_server import HttpRequest, HttpResponse, LocalHttpServer
from cell_devstack.local_keys import LocalKeys


class GrantDesk:
    """`GET /CELL/TENANT/EPOCH` answers a tenant's grant, `GET /CELL` one for control."""

    def __init__(self, keys: LocalKeys, cells: Mapping[str, object]) -> None:
        self._keys = keys
        self._cells = cells
        self._server = LocalHttpServer(self._answer, connections_max=16, body_bytes_max=0)
        self.url = f"http://127.0.0.1:{self._server.port}"

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_exc: object) -> None:
        self.close()

    def close(self) -> None:
        """Stop serving."""
        self._server.close()

    def _answer(self, request: HttpRequest) -> HttpResponse:
        cell, *rest = request.path.strip("/").split("/")
        if request.method != "GET" or cell not in self._cells:
            return HttpResponse(status=404, body=b"GET /CELL/TENANT/EPOCH or /CELL\n")
        match rest:
            case []:
                return _text(self._keys.control_grant(cell))
            case [tenant, epoch] if is_id(tenant) and epoch.isdecimal() and len(epoch) < 16:
                return _text(self._keys.tenant_grant(cell, tenant, int(epoch)))
            case _:
                return HttpResponse(status=404, body=b"GET /CELL/TENANT/EPOCH or /CELL\n")


def _text(token: str) -> HttpResponse:
    headers = (("content-type", "text/plain"), ("cache-control", "no-store"))
    return HttpResponse(status=200, headers=headers, body=token.encode())
