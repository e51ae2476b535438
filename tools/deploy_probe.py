"""Runs the control plane's parity probe against a cell that was just deployed.

The cell is known by its document. Refuses to follow a redirect, and to read an answer without end.
"""

from collections.abc import Callable, Mapping, Sequence
from typing import Final

import httpx

from cell_control.domain.records import Cell
from cell_control.service.parity_probe import CellUnreachable, ParityProbe
from cell_core.ports import Clock
from cell_core.wire.grants import GrantSigner
from tools.deploy_waves import Document

ANSWER_BYTES_MAX: Final = 6 * 1024 * 1024
TIMEOUT_S: Final = 15.0
ISSUER: Final = "control"


class GrantedProbe:
    """Probes with grants that a key of the control plane signs."""

    def __init__(
        self,
        key: str,
        clock: Clock,
        *,
        new_id: Callable[[], str],
        transport: httpx.BaseTransport | None = None,
    ) -> None:
        """Read the private JWK `key`; connect nothing yet.

        Raises:
            ValueError: It is no private key with a `kid`.
        """
        self._signer = GrantSigner(key, issuer=ISSUER)
        self._clock = clock
        self._new_id = new_id
        self._transport = transport

    def problems(self, document: Document) -> Sequence[str]:
        """See `Probe.problems`."""
        cell = Cell(
            id=document["id"],
            ordinal=document["ordinal"],
            cloud=document["cloud"],
            region=document["region"],
            base_url=document["base_url"],
            grant_header=document["grant_header"],
        )
        with httpx.Client(
            transport=self._transport, timeout=TIMEOUT_S, follow_redirects=False, trust_env=False
        ) as client:
            probe = ParityProbe(
                cell,
                contract=str(document["contract"]),
                send=self._sender(client, cell),
                sign=self._sign_for(cell),
                clock=self._clock,
            )
            return probe.run(self._new_id()).problems

    def _sign_for(self, cell: Cell) -> Callable[[str, int, str], str]:
        def sign(tenant: str, epoch: int, scope: str) -> str:
            return self._signer.sign(
                audience=cell.id,
                tenant=tenant,
                epoch=epoch,
                scope=scope,
                now_s=self._clock.now_ms() // 1000,
                grant_id=self._new_id(),
            )

        return sign

    def _sender(
        self, client: httpx.Client, cell: Cell
    ) -> Callable[[str, str, Mapping[str, str], bytes], tuple[int, Mapping[str, str], bytes]]:
        def send(
            method: str, path: str, headers: Mapping[str, str], body: bytes
        ) -> tuple[int, Mapping[str, str], bytes]:
            whole = {**headers, "accept-encoding": "identity"}
            url = f"{cell.base_url}{path}"
            try:
                with client.stream(method, url, headers=whole, content=body) as response:
                    return response.status_code, response.headers, _bounded(response)
            except httpx.HTTPError as error:
                raise CellUnreachable(type(error).__name__) from None

        return send


def _bounded(response: httpx.Response) -> bytes:
    read = bytearray()
    for part in response.iter_bytes():
        read += part
        if len(read) > ANSWER_BYTES_MAX:
            raise CellUnreachable("an answer without end")
    return bytes(read)
