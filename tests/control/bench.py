"""A world in memory for flows: real cells over memory stores, a registry, clients, one clock.

Each cell is the real application with real grants. Nothing here waits, and time goes on only when
something is asked. `copied` makes a second world that goes on from where this one is.
"""

import json
from collections.abc import Sequence
from dataclasses import replace
from functools import cache
from typing import Any

from cell_control.codec import Value, read, write_of
from cell_control.domain.records import Cell, Lifecycle, Tenant
from cell_control.flows.effects import Ask, CellAnswer, NoAnswer
from cell_control.ports import (
    Changes,
    Key,
    Record,
    RegistryConflict,
    RegistryUnavailable,
    Write,
)
from cell_core.app.application import App
from cell_core.domain.documents import ENTITY, LOG, Document
from cell_core.domain.fence import Fence
from cell_core.domain.ids import owner, partition_of
from cell_core.domain.journal import Entry, read_entry
from cell_core.domain.verification import problems_of
from cell_core.domains import DOMAINS
from cell_core.memory import MemoryBackend, MemoryCellStore
from cell_core.ports import CellStore
from cell_core.service import control
from cell_core.wire.grants import GrantVerifier
from cell_core.wire.message import Request, Response
from tests.core.granting import control_key, edge_key, jwks

START_MS = 1_700_000_000_000
CELLS = ("aws-alpha", "azure-beta", "gcp-gamma")
"""Their ordinals are their places here, from 1."""

CALL_MS = 2
"""What each step takes on the bench's clock."""


class Clock:
    """Stands still until it is told to move."""

    def __init__(self, time_ms: int = START_MS) -> None:
        self.time_ms = time_ms

    def now_ms(self) -> int:
        return self.time_ms


class Hasty:
    """`Patience` that waits for nothing, and not for ever."""

    def wait(self, attempt: int, deadline_ms: int) -> bool:
        return attempt <= 8


class Records:
    """The registry's semantics in a dictionary: `Registry` for one thread, and quick to copy."""

    def __init__(self) -> None:
        self.is_down = False
        self._rev = 0
        self._records: dict[tuple[str, str], Record] = {}

    def copied(self) -> "Records":
        other = Records()
        other._rev, other._records = self._rev, dict(self._records)
        return other

    def restore(self, backup: "Records") -> None:
        """Go back to what `backup` is, at revs that were never given before."""
        self._records = dict(backup._records)
        self._rev += 1000

    def rev(self) -> int:
        return self._rev

    def get(self, keys: Sequence[Key]) -> list[Record | None]:
        self._check()
        found = [self._records.get((key.kind, key.key)) for key in keys]
        return [None if record is None or record.deleted else record for record in found]

    def list(
        self,
        kind: str,
        *,
        tag: str | None = None,
        prefix: str = "",
        after: str = "",
        limit: int,
    ) -> list[Record]:
        self._check()
        found = [
            record
            for (of, key), record in sorted(self._records.items())
            if of == kind and key.startswith(prefix) and key > after and not record.deleted
        ]
        return [record for record in found if tag in (None, record.tag)][:limit]

    def count(self, kind: str, *, tag: str | None = None) -> int:
        return len(self.list(kind, tag=tag, limit=10**6))

    def commit(self, writes: Sequence[Write]) -> int:
        self._check()
        assert writes
        assert len({(write.kind, write.key) for write in writes}) == len(writes)
        for write in writes:
            found = self._records.get((write.kind, write.key))
            at = 0 if found is None or found.deleted else found.rev
            if at != write.rev:
                raise RegistryConflict(write.kind, write.key)
        for write in writes:
            self._rev += 1
            self._records[write.kind, write.key] = Record(
                kind=write.kind,
                key=write.key,
                rev=self._rev,
                body=write.body or "",
                edge=write.edge,
                tag=write.tag,
                deleted=write.body is None,
            )
        return self._rev

    def skip_to(self, rev: int) -> int:
        self._check()
        self._rev = max(self._rev, rev)
        return self._rev

    def changes(self, after: int, *, kinds: Sequence[str], limit: int) -> Changes:
        raise NotImplementedError

    def wait(self, after: int, timeout_s: float) -> int:
        return self._rev

    def close(self) -> None:
        pass

    def _check(self) -> None:
        if self.is_down:
            raise RegistryUnavailable


