"""A tenant that is written to through the edge, in a world with a control plane.

Its clients know the edge's address and no cell's. Refuses to sleep for anything but what it waits
to see.
"""

import json
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack
from typing import Any, Final, Self

from cell_core.domain.ids import stripe_of
from cell_devstack.audit import audit
from cell_devstack.edge_client import EdgeClient
from cell_devstack.json_client import Answer, NoAnswer, ledger_command
from cell_devstack.traffic import Books, Traffic
from cell_devstack.world import LocalCell, World

PATIENCE_S: Final = 90.0
"""How long a test waits for what it wants to see; the machine may be busy."""

PAUSE_S: Final = 0.02
"""Of each client between two writes: a move is looked at, not what the machine bears."""

STORE_S: Final = 3.0
"""How long cells wait for databases that share a busy machine with everything else."""

_POLL_S: Final = 0.02


def until(holds: Callable[[], Any], complaint: str, *, patience_s: float = PATIENCE_S) -> Any:
    """Return what `holds` returns once that is true; an answer that does not come does not count.

    Raises:
        AssertionError: It is not in time.
    """
    deadline = time.monotonic() + patience_s
    while True:
        try:
            if found := holds():
                return found
        except NoAnswer:
            pass
        assert time.monotonic() < deadline, complaint
        time.sleep(_POLL_S)


class _InStream:
    """Sends a tenant's commands to another stream than `main`."""

    def __init__(self, client: EdgeClient, key: str, stream: str) -> None:
        self._client = client
        self._key = key
        self._stream = stream

    def process(
        self, tenant: str, command_id: str, command: str, data: Mapping[str, Any]
    ) -> Answer:
        envelope = ledger_command(tenant, command_id, command, data) | {"stream": self._stream}
        return self._client.send("POST", "/process", {"x-api-key": self._key}, envelope)

    def close(self) -> None:
        self._client.close()


class Living:
    """A tenant with steady traffic on each of its stripes; a context manager that ends it.

    Once it has ended, its books are final and `problems` proves them.
    """

    def __init__(
        self,
        world: World,
        tenant: str,
        home: str,
        *,
        standby: str | bool = True,
        stripes: int = 1,
        ack: str = "local",
        threads: int = 1,
    ) -> None:
        """Create it at `home`, and open its accounts; no threads are no traffic but the test's."""
        self.world = world
        self.tenant = tenant
        self.edge = EdgeClient(world.router.url, world.router.api_key)
        body = {"id": tenant, "home": home, "standby": standby, "stripes": stripes}
        world.control.ask("POST", "/tenants", {**body, "policy": {"ack": ack}})
        world.control.settle([tenant], patience_s=PATIENCE_S)
        self._stack = ExitStack()
        self._traffics = [
            Traffic(
                _InStream(self.edge, world.router.api_key, stream),
                tenant,
                threads=threads,
                seed=number,
                pause_s=PAUSE_S,
            )
            for number, stream in enumerate(_streams(stripes), start=1)
        ]
        for traffic in self._traffics:
            traffic.prepare()

    def __enter__(self) -> Self:
        self._stack.callback(self.edge.close)
        for traffic in self._traffics:
            traffic.start()
            self._stack.callback(traffic.stop)
        return self

    def __exit__(self, *_exc: object) -> None:
        self._stack.close()

    @property
    def record(self) -> Mapping[str, Any]:
        """Return what the control plane says of it."""
        return self.world.control.tenant(self.tenant)

    @property
    def home(self) -> LocalCell:
        """Return the cell where it is at home now."""
        return self.world.cells[self.record["home"]]

    @property
    def books(self) -> Books:
        """Return the books of all its traffic together."""
        whole = Books()
        for traffic in self._traffics:
            whole.acknowledged |= traffic.books.acknowledged
            whole.rejected |= traffic.books.rejected
            whole.longest_s = max(whole.longest_s, traffic.books.longest_s)
            for name in ("served", "retried", "failed"):
                getattr(whole, name).update(getattr(traffic.books, name))
        return whole

    def await_commands(self, more: int) -> None:
        """Return once so many more were answered, on each stripe."""
        for traffic in self._traffics:
            wanted, books = traffic.books.commands + more, traffic.books
            until(lambda: books.commands >= wanted, f"no traffic: {books.retried}")  # noqa: B023 - called at once

    def move(self, operation: str, dest: str) -> Mapping[str, Any]:
        """Move it while it is written to, before and after; return what became of it."""
        self.await_commands(10)
        self.world.control.move(operation, [self.tenant], dest)
        member = self.moved(operation)
        self.await_commands(10)
        return member

    def moved(self, operation: str) -> Mapping[str, Any]:
        """Return what became of it in an operation, once that is over and all is settled."""
        control = self.world.control
        control.operation(operation, patience_s=PATIENCE_S)
        control.settle([self.tenant], patience_s=PATIENCE_S)
        [member] = control.members(operation)
        return member

    def settled(self, command_id: str) -> Answer:
        """Send a payment again and again under one id, until it is acknowledged."""
        return until(lambda: self._done(command_id), f"{command_id} does not get through")

    def pay(self, command_id: str) -> Answer:
        """Send one payment, once; raises `NoAnswer`."""
        data = {"debit": "alice", "credit": "bob", "amount": "5"}
        return self.edge.process(self.tenant, command_id, "transfer", data)

    def journaled(self, cell: LocalCell) -> list[str]:
        """Return the ids of the commands in a cell's journal of its first stripe."""
        pages = cell.client.pages(f"/{self.tenant}/stripes/0/journal", "documents")
        return [json.loads(document["body"])["command_id"] for document in pages]

    def problems(self, *more: str, verifies: bool = True) -> list[str]:
        """Return what is wrong with it, or with its books; `more` were acknowledged besides."""
        record, books = self.record, self.books
        books.acknowledged |= set(more)
        found = audit(self.home.client, self.tenant, record["epoch"], books)
        problems = [*found.problems, *(f"failed: {code}" for code in books.failed)]
        if verifies:
            proof = self.world.control.verify(self.tenant, "behaviour", patience_s=PATIENCE_S)
            report = proof["report"] or {}
            if report.get("verdict") != "equal":
                problems.append(f"the standby: {report or proof['status']}")
        return problems

    def _done(self, command_id: str) -> Answer | None:
        answer = self.pay(command_id)
        return answer if answer.status == 200 else None


def _streams(stripes: int) -> Sequence[str]:
    """Return one stream for each stripe; `main` first, which audits look at."""
    found = {stripe_of("ledger", "main", stripes): "main"}
    number = 0
    while len(found) < stripes:
        number += 1
        found.setdefault(stripe_of("ledger", f"s{number}", stripes), f"s{number}")
    return list(found.values())
