"""A tenant behind the edge, and what the proxies before both cells saw of everybody's requests.

Refuses to trust the router: whom it asked, and for whom, is recorded between it and the cells.
"""

import base64
import json
import re
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from typing import Any, Final
from urllib.parse import urlsplit

from cell_core.domain.ids import next_epoch, owner
from cell_devstack.edge_client import EXPLAIN, EdgeClient
from cell_devstack.fault_proxy import FaultProxy, Watcher
from cell_devstack.http_framing import Message, header
from cell_devstack.json_client import Answer
from cell_devstack.local_router import RouterSettings
from cell_devstack.world import AWS, AZURE, LocalCell, World, Zips
from tests.e2e.hand_move import HandMove

SEEN_WITHIN_S: Final = 20.0
_NAMED: Final = re.compile(rb'"tenant_id": ?"([^"]*)"')
_IN_PATH: Final = re.compile(rb"/v1/tenants/([^/ ?]*)")


@dataclass(frozen=True, slots=True, kw_only=True)
class Sent:
    """A request that the router sent to `cell`.

    Attributes:
        named: Every tenant that the request names: in headers, path, body and grant.
        epochs: Every epoch that it names: in headers and grant.
        audience: The cell that the grant is for.
        raw: All of it.
    """

    cell: str
    named: frozenset[str]
    epochs: frozenset[int]
    audience: str
    raw: bytes


class Recorder(Watcher):
    """Notes what passes a proxy before the cell `cell`, whatever becomes of it."""

    def __init__(self, cell: str, changed: threading.Condition) -> None:
        self.cell = cell
        self.sent: list[Sent] = []
        self.verdicts: list[tuple[frozenset[str], int, str]] = []
        self._changed = changed

    def asked(self, request: Message) -> None:
        with self._changed:
            self.sent.append(_read(self.cell, request))
            self._changed.notify_all()

    def answered(self, request: Message, reply: Message) -> None:
        problem = header(reply.head, b"content-type") == "application/problem+json"
        code = json.loads(reply.body)["code"] if problem else ""
        with self._changed:
            named = _read(self.cell, request).named
            self.verdicts.append((named, int(reply.head[9:12]), code))
            self._changed.notify_all()


@dataclass(slots=True)
class Edge:
    """A world whose router reaches each cell through a proxy.

    Attributes:
        epochs: By tenant, every epoch that anybody ever gave it.
    """

    world: World
    client: EdgeClient
    proxies: dict[str, FaultProxy] = field(default_factory=dict)
    recorders: dict[str, Recorder] = field(default_factory=dict)
    epochs: dict[str, set[int]] = field(default_factory=dict)
    changed: threading.Condition = field(default_factory=threading.Condition)

    def sent_for(self, tenant: str) -> list[Sent]:
        """Return what the router sent to any cell for `tenant`, by cell."""
        sent = [each for recorder in self.recorders.values() for each in recorder.sent]
        return [each for each in sent if tenant in each.named]

    def await_verdict(self, cell: str, tenant: str, status: int, code: str) -> None:
        """Return once `cell` has answered so for `tenant`."""
        wanted = (frozenset({tenant}), status, code)
        verdicts = self.recorders[cell].verdicts
        with self.changed:
            assert self.changed.wait_for(lambda: wanted in verdicts, SEEN_WITHIN_S), verdicts

    def settle(self) -> None:
        """Return once the router's worker, not only its supervisor, knows what was published."""
        registry, router = self.world.registry, self.world.router
        registry.settle()
        wanted, deadline = f"rev={router.rev};", time.monotonic() + SEEN_WITHIN_S
        headers = {"x-api-key": router.api_key, EXPLAIN: "1"}
        while wanted not in self.client.send("GET", "/nothing", headers).headers[EXPLAIN]:
            assert time.monotonic() < deadline
            time.sleep(0.01)

    def in_background(self, call: Callable[[], Answer]) -> Callable[[], Answer]:
        """Begin `call` on a thread of its own; return what waits for its answer."""
        found: list[Answer] = []

        def run() -> None:
            try:
                found.append(call())
            finally:
                self.client.close()

        thread = threading.Thread(target=run)
        thread.start()

        def wait() -> Answer:
            thread.join(timeout=SEEN_WITHIN_S)
            assert found, "no answer"
            return found[0]

        return wait

    def reach(self, cell: str, through: str) -> None:
        """Let the router find `cell` behind the proxy of the cell `through`."""
        path = urlsplit(self.world.cells[through].base_url).path
        self.world.registry.reach(cell, self.proxies[through].url + path)
        self.settle()

    def illegitimate(self) -> list[Sent]:
        """Return what went to a cell that the tenant's epoch does not name, or for two tenants."""
        sent = [each for recorder in self.recorders.values() for each in recorder.sent]
        return [each for each in sent if not self._is_legitimate(each)]

    def _is_legitimate(self, sent: Sent) -> bool:
        if len(sent.named) != 1 or len(sent.epochs) != 1 or sent.audience != sent.cell:
            return False
        [tenant], [epoch] = sent.named, sent.epochs
        home = self.world.cells[sent.cell].ordinal
        return epoch in self.epochs.get(tenant, set()) and owner(epoch) == home


