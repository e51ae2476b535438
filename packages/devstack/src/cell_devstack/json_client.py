"""Sends JSON requests to one base URL, over one connection for each thread.

Refuses to retry on its own: what a caller may do next depends on the answer's code.
"""

import http.client
import json
import threading
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final, Self
from urllib.parse import urlsplit

_TIMEOUT_S: Final = 10.0
_ANSWER_BYTES_MAX: Final = 8 * 1024 * 1024


class NoAnswer(Exception):
    """The connection broke or nothing came in time; whether it was done is unknown."""


@dataclass(frozen=True, slots=True)
class Answer:
    """What came back; header names are in lower case."""

    status: int
    headers: Mapping[str, str]
    body: Any

    @property
    def code(self) -> str:
        """The problem's code, or "" for a success."""
        return str(self.body.get("code", "")) if isinstance(self.body, dict) else ""


class JsonClient:
    """A client of one base URL; safe to share between threads."""

    def __init__(self, base_url: str, *, timeout_s: float = _TIMEOUT_S) -> None:
        self.base_url = base_url
        self._origin = urlsplit(base_url)
        self._timeout_s = timeout_s
        self._local = threading.local()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_exc: object) -> None:
        self.close()

    def close(self) -> None:
        """Close this thread's connection."""
        connection: http.client.HTTPConnection | None = getattr(self._local, "connection", None)
        if connection is not None:
            connection.close()

    def send(
        self,
        method: str,
        path: str,
        headers: Mapping[str, str],
        body: Mapping[str, Any] | None = None,
    ) -> Answer:
        """Send one request, `path` below the base URL.

        Raises:
            NoAnswer: Nothing came back, or not all of it.
        """
        sent, raw = dict(headers), None
        if body is not None:
            raw = json.dumps(body).encode()
            sent["content-type"] = "application/json"
        connection = self._connection()
        try:
            connection.request(method, self._origin.path.rstrip("/") + path, raw, sent)
            answer = connection.getresponse()
            text = answer.read(_ANSWER_BYTES_MAX)
            found = {name.lower(): value for name, value in answer.getheaders()}
            # An answer that is cut ends without an error, where a length was asked for.
            parsed = json.loads(text) if "json" in found.get("content-type", "") else text
        except (OSError, http.client.HTTPException, ValueError) as error:
            connection.close()
            raise NoAnswer(type(error).__name__) from error
        return Answer(answer.status, found, parsed)

    def _connection(self) -> http.client.HTTPConnection:
        held: http.client.HTTPConnection | None = getattr(self._local, "connection", None)
        if held is None:
            host, port = self._origin.hostname or "", self._origin.port or 80
            held = http.client.HTTPConnection(host, port, timeout=self._timeout_s)
            self._local.connection = held
        return held


def ledger_command(
    tenant: str, command_id: str, command: str, data: Mapping[str, Any]
) -> dict[str, Any]:
    """Return the envelope of one ledger command to the stream `main`."""
    return {
        "tenant_id": tenant,
        "domain": "ledger",
        "command": command,
        "command_id": command_id,
        "data": data,
    }


def ledger_path(tenant: str, path: str = "") -> str:
    """Return where `path` of the tenant's ledger stream `main` is read."""
    return f"/v1/tenants/{tenant}/domains/ledger/streams/main{path}"
