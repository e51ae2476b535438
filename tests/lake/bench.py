"""Cells, journals and one lake for tests, and what must hold at rest; no test is in here."""

from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import replace
from enum import StrEnum
from typing import Any

from cell_core.domain.documents import Document, log_key
from cell_core.domain.errors import CellError, LostRace, OutcomeUnknown, Throttled, Unavailable
from cell_core.domain.fence import Fence, Role
from cell_core.domain.journal import Entry
from cell_core.memory import MemoryBackend, MemoryCellStore
from cell_core.ports import CellStore
from cell_core.service.control import Cell
from cell_lake.domain.limits import Limits
from cell_lake.domain.rows import Row, rows_of
from cell_lake.domain.shards import Origin, Stripe
from cell_lake.domain.state import INTENT, Cursor, cursor_key, read_cursor, read_intent
from cell_lake.flows.intents import Flush
from cell_lake.flows.publish import publish
from cell_lake.flows.run import perform
from cell_lake.flows.steps import Flow, Step
from cell_lake.relay import Relay
from cell_lake.table_memory import MemoryLakeTable
from tests.contract import cell_samples
from tests.contract.cell_samples import AWAY, HOME, START_MS, Clock, LocalCell, patch, put

ALPHA = Origin(cell="aws-alpha", ordinal=HOME.ordinal, cloud="aws")
BETA = Origin(cell="azure-beta", ordinal=AWAY.ordinal, cloud="azure")
NEVER_MS = START_MS + 10**12
RUNS_MAX = 60


class Side:
    """One cell: its store, its application and relays of it onto a lake."""

    def __init__(
        self,
        lake: Any,
        origin: Origin = ALPHA,
        limits: Limits | None = None,
        store: CellStore | None = None,
    ) -> None:
        self.origin, self.lake = origin, lake
        self.limits = limits or Limits()
        self.clock = Clock()
        self.backend = MemoryBackend()
        self.store = store or MemoryCellStore(self.backend)
        self.cell = LocalCell(self.store, Cell(id=origin.cell, ordinal=origin.ordinal), self.clock)

    def relay(self, store: Any = None, lake: Any = None) -> Relay:
        """Return one more relay."""
        return Relay(store or self.store, lake or self.lake, self.origin, self.clock, self.limits)

    def settle(self, relay: Relay | None = None) -> Relay:
        """Sweep and flush until nothing is behind; fail if that never is."""
        relay = relay or self.relay()
        for _ in range(RUNS_MAX):
            swept = relay.sweep()
            relay.flush_all(NEVER_MS)
            if not swept.behind and swept.after is None and not len(relay.dirty):
                return relay
            self.clock.time_ms += 60_000
        raise AssertionError(f"never at rest: {swept}")

    def settle_once(self) -> None:
        """Sweep and flush, as far as that goes now."""
        relay = self.relay()
        relay.sweep()
        relay.flush_all(NEVER_MS)

    def cursor(self, tenant: str, number: int = 0) -> Cursor:
        """Return how far a stripe was published."""
        stripe = Stripe(tenant, number)
        key = cursor_key(stripe)
        held = self.store.read(f"~relay/{stripe.shard:02d}", (key,)).documents
        return read_cursor(held.get(key))

    def has_open_intent(self, stripe: Stripe) -> bool:
        """Say whether somebody died in the work on a stripe's shard."""
        held = self.store.read(f"~relay/{stripe.shard:02d}", (INTENT,)).documents
        return INTENT in held and read_intent(held[INTENT]).is_open

    def dead_letters(self) -> list[str]:
        """Return the keys of all dead letters."""
        return [
            key
            for name, partition in sorted(self.backend.partitions.items())
            if name.startswith("~relay/")
            for key in sorted(partition.documents)
            if key.startswith("DEAD:")
        ]


def spoil(side: Side, tenant: str, seq: int, body: str) -> None:
    """Put another text in the place of a journal entry, as no code of ours does."""
    documents = side.backend.partitions[f"{tenant}/00"].documents
    documents[log_key(seq)] = Document(log_key(seq), seq, body)


def keys_of(rows: Iterable[Row]) -> Counter[tuple[Any, ...]]:
    """Return how often each key is there."""
    return Counter((r.tenant_id, r.stripe, r.epoch, r.seq, r.index) for r in rows)


def check_once(lake: MemoryLakeTable, expected: Iterable[Row]) -> None:
    """Assert that the lake holds just the expected rows, each once, whenever they came."""
    assert max(keys_of(lake.rows).values(), default=1) == 1, "a row is there twice"
    assert timeless(lake.rows) == timeless(expected)


def timeless(rows: Iterable[Row]) -> list[Row]:
    """Return rows in order, without when they were written to the lake."""
    made = [replace(row, ingest_time_ms=0) for row in rows]
    return sorted(made, key=lambda r: (r.tenant_id, r.stripe, r.epoch, r.seq, r.index))


