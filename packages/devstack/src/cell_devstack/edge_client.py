"""Talks to the edge router with an API key, as a tenant's own program does.

It knows one address and no cell. Refuses to retry on its own: what a caller may do next depends on
the answer's code.
"""

from collections.abc import Mapping
from typing import Any, Final

from cell_devstack.json_client import Answer, JsonClient, ledger_command, ledger_path

CLOUD: Final = "x-processed-by-cloud"
EXPLAIN: Final = "x-route-explain"


class EdgeClient(JsonClient):
    """A client of the edge; safe to share between threads."""

    def __init__(self, base_url: str, api_key: str) -> None:
        super().__init__(base_url)
        self._key = {"x-api-key": api_key}

    def process(
        self,
        tenant: str,
        command_id: str,
        command: str,
        data: Mapping[str, Any],
        headers: Mapping[str, str] | None = None,
    ) -> Answer:
        """Send one ledger command to the stream `main`.

        Raises:
            NoAnswer: Nothing came back.
        """
        envelope = ledger_command(tenant, command_id, command, data)
        return self.send("POST", "/process", self._key | dict(headers or {}), envelope)

    def read(self, tenant: str, path: str = "", headers: Mapping[str, str] | None = None) -> Answer:
        """Read below the tenant's ledger stream `main`; `path` begins with a slash or is empty.

        Raises:
            NoAnswer: Nothing came back.
        """
        return self.send("GET", ledger_path(tenant, path), self._key | dict(headers or {}))
