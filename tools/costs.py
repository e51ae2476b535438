"""Derive what each operation costs on both clouds, from the documents it reads and writes.

`python -m tools.costs` prints the table of docs/costs.md; a test compares the two. The arithmetic
is the vendors' published one; what they do not publish is marked and left to measurement.
"""

import json
import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, Final

from cell_adapters_aws import documents as dynamo
from cell_adapters_azure import documents as cosmos
from cell_core.domain.decider import Command
from cell_core.domain.documents import Batch, Create, Delete, Document, Page, Snapshot
from cell_core.domain.fence import Fence, Role
from cell_core.domain.journal import fingerprint
from cell_core.domains.ledger import Ledger
from cell_core.memory import MemoryCellStore
from cell_core.service.control import Cell
from cell_core.service.plan import Ask
from cell_core.service.positions import Positions
from cell_core.service.process import Processor
from cell_core.service.reads import Reader, Reading

TENANT: Final = "T-100"
_CELL: Final = Cell(id="aws-alpha", ordinal=1)
PARTITION: Final = "T-100/00"
_FAR_MS: Final = 2**50

# DynamoDB Developer Guide, "DynamoDB throughput capacity": a unit of read is 4 KB strongly
# consistent, a unit of write 1 KB; each item is rounded up; a transactional write costs twice.
_RCU_BYTES, _WCU_BYTES, _TRANSACTION = 4096, 1024, 2

# Cosmos DB, "Understand request unit consumption": a read of 1 KB is 1 RU and one of 4 KB 1.14,
# twice that under Strong consistency; a write of 1 KB is 4.95 and one of 2 KB 6.29.
_RU_READ = ((1024, 1.0), (2048, 1.04), (4096, 1.14), (8192, 1.33), (16384, 1.67))
_RU_WRITE = ((1024, 4.95), (2048, 6.29), (4096, 6.67), (8192, 7.04), (16384, 9.52))
_STRONG: Final = 2
_QUERY_RU: Final = 2.8
"""What a query in one partition costs before what it returns: not published, seen in answers to
small queries; measure it in your account (x-ms-request-charge)."""


@dataclass(slots=True)
class Meter:
    """A `CellStore` that bills what passes through it."""

    inner: MemoryCellStore
    reads: int = 0
    writes: int = 0
    rcu: float = 0
    wcu: float = 0
    ru: float = 0
    seen: list[str] = field(default_factory=list)

    def read(self, partition: str, keys: Sequence[str]) -> Snapshot:
        """Bill a read: every key, there or not, is read."""
        found = self.inner.read(partition, keys)
        self.reads += 1
        stored = [self._sizes(partition, d) for d in found.documents.values()]
        if found.fence is not None:
            stored.append(_fence_sizes(partition, found.fence))
        missing = 1 + len(keys) - len(stored)
        self.rcu += missing + sum(math.ceil(size / _RCU_BYTES) for size, _ in stored)
        read_ru = sum(_units(_RU_READ, size) for _, size in stored)
        self.ru += _STRONG * (read_ru if not keys else _QUERY_RU + 0.3 * len(stored))
        return found

    def page(self, partition: str, prefix: str, *, after: str | None, limit: int) -> Page:
        """Bill a page: a DynamoDB query rounds up once, over all it read."""
        page = self.inner.page(partition, prefix, after=after, limit=limit)
        self.reads += 1
        sizes = [self._sizes(partition, d) for d in page.documents]
        self.rcu += max(1, math.ceil(sum(size for size, _ in sizes) / _RCU_BYTES))
        self.ru += _STRONG * (_QUERY_RU + 0.3 * len(sizes))
        return page

    def commit(self, batch: Batch) -> None:
        """Bill an atomic write: every item of it."""
        self.inner.commit(batch)
        self.writes += 1
        sizes = [self._sizes(batch.partition, w.document) for w in batch.writes]
        if batch.fence is not None and not isinstance(batch.fence, Create):
            fence = self.inner.read(batch.partition, ()).fence
            if fence is not None:
                sizes.append(_fence_sizes(batch.partition, fence))
        self.wcu += sum(_TRANSACTION * math.ceil(size / _WCU_BYTES) for size, _ in sizes)
        self.ru += sum(_units(_RU_WRITE, size) for _, size in sizes)
        self.seen += [w.document.key for w in batch.writes if not isinstance(w, Delete)]

    def ping(self) -> None:
        """Bill nothing."""

    @staticmethod
    def _sizes(partition: str, document: Document) -> tuple[int, int]:
        item = dynamo.document_item(partition, document)
        return _dynamo_bytes(item), len(json.dumps(cosmos.document_item(partition, document)))