class BenchCell:
    """One cell: the application over a store in memory, and a switch that makes it dark."""

    def __init__(self, id_: str, clock: Clock, backend: MemoryBackend | None = None) -> None:
        self.id, self.ordinal = id_, CELLS.index(id_) + 1
        self.backend = backend or MemoryBackend()
        self.clock = clock
        self.is_dark = False
        self.build(MemoryCellStore(self.backend))

    def build(self, store: CellStore) -> None:
        """Start the application anew over `store`, as after a cold start."""
        self.store = store
        self.app = App(
            control.Cell(id=self.id, ordinal=self.ordinal),
            store,
            DOMAINS,
            GrantVerifier(jwks(edge_key(), control_key()), audience=self.id),
            clock=self.clock,
            patience=Hasty(),
            new_id=lambda: "r-1",
        )

    def copied(self, clock: Clock) -> "BenchCell":
        backend = MemoryBackend()
        for key, held in self.backend.partitions.items():
            mine = backend.partition(key)
            mine.fence, mine.documents = held.fence, dict(held.documents)
        backend.writes = self.backend.writes
        other = BenchCell(self.id, clock, backend)
        other.is_dark = self.is_dark
        return other

    def ask(self, ask: Ask) -> CellAnswer | NoAnswer:
        """Answer a call of the control plane."""
        path, _, query = ask.path.partition("?")
        body = b"" if ask.body is None else json.dumps(ask.body).encode()
        status, answer = self.send(
            ask.method, f"/v1/control/tenants{path}", query, body, scope="control", tenant="*"
        )
        return NoAnswer(reason="dark") if status == 0 else CellAnswer(status=status, body=answer)

    def send(
        self,
        method: str,
        path: str,
        query: str = "",
        body: bytes = b"",
        *,
        scope: str,
        tenant: str,
        epoch: int = 0,
    ) -> tuple[int, Any]:
        """Return status and parsed body; status 0 for no answer."""
        response = self.respond(method, path, query, body, scope=scope, tenant=tenant, epoch=epoch)
        if response is None:
            return 0, None
        return response.status, json.loads(response.body) if response.body else None

    def respond(
        self,
        method: str,
        path: str,
        query: str = "",
        body: bytes = b"",
        *,
        scope: str,
        tenant: str,
        epoch: int = 0,
    ) -> Response | None:
        """Return the whole answer; None for none."""
        if self.is_dark:
            return None
        token = _token(self.id, tenant, epoch, scope, self.clock.now_ms() // 20_000 * 20)
        headers = {"authorization": f"Bearer {token}", "content-type": "application/json"}
        if scope == "tenant":
            headers |= {"x-tenant-id": tenant, "x-tenant-epoch": str(epoch)}
        return self.app.handle(
            Request(method=method, path=path, query=query, headers=headers, body=body)
        )

    def fences(self, tenant: str) -> tuple[Fence, ...]:
        """Return the fences as they are stored; empty if there are none."""
        first = self._fence(tenant, 0)
        if first is None:
            return ()
        found = [first, *(self._fence(tenant, n) for n in range(1, first.stripes))]
        return tuple(fence for fence in found if fence is not None)

    def documents(self, tenant: str, stripe: int, prefix: str) -> list[Document]:
        """Return stored documents in key order, as the store holds them."""
        held = self.backend.partition(partition_of(tenant, stripe)).documents
        return [held[key] for key in sorted(held) if key.startswith(prefix)]

    def entries(self, tenant: str) -> list[Entry]:
        """Return the journals of all stripes."""
        return [
            read_entry(document.body)
            for stripe in range(len(self.fences(tenant)))
            for document in self.documents(tenant, stripe, LOG)
        ]

    def problems(self, tenant: str) -> list[str]:
        """Return what is wrong with the tenant's stripes here; empty is proof."""
        return [
            f"{self.id}/{stripe}: {problem}"
            for stripe, fence in enumerate(self.fences(tenant))
            for problem in problems_of(
                fence,
                [read_entry(d.body) for d in self.documents(tenant, stripe, LOG)],
                self.documents(tenant, stripe, ENTITY),
                DOMAINS,
                tenant,
            )
        ]

    def _fence(self, tenant: str, stripe: int) -> Fence | None:
        return self.backend.partition(partition_of(tenant, stripe)).fence


class Bench:
    """Three cells, a registry that knows them, and a clock."""

    def __init__(self) -> None:
        self.clock = Clock()
        self.registry = Records()
        self.cells = {id_: BenchCell(id_, self.clock) for id_ in CELLS}
        for cell in self.cells.values():
            self.put(
                Cell(
                    id=cell.id,
                    ordinal=cell.ordinal,
                    cloud=cell.id.partition("-")[0],
                    region="local",
                    base_url=f"https://{cell.id}.example",
                    lifecycle=Lifecycle.ACTIVE,
                )
            )

    def copied(self) -> "Bench":
        other = Bench.__new__(Bench)
        other.clock = Clock(self.clock.time_ms)
        other.registry = self.registry.copied()
        other.cells = {id_: cell.copied(other.clock) for id_, cell in self.cells.items()}
        return other

    def put(self, value: Value) -> None:
        """Put a record, over the one that is there."""
        write = write_of(value, 0)
        [found] = self.registry.get([Key(kind=write.kind, key=write.key)])
        self.registry.commit([write_of(value, found.rev if found else 0)])

    def tenant(self, id_: str = "T-1") -> Tenant:
        """Return a tenant's record."""
        [found] = self.registry.get([Key(kind="tenant", key=id_)])
        assert found is not None
        return read(Tenant, found)

    def change(self, id_: str = "T-1", **fields: Any) -> Tenant:
        """Change fields of a tenant's record."""
        changed = replace(self.tenant(id_), **fields)
        self.put(changed)
        return changed

    def actives(self, tenant: str = "T-1", stripe: int = 0) -> list[str]:
        """Return in which cells a stripe's fence is active."""
        found = {c.id: c.fences(tenant)[stripe : stripe + 1] for c in self.cells.values()}
        return [id_ for id_, fences in found.items() if fences and fences[0].role == "active"]


class Client:
    """An edge and a client of one tenant in one: follows moves, repeats what is in doubt."""

    def __init__(self, bench: Bench, tenant: str = "T-1", streams: Sequence[str] = ("a",)) -> None:
        self._bench, self._tenant, self._streams = bench, tenant, streams
        self.epoch = bench.tenant(tenant).epoch
        self.acked: list[str] = []
        self.sent = 0
        self.doubtful: list[str] = []

    def write(self) -> str:
        """Send what is in doubt once more, and a new command; return the last verdict.

        At most three are in doubt at a time, and one that fails lets the others wait.
        """
        if len(self.doubtful) < 3:
            self.sent += 1
            self.doubtful.append(f"c-{self.sent}")
        verdict = ""
        for command in list(self.doubtful):
            verdict = self._send(command)
            if verdict != "acked":
                return verdict
            self.doubtful.remove(command)
            self.acked.append(command)
        return verdict

    def _send(self, command: str) -> str:
        number = int(command.partition("-")[2])
        envelope = {
            "tenant_id": self._tenant,
            "domain": "records",
            "stream": self._streams[number % len(self._streams)],
            "command": "put",
            "command_id": command,
            "data": {"id": f"e-{number % 7}", "value": number},
        }
        for _ in range(4):
            cell = self._bench.cells[CELLS[owner(self.epoch) - 1]]
            status, body = cell.send(
                "POST",
                "/v1/commands",
                "",
                json.dumps(envelope).encode(),
                scope="tenant",
                tenant=self._tenant,
                epoch=self.epoch,
            )
            if status == 200:
                return "acked"
            known = self._bench.tenant(self._tenant).epoch
            if status == 421:
                known = max(known, int(body.get("epoch", 0)))
            if known <= self.epoch:
                return str(body["code"]) if body else "dark"
            self.epoch = known
        return "lost"


@cache
def _token(cell: str, tenant: str, epoch: int, scope: str, now_s: int) -> str:
    key = control_key() if scope == "control" else edge_key()
    return key.signer().sign(
        audience=cell, tenant=tenant, epoch=epoch, scope=scope, now_s=now_s, grant_id="g-1"
    )
