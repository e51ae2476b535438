"""A client that trusts nothing: each answer is timed, and each error must be fit for a stranger.

Refuses to retry and to keep connections: what a test sees is what one request got.
"""

import http.client
import json
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Final, Protocol
from urllib.parse import urlsplit

from cell_devstack.cosmos import LOCAL_KEY
from cell_devstack.world import LocalCell

TIMEOUT_S: Final = 30.0
RECOVERY_S: Final = 30.0
_POLL_S: Final = 0.05
_PROBLEM: Final = {"type", "title", "status", "code", "detail", "retryable"}
_INSIDE: Final = ("Traceback", 'File "', "botocore", "azure.", "site-packages", "Exception")


class _Located(Protocol):
    url: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Reply:
    """What came back, and how long it took."""

    status: int
    headers: Mapping[str, str]
    text: str
    seconds: float

    @property
    def body(self) -> Any:
        return json.loads(self.text)

    @property
    def outcome(self) -> tuple[int, str]:
        """The status, and a problem's code or what a success says of itself."""
        body = self.body
        return self.status, body.get("code", body.get("status", ""))


class Caller:
    """Calls one cell for one tenant."""

    def __init__(self, cell: LocalCell, tenant: str) -> None:
        self.cell = cell
        self.tenant = tenant
        self.epoch = cell.ordinal

    def provision(self) -> None:
        """Make this cell the tenant's home, with one account that may go below zero, and one."""
        body = {"role": "active", "epoch": self.epoch}
        try:
            self.cell.client.control("POST", f"/{self.tenant}/provision", body)
        finally:
            self.cell.client.close()  # The host may be gone before the next use.
        for account in ("alice", "bob"):
            assert self.send(f"open-{account}", "open_account", account=account).status == 200

    def pay(self, command_id: str, amount: str = "5") -> Reply:
        """Transfer from alice to bob."""
        return self.send(command_id, "transfer", debit="alice", credit="bob", amount=amount)

    def send(self, command_id: str, command: str, **data: str) -> Reply:
        """Send one ledger command."""
        envelope = {
            "tenant_id": self.tenant,
            "domain": "ledger",
            "command": command,
            "command_id": command_id,
            "data": data,
        }
        return self.request("POST", "/process", envelope)

    def read(self, path: str = "") -> Reply:
        """Read below the ledger's stream `main`."""
        return self.request("GET", f"/v1/tenants/{self.tenant}/domains/ledger/streams/main{path}")

    def events_of(self, command_id: str) -> list[Any]:
        """Return the events that the command with this id has in the log."""
        reply = self.read("/events?limit=1000")
        assert reply.status == 200, reply
        return [event for event in reply.body["events"] if event["command_id"] == command_id]

    def request(
        self, method: str, path: str, body: Mapping[str, Any] | None = None, *, grant: bool = True
    ) -> Reply:
        """Send one request over a new connection and check that an error tells nothing it must not.

        Raises:
            OSError, HTTPException: Nothing came back.
        """
        headers = {"content-type": "application/json"} if body is not None else {}
        token = self.cell.client.grant(self.tenant, self.epoch) if grant else ""
        if token:
            headers["authorization"] = f"Bearer {token}"
        origin = urlsplit(self.cell.base_url)
        raw = None if body is None else json.dumps(body).encode()
        connection = http.client.HTTPConnection(origin.netloc, timeout=TIMEOUT_S)
        began = time.perf_counter()
        try:
            connection.request(method, origin.path.rstrip("/") + path, raw, headers)
            answer = connection.getresponse()
            text = answer.read().decode()
        finally:
            connection.close()
        found = {name.lower(): value for name, value in answer.getheaders()}
        seconds = time.perf_counter() - began
        reply = Reply(status=answer.status, headers=found, text=text, seconds=seconds)
        self._check(reply, token)
        return reply

    def until(self, wanted: tuple[int, str], ask: Callable[[], Reply]) -> Reply:
        """Ask until the answer is `wanted`; a cell recovers by itself, but not at once."""
        deadline = time.monotonic() + RECOVERY_S
        while (reply := ask()).outcome != wanted:
            assert time.monotonic() < deadline, f"not {wanted} after {RECOVERY_S} s: {reply}"
            time.sleep(_POLL_S)
        return reply

    def secrets(self) -> list[str]:
        """Return what nobody outside may read: addresses inside, and the database's key."""
        database: _Located = self.cell.database  # type: ignore[assignment]  # both stand-ins have one
        urls = (self.cell.link.url, database.url)
        return [LOCAL_KEY, *(urlsplit(url).netloc for url in urls)]

    def _check(self, reply: Reply, token: str) -> None:
        if reply.status < 400:
            return
        assert reply.headers["content-type"] == "application/problem+json", reply
        assert reply.body.keys() >= _PROBLEM, reply
        assert reply.body["status"] == reply.status
        whole = reply.text + json.dumps(dict(reply.headers))
        told = [word for word in (*_INSIDE, *self.secrets(), token) if word and word in whole]
        assert told == [], reply
        if reply.status in (429, 503):
            assert int(reply.headers["retry-after"]) >= 1, reply
            assert reply.body["retryable"] is True