def _fence_sizes(partition: str, fence: Fence) -> tuple[int, int]:
    item = dynamo.fence_item(partition, fence)
    return _dynamo_bytes(item), len(json.dumps(cosmos.fence_item(partition, fence)))


def _dynamo_bytes(item: Any) -> int:  # noqa: ANN401 - an item of the SDK
    """Return an item's size as DynamoDB counts it: names, text as UTF-8, two digits a byte."""
    total = 0
    for name, held in item.items():
        total += len(name)
        [(kind, value)] = held.items()
        total += len(value.encode()) if kind == "S" else 1
        total += math.ceil(len(value) / 2) if kind == "N" else 0
    return total


def _units(steps: tuple[tuple[int, float], ...], size: int) -> float:
    return next(units for limit, units in steps if size <= limit)


class _Fixed:
    """A clock that stands still, and no patience: nothing here is tried again."""

    def now_ms(self) -> int:
        """Return a time of the usual length."""
        return 1_767_225_600_000

    def wait(self, attempt: int, deadline_ms: int) -> bool:
        """Return False."""
        return attempt < 0 and deadline_ms < 0


class Bench:
    """A cell with one tenant and its meter."""

    def __init__(self) -> None:
        self.meter = Meter(MemoryCellStore())
        fence = Fence(role=Role.ACTIVE, epoch=1)
        self.meter.inner.commit(Batch(partition=PARTITION, fence=Create(fence)))
        self.positions = Positions(self.meter)
        self.processor = Processor(self.meter, _Fixed(), _Fixed(), self.positions, _CELL)
        self.reader = Reader(self.meter, self.positions, _CELL)
        self.ledger = Ledger()
        for name in ("alice", "bob"):
            self.run(self.ask(f"open-{name}", "open_account", account=name))

    def ask(self, command_id: str, command: str, **data: Any) -> Ask:  # noqa: ANN401 - JSON
        """Return a ledger command."""
        model = self.ledger.commands[command]
        return Ask(
            decider=self.ledger,
            stream="main",
            command_id=f"01JD8Z6M7Q{command_id}",
            commands=(Command(command, model.model_validate(data)),),
            fingerprint=fingerprint("ledger", "main", [(command, data)]),
        )

    def transfer(self, command_id: str) -> Ask:
        """Return a transfer between the two accounts."""
        return self.ask(command_id, "transfer", debit="alice", credit="bob", amount="250")

    def run(self, *asks: Ask) -> None:
        """Process."""
        self.processor.process(TENANT, 1, asks, _FAR_MS)

    def reset(self) -> None:
        """Start billing anew."""
        self.meter.reads = self.meter.writes = 0
        self.meter.rcu = self.meter.wcu = self.meter.ru = 0.0

    def line(self, name: str, per: int = 1) -> str:
        """Return a line of the table; figures divided by `per`."""
        m = self.meter
        figures = (
            m.reads,
            m.writes,
            f"{m.rcu / per:.1f}",
            f"{m.wcu / per:.1f}",
            f"{m.ru / per:.0f}",
        )
        return f"| {name} | " + " | ".join(str(f) for f in figures) + " |"


def table() -> str:
    """Return the Markdown table."""
    bench = Bench()
    at = Reading(TENANT, 1, "ledger", "main")
    lines = [
        "| operation | reads | writes | RCU | WCU | RU |",
        "|---|---|---|---|---|---|",
    ]

    def measure(name: str, *, per: int = 1) -> None:
        lines.append(bench.line(name, per))
        bench.reset()

    bench.reset()
    bench.run(bench.transfer("warm000000001"))
    measure("transfer, warm")
    bench.positions.forget(PARTITION)
    bench.run(bench.transfer("cold000000001"))
    measure("transfer, cold instance")
    bench.run(bench.transfer("cold000000001"))
    measure("transfer, sent again (replayed)")
    bench.run(bench.ask("no00000000001", "open_account", account="alice"))
    measure("rejected command")
    bench.run(*(bench.transfer(f"bundle{n:07d}") for n in range(30)))
    measure("bundle of 30 transfers, each", per=30)
    bench.reader.entity(at, "account.alice")
    measure("read an entity")
    bench.reader.entities(at, after=None, limit=100)
    measure("page of 2 entities")
    bench.reader.events(at, after=None, limit=10)
    measure("page of 10 events")
    return "\n".join(lines)


if __name__ == "__main__":
    print(table())
