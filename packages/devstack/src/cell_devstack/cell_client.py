"""Talks to one cell over HTTP with grants, as the edge and the control plane do.

Refuses to retry a tenant's command on its own: what its caller may do next depends on the code.
"""

import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final

from cell_devstack.json_client import Answer, JsonClient, NoAnswer, ledger_command, ledger_path
from cell_devstack.local_keys import LocalKeys

__all__ = ["Answer", "Answered", "AtEpoch", "CellClient", "NoAnswer"]

_GRANT_USE_S: Final = 25.0
_CONTROL_PATIENCE_S: Final = 10.0
_CONTROL_PAUSE_S: Final = 0.05
_BUSY: Final = {"contention", "outcome_unknown", "store_unavailable", "throttled"}


class Answered(Exception):
    """The cell answered with an error where none was expected."""


class CellClient(JsonClient):
    """A client of one cell; safe to share between threads."""

    def __init__(self, base_url: str, cell: str, keys: LocalKeys) -> None:
        super().__init__(base_url)
        self.cell = cell
        self._keys = keys
        self._grants: dict[tuple[str, int], tuple[float, str]] = {}

    def process(
        self, tenant: str, command_id: str, command: str, data: Mapping[str, Any], *, epoch: int
    ) -> Answer:
        """Send one ledger command to the stream `main`."""
        envelope = ledger_command(tenant, command_id, command, data)
        return self.request("POST", "/process", self.grant(tenant, epoch), envelope)

    def read(self, tenant: str, path: str, *, epoch: int) -> Answer:
        """Read below the tenant's ledger stream `main`; `path` begins with a slash or is empty."""
        return self.request("GET", ledger_path(tenant, path), self.grant(tenant, epoch))

    def control(self, method: str, path: str, body: Mapping[str, Any] | None = None) -> Any:  # noqa: ANN401 - JSON
        """Call the control interface below `/v1/control/tenants`; return the body of a 200.

        Each of its calls is idempotent, so one whose store was busy is made again for a while.

        Raises:
            Answered: It said no.
        """
        until = time.monotonic() + _CONTROL_PATIENCE_S
        target = f"/v1/control/tenants{path}"
        while True:
            answer = self.request(method, target, self.grant("", 0), body)
            if answer.code not in _BUSY or time.monotonic() > until:
                break
            time.sleep(_CONTROL_PAUSE_S)
        if answer.status != 200:
            raise Answered(f"{method} {path}: {answer.status} {answer.code}")
        return answer.body

    def pages(self, path: str, items: str, limit: int = 1000) -> Iterator[Any]:
        """Yield every item of a paged control answer."""
        after = ""
        while True:
            page = self.control("GET", f"{path}?limit={limit}{after}")
            yield from page[items]
            if page["after"] is None:
                return
            after = f"&after={page['after']}"

    def grant(self, tenant: str, epoch: int) -> str:
        """Return a grant for `tenant`, or for control if it is empty, renewed in time."""
        made_s, token = self._grants.get((tenant, epoch), (0.0, ""))
        if time.monotonic() - made_s > _GRANT_USE_S or not token:
            token = (
                self._keys.tenant_grant(self.cell, tenant, epoch)
                if tenant
                else self._keys.control_grant(self.cell)
            )
            self._grants[tenant, epoch] = (time.monotonic(), token)
        return token

    def request(
        self, method: str, path: str, grant: str = "", body: Mapping[str, Any] | None = None
    ) -> Answer:
        """Send one request.

        Raises:
            NoAnswer: Nothing came back.
        """
        headers = {"authorization": f"Bearer {grant}"} if grant else {}
        return self.send(method, path, headers, body)


@dataclass(frozen=True, slots=True)
class AtEpoch:
    """Sends commands past the edge, to one cell, for tenants that are at home there at `epoch`."""

    client: CellClient
    epoch: int

    def process(
        self, tenant: str, command_id: str, command: str, data: Mapping[str, Any]
    ) -> Answer:
        """See `CellClient.process`."""
        return self.client.process(tenant, command_id, command, data, epoch=self.epoch)

    def close(self) -> None:
        """Close this thread's connection."""
        self.client.close()
