"""Talks to one cell over HTTP as the edge and the control plane do, one connection a thread.

Refuses to retry on its own: what a caller may do next depends on the answer's code.
"""

import http.client
import json
import threading
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final, Self
from urllib.parse import urlsplit

from cell_devstack.local_keys import LocalKeys

_TIMEOUT_S: Final = 10.0
_GRANT_USE_S: Final = 25.0
_ANSWER_BYTES_MAX: Final = 8 * 1024 * 1024


class NoAnswer(Exception):
    """The connection broke or nothing came in time; whether it was done is unknown."""


class Answered(Exception):
    """The cell answered with an error where none was expected."""


@dataclass(frozen=True, slots=True)
class Answer:
    """What came back."""

    status: int
    headers: Mapping[str, str]
    body: Any

    @property
    def code(self) -> str:
        """The problem's code, or "" for a success."""
        return str(self.body.get("code", "")) if isinstance(self.body, dict) else ""


class CellClient:
    """A client of one cell; safe to share between threads."""

    def __init__(self, base_url: str, cell: str, keys: LocalKeys) -> None:
        self.base_url = base_url
        self.cell = cell
        self._keys = keys
        self._origin = urlsplit(base_url)
        self._local = threading.local()
        self._grants: dict[tuple[str, int], tuple[float, str]] = {}

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_exc: object) -> None:
        self.close()

    def close(self) -> None:
        """Close this thread's connection."""
        connection: http.client.HTTPConnection | None = getattr(self._local, "connection", None)
        if connection is not None:
            connection.close()

    def process(
        self, tenant: str, command_id: str, command: str, data: Mapping[str, Any], *, epoch: int
    ) -> Answer:
        """Send one ledger command to the stream `main`."""
        envelope = {
            "tenant_id": tenant,
            "domain": "ledger",
            "command": command,
            "command_id": command_id,
            "data": data,
        }
        return self.request("POST", "/process", self.grant(tenant, epoch), envelope)

    def read(self, tenant: str, path: str, *, epoch: int) -> Answer:
        """Read below the tenant's ledger stream `main`; `path` begins with a slash or is empty."""
        base = f"/v1/tenants/{tenant}/domains/ledger/streams/main"
        return self.request("GET", base + path, self.grant(tenant, epoch))

    def control(self, method: str, path: str, body: Mapping[str, Any] | None = None) -> Any:  # noqa: ANN401 - JSON
        """Call the control interface below `/v1/control/tenants`; return the body of a 200.

        Raises:
            Answered: It said no.
        """
        answer = self.request(method, f"/v1/control/tenants{path}", self.grant("", 0), body)
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
        raw = None
        if body is not None:
            raw = json.dumps(body).encode()
            headers["content-type"] = "application/json"
        connection = self._connection()
        try:
            connection.request(method, self._origin.path.rstrip("/") + path, raw, headers)
            answer = connection.getresponse()
            text = answer.read(_ANSWER_BYTES_MAX)
        except (OSError, http.client.HTTPException) as error:
            connection.close()
            raise NoAnswer(type(error).__name__) from error
        found = {name.lower(): value for name, value in answer.getheaders()}
        parsed = json.loads(text) if "json" in found.get("content-type", "") else text
        return Answer(answer.status, found, parsed)

    def _connection(self) -> http.client.HTTPConnection:
        held: http.client.HTTPConnection | None = getattr(self._local, "connection", None)
        if held is None:
            port = self._origin.port or 80
            held = http.client.HTTPConnection(self._origin.hostname or "", port, timeout=_TIMEOUT_S)
            self._local.connection = held
        return held