@contextmanager
def edge_before(zips: Zips) -> Iterator[Edge]:
    """Start a world with one router worker, and put a proxy before each cell."""
    settings = RouterSettings(workers=1)  # One, so that what one request taught, the next knows.
    with World(zips, router=settings) as world, ExitStack() as stack:
        edge = Edge(world, EdgeClient(world.router.url, world.router.api_key))
        for name, cell in world.cells.items():
            recorder = edge.recorders[name] = Recorder(name, edge.changed)
            proxy = FaultProxy(cell.base_url, watcher=recorder)
            edge.proxies[name] = stack.enter_context(proxy)
            edge.reach(name, name)
        yield edge


class Resident:
    """A tenant with two accounts, at home in one cell."""

    def __init__(self, edge: Edge, tenant: str, home: str) -> None:
        self.edge = edge
        self.tenant = tenant
        self.home = edge.world.cells[home]
        self.away = edge.world.cells[AZURE if home == AWS else AWS]
        self.epoch = self.home.ordinal
        edge.epochs[tenant] = {self.epoch}
        edge.world.provision(tenant, home)
        edge.settle()
        for account in ("alice", "bob"):
            opened = self.reached(lambda account=account: self._open(account))
            assert opened.status == 200, opened

    def reached(self, call: Callable[[], Answer]) -> Answer:
        """Return the answer to `call`, once the breaker that an earlier fault opened lets it by."""
        deadline = time.monotonic() + SEEN_WITHIN_S
        while (answer := call()).code == "cell_unavailable":
            assert time.monotonic() < deadline, answer
            time.sleep(0.1)
        return answer

    def _open(self, account: str) -> Answer:
        return self.send(f"open-{account}", "open_account", account=account)

    def send(
        self, command_id: str, command: str, /, deadline_ms: int = 5000, **data: str
    ) -> Answer:
        """Send one command through the edge and ask it to explain itself."""
        headers = {EXPLAIN: "1", "x-deadline-ms": str(deadline_ms)}
        return self.edge.client.process(self.tenant, command_id, command, data, headers)

    def pay(self, command_id: str = "paid", deadline_ms: int = 5000) -> Answer:
        """Transfer 5 from alice to bob."""
        return self.send(
            command_id, "transfer", deadline_ms, debit="alice", credit="bob", amount="5"
        )

    def read(self, deadline_ms: int = 5000) -> Answer:
        """Read bob's account through the edge."""
        headers = {EXPLAIN: "1", "x-deadline-ms": str(deadline_ms)}
        return self.edge.client.read(self.tenant, "/entities/account.bob", headers)

    def mover(self, *, publishes: bool) -> HandMove:
        """Return a move to the other cell; the edge is told of it, or is not."""

        def publish(epoch: int) -> None:
            if publishes:
                self.edge.world.registry.assign(self.tenant, epoch)

        move = HandMove(self.tenant, self.home, self.away, epoch=self.epoch, publish=publish)
        self.edge.epochs[self.tenant].add(move.new_epoch)
        return move

    def roll_back(self, *, publishes: bool) -> int:
        """Freeze the home for a move that is then given up: it stays, at a higher epoch."""
        self.control("freeze", epoch=self.epoch, op="given-up")
        return self.unfreeze(publishes=publishes)

    def unfreeze(self, *, publishes: bool) -> int:
        """Roll a frozen home back; return its new epoch."""
        epoch = self.announced(next_epoch(self.epoch, self.home.ordinal))
        if publishes:
            self.edge.world.registry.assign(self.tenant, epoch)
        self.control("activate", epoch=epoch, mode="rollback")
        return epoch

    def announced(self, epoch: int) -> int:
        """Note that the tenant may be asked for at `epoch`."""
        self.edge.epochs[self.tenant].add(epoch)
        return epoch

    def control(self, action: str, *, at: LocalCell | None = None, **body: Any) -> Any:
        """Call the control interface of the home, or of another cell."""
        return (at or self.home).client.control("POST", f"/{self.tenant}/{action}", body)

    def journaled(self, command_id: str, *, at: LocalCell | None = None) -> int:
        """Return how many entries of a cell's journal are of this command."""
        path = f"/{self.tenant}/stripes/0/journal"
        entries = [json.loads(d["body"]) for d in (at or self.home).client.pages(path, "documents")]
        return [entry["command_id"] for entry in entries].count(command_id)

    @property
    def asked(self) -> list[tuple[str, int]]:
        """Which cell was asked at which epoch, for anything but the opening of accounts."""
        sent = [each for each in self.edge.sent_for(self.tenant) if b'"open-' not in each.raw]
        return sorted({(each.cell, epoch) for each in sent for epoch in each.epochs})


def explained(answer: Answer) -> dict[str, str]:
    """Return what the edge says about the way of a request."""
    pairs = (part.split("=", 1) for part in answer.headers[EXPLAIN].split("; "))
    return dict(pairs)


def _read(cell: str, request: Message) -> Sent:
    token = header(request.head, b"authorization").removeprefix("Bearer ")
    payload = token.split(".")[1]
    claims = json.loads(base64.urlsafe_b64decode(payload + "=" * (-len(payload) % 4)))
    in_path = _IN_PATH.findall(request.head.partition(b"\r\n")[0])
    names = [name.decode() for name in (*in_path, *_NAMED.findall(request.body))]
    return Sent(
        cell=cell,
        named=frozenset({*names, header(request.head, b"x-tenant-id"), claims["tenant"]}),
        epochs=frozenset({int(header(request.head, b"x-tenant-epoch")), claims["epoch"]}),
        audience=claims["aud"],
        raw=request.raw,
    )
