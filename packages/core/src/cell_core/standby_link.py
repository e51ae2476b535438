"""`StandbyLink` over HTTPS: one pooled, bounded request to another cell, sent once.

Follows no redirect, knows no proxy, and speaks plain HTTP in the local world only. The library is
loaded at the first request that needs it: most cells never send one. Only a peer that sends the
header fields byte by byte can outlast the time given; it is a cell that showed its certificate.
"""

from functools import cached_property
from typing import TYPE_CHECKING, Final

from cell_core.domain.errors import OutcomeUnknown
from cell_core.ports import Clock
from cell_core.wire.message import Request, Response
from cell_core.wire.standby import is_cell_url

if TYPE_CHECKING:
    import urllib3

HOSTS_MAX: Final = 8
CONNECTIONS_MAX: Final = 64
"""To one standby; as many as a cell has requests in flight, and 64 idle sockets cost nothing."""

CONNECT_MS_MAX: Final = 1000
ANSWER_BYTES_MAX: Final = 64 * 1024
_PIECE_BYTES: Final = 16 * 1024


class HttpStandbyLink:
    """See `StandbyLink`. Safe to share between threads."""

    def __init__(self, clock: Clock, *, local: bool = False) -> None:
        """Connect nothing yet."""
        self._clock = clock
        self._local = local

    def admits(self, base_url: str) -> bool:
        """See `StandbyLink.admits`."""
        return is_cell_url(base_url, local=self._local)

    def send(self, base_url: str, request: Request, timeout_ms: int) -> Response:
        """See `StandbyLink.send`."""
        from urllib3.exceptions import HTTPError  # noqa: PLC0415 - see the module's docstring

        until_ms = self._clock.now_ms() + timeout_ms
        try:
            answer = self._open(base_url, request, timeout_ms)
            try:
                body = self._read(answer, until_ms)
            finally:
                # What was read to its end went back to the pool by itself.
                answer.close()
        except (HTTPError, OSError, ValueError) as failed:
            raise _unknown(type(failed).__name__) from None
        headers = {name.lower(): value for name, value in answer.headers.items()}
        return Response(status=answer.status, headers=headers, body=body)

    def close(self) -> None:
        """Let go of idle connections; the link stays usable."""
        self._pools.clear()

    def _open(self, base_url: str, request: Request, timeout_ms: int) -> "urllib3.BaseHTTPResponse":
        from urllib3 import Timeout  # noqa: PLC0415 - see the module's docstring

        connect_ms = min(timeout_ms, CONNECT_MS_MAX)
        return self._pools.request(
            request.method,
            f"{base_url}{request.path}",
            body=request.body,
            headers={"accept-encoding": "identity", **request.headers},
            redirect=False,
            preload_content=False,
            decode_content=False,
            timeout=Timeout(connect=connect_ms / 1000, total=timeout_ms / 1000),
        )

    def _read(self, answer: "urllib3.BaseHTTPResponse", until_ms: int) -> bytes:
        pieces: list[bytes] = []
        room = ANSWER_BYTES_MAX
        # What has arrived, and no waiting for a whole piece: a peer that sends a byte now and then
        # keeps each single wait within its time.
        while piece := answer.read1(_PIECE_BYTES, decode_content=False):
            pieces.append(piece)
            room -= len(piece)
            if room < 0 or self._clock.now_ms() > until_ms:
                raise _unknown("too_large" if room < 0 else "too_slow")
        return b"".join(pieces)

    @cached_property
    def _pools(self) -> "urllib3.PoolManager":
        from urllib3 import PoolManager  # noqa: PLC0415 - see the module's docstring

        # Two threads may each make one at first; the one that is kept serves from then on.
        return PoolManager(
            num_pools=HOSTS_MAX,
            maxsize=CONNECTIONS_MAX,
            retries=False,
            cert_reqs="CERT_REQUIRED",
        )


def _unknown(reason: str) -> OutcomeUnknown:
    error = OutcomeUnknown("standby")
    error.reason = reason
    return error
