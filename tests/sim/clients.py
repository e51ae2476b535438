"""Clients: each keeps one ledger of one tenant, repeats what is in doubt, and keeps honest books.

A client has one command under way at a time and repeats it under the same id until somebody knows;
so what it may read is known exactly, and so is what has to be there in the end.
"""

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from cell_router.messages import EdgeRequest
from tests.sim.kernel import Kernel
from tests.sim.router import SimRouter

DEADLINE_MS: Final = 3000
SILENCE_MS: Final = 4000
FINAL: Final = frozenset({200, 400, 404, 405, 409, 413, 422})
UNDECIDED: Final = frozenset({"contention", "epoch_behind", "tenant_not_found"})
"""Codes with such a status after which a client does not know: the same may be sent again."""

GONE: Final = frozenset({"entity_not_found", "stream_not_found"})


@dataclass(frozen=True, slots=True, kw_only=True)
class Ack:
    """A write that somebody said is written.

    Attributes:
        held: What the answer said of who holds it.
    """

    tenant: str
    command_id: str
    stripe: int
    seq: int
    held: str
    at: float


@dataclass(slots=True)
class Books:
    """What all clients know.

    Attributes:
        failed: Requests of clients that did not end as a healthy system ends them.
        wrong: What may never be.
        sent: Command ids by tenant.
    """

    acks: list[Ack] = field(default_factory=list)
    failed: list[str] = field(default_factory=list)
    wrong: list[str] = field(default_factory=list)
    sent: dict[str, set[str]] = field(default_factory=dict)
    requests: int = 0
    reads: int = 0
    slowest_ms: float = 0.0