def rows_of_journal(entries: Iterable[Entry], stripe: Stripe, origin: Origin) -> list[Row]:
    """Return the rows that a cell's own entries become."""
    return [
        row
        for entry in entries
        if entry.epoch % 16 == origin.ordinal
        for row in rows_of(entry, stripe, origin, 0)
    ]


class Fault(StrEnum):
    """What may go wrong at a step."""

    CRASH_BEFORE = "crash before"
    CRASH_AFTER = "crash after"
    LOST = "done, and the answer is lost"
    NOT_DONE = "not done, and the answer is lost"
    UNAVAILABLE = "refused"
    THROTTLED = "refused for lack of capacity"
    RACE = "told that somebody was faster"


class Crashed(Exception):
    """The relay is no more."""


ERRORS: Mapping[Fault, Callable[[], Exception]] = {
    Fault.CRASH_BEFORE: Crashed,
    Fault.CRASH_AFTER: Crashed,
    Fault.LOST: lambda: OutcomeUnknown("test"),
    Fault.NOT_DONE: lambda: OutcomeUnknown("test"),
    Fault.UNAVAILABLE: lambda: Unavailable("test"),
    Fault.THROTTLED: lambda: Throttled("test"),
    Fault.RACE: LostRace,
}
DONE = {Fault.CRASH_AFTER, Fault.LOST}


class Drive:
    """One flow, a step at a time, a fault at some of them."""

    def __init__(self, flow: Flow[Any], side: Side, faults: Mapping[int, Fault] = {}) -> None:
        self._flow, self._side = flow, side
        self._faults = dict(faults)
        self.steps: list[Step] = []
        self.result: Any = None
        self.error: Exception | None = None
        self._next: Step | None = None
        self._advance(lambda: next(self._flow))

    @property
    def is_over(self) -> bool:
        return self._next is None

    def step(self) -> None:
        """Do the next step."""
        step = self._next
        assert step is not None
        fault = self._faults.get(len(self.steps))
        self.steps.append(step)
        try:
            done = self._done(step, fault)
        except Crashed as crash:
            self._flow.close()
            self._next, self.error = None, crash
        except CellError as error:
            thrown = error
            self._advance(lambda: self._flow.throw(thrown))
        else:
            self._advance(lambda: self._flow.send(done))

    def _done(self, step: Step, fault: Fault | None) -> Any:
        done = None
        if fault is None or fault in DONE:
            done = perform(step, self._side.store, self._side.lake)
        if fault is not None:
            raise ERRORS[fault]()  # noqa: RSE102 - it is called to make the error
        return done

    def run(self) -> "Drive":
        """Go to the end."""
        while not self.is_over:
            self.step()
        return self

    def _advance(self, go: Callable[[], Step]) -> None:
        try:
            self._next = go()
        except StopIteration as end:
            self._next, self.result = None, end.value
        except CellError as error:
            self._next, self.error = None, error


def flush_of(side: Side, shard: int) -> Flush:
    return Flush(origin=side.origin, shard=shard, now_ms=side.clock.now_ms(), limits=side.limits)


def drive(side: Side, stripes: Sequence[Stripe], faults: Mapping[int, Fault] = {}) -> Drive:
    """Return a flush of `stripes`, of one shard, not begun."""
    return Drive(publish(flush_of(side, stripes[0].shard), stripes), side, faults)


def copied(side: Side) -> Side:
    """Return a side of its own that goes on from here, with a lake of its own."""
    lake = MemoryLakeTable(list(side.lake.rows), dict(side.lake.versions), side.lake.commits)
    other = Side(lake, side.origin, side.limits)
    other.clock.time_ms = side.clock.time_ms
    for name, held in side.backend.partitions.items():
        made = other.backend.partition(name)
        made.fence, made.documents = held.fence, dict(held.documents)
    return other


def written(side: Side, tenant: str, entries: int = 5) -> Stripe:
    """Provision a tenant and write to it: events, several in one entry, and a rejection."""
    home = side.cell.provision(tenant)
    asks = [
        put("a"),
        cell_samples.ask("records", ("put", {"id": "b", "value": 2}), ("delete", {"id": "b"})),
        patch("missing", {"x": 1}),
        put("a", "ü"),
    ]
    for number in range(entries):
        home.run(asks[number] if number < len(asks) else put(f"r-{number}"))
    return Stripe(tenant, 0)


def tenants_of_shard(shard: int, count: int) -> list[str]:
    """Return names of tenants whose only stripe is in `shard`."""
    names = (f"T-{number}" for number in range(10_000))
    found = (name for name in names if Stripe(name, 0).shard == shard)
    return [next(found) for _ in range(count)]


def journal(side: Side, stripe: Stripe) -> list[Entry]:
    return side.cell.at(stripe.tenant, stripe.number).journal()


def standby_fence(epoch: int) -> Fence:
    return Fence(role=Role.STANDBY, epoch=epoch)
