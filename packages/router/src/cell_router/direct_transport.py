"""Sends requests to cells for `cell_router.direct`, with urllib3 and to checked addresses only."""

import socket
import ssl
from collections import OrderedDict
from collections.abc import Sequence
from typing import Final

import urllib3

from cell_core.wire.registry import CellRecord
from cell_router.decide import Failure
from cell_router.exchange import Exchange
from cell_router.limits import ANSWER_BYTES_MAX, Limits
from cell_router.messages import PASSED_TO_CLIENT, CellAnswer
from cell_router.server.addresses import AddressPolicy, AddressRefused, Origin

_POOLS_MAX: Final = 64
_CONNECTIONS_MAX: Final = 32


class HttpTransport:
    """Connections to cells, kept alive; safe to share between threads."""

    def __init__(self, policy: AddressPolicy, tls: ssl.SSLContext | None, limits: Limits) -> None:
        self._policy = policy
        self._tls = tls
        self._limits = limits
        self._pools: OrderedDict[tuple[str, str], urllib3.HTTPConnectionPool] = OrderedDict()

    def send(self, x: Exchange, timeout_s: float) -> CellAnswer | Failure:
        """See `direct.Transport`."""
        record = x.cell.record
        try:
            origin = self._policy.origin(record.base_url)
            pool = self._pool(record, origin)
        except (AddressRefused, OSError):
            return Failure.NOT_SENT
        try:
            answer = pool.urlopen(
                x.request.method.decode(),
                origin.prefix + x.target.decode(),
                body=x.sent_body,
                headers=_headers(x.lines, origin),
                timeout=urllib3.Timeout(
                    connect=min(self._limits.connect_s, timeout_s), total=timeout_s
                ),
                retries=False,
                redirect=False,
                preload_content=False,
                decode_content=False,
            )
        except (urllib3.exceptions.NewConnectionError, urllib3.exceptions.ConnectTimeoutError):
            return Failure.NOT_SENT
        except (urllib3.exceptions.HTTPError, OSError):
            return Failure.UNKNOWN
        try:
            body = answer.read(ANSWER_BYTES_MAX + 1)
        except (urllib3.exceptions.HTTPError, OSError):
            answer.close()
            return Failure.UNKNOWN
        if len(body) > ANSWER_BYTES_MAX:
            answer.close()
            return Failure.INVALID
        answer.release_conn()
        return _answer(answer, body)

    def _pool(self, record: CellRecord, origin: Origin) -> urllib3.HTTPConnectionPool:
        address = self._policy.allowed(_resolve(origin))[0]
        key = (record.base_url, address)
        pool = self._pools.get(key)
        if pool is None:
            pool = self._pools[key] = self._open(origin, address)
            while len(self._pools) > _POOLS_MAX:
                self._pools.popitem(last=False)[1].close()
        return pool

    def _open(self, origin: Origin, address: str) -> urllib3.HTTPConnectionPool:
        if not origin.secure:
            return urllib3.HTTPConnectionPool(address, origin.port, maxsize=_CONNECTIONS_MAX)
        return urllib3.HTTPSConnectionPool(
            address,
            origin.port,
            maxsize=_CONNECTIONS_MAX,
            ssl_context=self._tls,
            server_hostname=origin.host,
            assert_hostname=origin.host,
        )


def _resolve(origin: Origin) -> Sequence[str]:
    found = socket.getaddrinfo(origin.host, origin.port, type=socket.SOCK_STREAM)
    return [str(entry[4][0]) for entry in found]


def _headers(lines: bytes, origin: Origin) -> dict[str, str]:
    default = 443 if origin.secure else 80
    host = origin.host if origin.port == default else f"{origin.host}:{origin.port}"
    pairs = (line.split(": ", 1) for line in lines.decode("latin-1").split("\r\n") if line)
    return {"host": host, **{name: value for name, value in pairs}}  # noqa: C416 - pairs are lists


def _answer(answer: urllib3.BaseHTTPResponse, body: bytes) -> CellAnswer | Failure:
    if not 200 <= answer.status < 600 or answer.headers.get("content-encoding"):
        return Failure.INVALID
    headers = {
        name.lower().encode("latin-1"): value.encode("latin-1")
        for name, value in answer.headers.items()
        if name.lower().encode("latin-1") in PASSED_TO_CLIENT
    }
    return CellAnswer(answer.status, headers, body)