class Client:
    """One client, of one stream of one tenant.

    Attributes:
        moved: What all acknowledged transfers come to.
        doubt: What the one under way would add; 0 for none.
    """

    def __init__(
        self,
        kernel: Kernel,
        routers: list[SimRouter],
        books: Books,
        tenant: str,
        stream: str,
        *,
        pace_ms: float,
        wants_standby: Callable[[], bool] = lambda: False,
    ) -> None:
        self._kernel, self._routers, self._books = kernel, routers, books
        self.tenant, self.stream = tenant, stream
        self.moved, self.doubt = 0, 0
        self.is_idle, self.is_stopped = True, False
        self._pace_ms = pace_ms
        self._wants_standby = wants_standby
        self._count = 0
        self._accounts = [f"{tenant}.{stream}.{side}" for side in ("from", "to")]
        self._setup = [self._open(account) for account in self._accounts]
        books.sent.setdefault(tenant, set())

    def start(self) -> None:
        """Begin."""
        self._next()

    def once(self) -> None:
        """Do one write and one read more, although stopped."""
        if self.is_idle:
            self._write(then=self._read)

    # ── What is done ─────────────────────────────────────────────────────────

    def _next(self) -> None:
        if self.is_stopped:
            return
        pause_ms = self._kernel.random.expovariate(1 / self._pace_ms)
        do = self._read if self._count > 2 and self._kernel.chance(0.35) else self._write
        self._kernel.later(pause_ms, lambda: None if self.is_stopped else do(then=self._next))

    def _open(self, account: str) -> tuple[str, dict[str, Any]]:
        return "open_account", {"account": account, "limit": "none"}

    def _write(self, then: Callable[..., None]) -> None:
        if not self.is_idle:
            return
        self.is_idle = False
        amount = 0
        if self._setup:
            name, data = self._setup.pop(0)
        else:
            amount = self._kernel.random.randrange(1, 100)
            name, data = (
                "transfer",
                {"debit": self._accounts[0], "credit": self._accounts[1], "amount": str(amount)},
            )
        self._count += 1
        command_id = f"{self.tenant}.{self.stream}.{self._count}"
        self._books.sent[self.tenant].add(command_id)
        self.doubt = amount
        envelope = {
            "tenant_id": self.tenant,
            "domain": "ledger",
            "stream": self.stream,
            "command": name,
            "command_id": command_id,
            "data": data,
        }
        body = json.dumps(envelope).encode()

        def replied(reply: Any) -> None:
            if not self._is_known(reply):
                self._failed("write", command_id, reply)
                again_ms = self._kernel.random.uniform(50, 400)
                self._kernel.later(
                    again_ms, lambda: self._send(b"POST", b"/process", body, replied)
                )
                return
            self._acknowledged(command_id, reply)
            self.moved, self.doubt, self.is_idle = self.moved + amount, 0, True
            then() if then != self._read else self._read(then=lambda: None)

        self._send(b"POST", b"/process", body, replied)

    def _read(self, then: Callable[..., None]) -> None:
        low = self.moved
        path = (
            f"/v1/tenants/{self.tenant}/domains/ledger/streams/{self.stream}"
            f"/entities/account.{self._accounts[1]}"
        )
        self._books.reads += 1
        self.is_idle = False

        def replied(reply: Any) -> None:
            self.is_idle = True
            if reply is not None and reply.status == 200:
                self._check(json.loads(reply.body), low)
            elif reply is not None and reply.code in GONE:
                self._books.wrong.append(f"I6 {self.tenant}/{self.stream}: its account is gone")
            else:
                self._failed("read", path, reply)
            then()

        self._send(b"GET", path.encode(), b"", replied)

    def _check(self, body: Mapping[str, Any], low: int) -> None:
        found = int(body["body"]["credits_posted"])
        if found != low:
            self._books.wrong.append(
                f"I6 {self.tenant}/{self.stream}: read {found}, acknowledged were {low}"
            )

    def _acknowledged(self, command_id: str, reply: Any) -> None:
        body = json.loads(reply.body)
        if reply.status != 200 or body["tenant_id"] != self.tenant:
            self._books.wrong.append(
                f"{command_id}: answered {reply.status} {body.get('code')} for "
                f"{body.get('tenant_id')}"
            )
            return
        held = dict(reply.headers).get(b"x-cell-ack", b"").decode()
        position = body["position"]
        self._kernel.say("ack", command_id, position["stripe"], position["seq"], held)
        self._books.acks.append(
            Ack(
                tenant=self.tenant,
                command_id=command_id,
                stripe=position["stripe"],
                seq=position["seq"],
                held=held,
                at=self._kernel.now,
            )
        )
        if self._wants_standby() and held != "standby":
            self._books.wrong.append(f"{command_id}: acknowledged by {held or 'the home alone'}")

    # ── One request ──────────────────────────────────────────────────────────

    def _send(self, method: bytes, path: bytes, body: bytes, then: Callable[[Any], None]) -> None:
        books = self._books
        books.requests += 1
        router = self._routers[self._kernel.random.randrange(len(self._routers))]
        headers = {b"x-deadline-ms": b"%d" % DEADLINE_MS}
        if body:
            headers[b"content-type"] = b"application/json"
        request = EdgeRequest(method, path, b"", headers, body, f"q-{books.requests}")
        is_open, began = True, self._kernel.now

        def come(reply: Any) -> None:
            nonlocal is_open
            if is_open:
                is_open = False
                books.slowest_ms = max(books.slowest_ms, self._kernel.now - began)
                then(reply)

        self._kernel.later(1, lambda: router.request(request, come))
        self._kernel.later(SILENCE_MS, lambda: come(None))

    @staticmethod
    def _is_known(reply: Any) -> bool:
        return reply is not None and reply.status in FINAL and reply.code not in UNDECIDED

    def _failed(self, what: str, name: str, reply: Any) -> None:
        got = "nothing" if reply is None else f"{reply.status} {reply.code}"
        self._kernel.say("failed", what, name, got)
        if len(self._books.failed) < 10_000:
            self._books.failed.append(f"{self._kernel.now:.0f} ms: {what} {name} got {got}")
