"""A cell in one piece over any store, and the commands it is tested with; no test is in here."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import count
from typing import Any, ClassVar, TypeAlias
from uuid import uuid4

import pytest

from cell_core.domain import transitions
from cell_core.domain.decider import Command, Decider
from cell_core.domain.documents import (
    ENTITY,
    IDEMPOTENCY,
    LOG,
    Batch,
    Document,
    Page,
    Put,
    Snapshot,
)
from cell_core.domain.errors import CellError
from cell_core.domain.fence import Fence, Role
from cell_core.domain.ids import stripe_of
from cell_core.domain.journal import Entry, fingerprint, read_entry
from cell_core.domain.limits import COMMIT_BYTES_MAX, OPERATIONS_MAX, READ_KEYS_MAX
from cell_core.memory import MemoryCellStore
from cell_core.ports import CellStore
from cell_core.schema import read
from cell_core.service.control import Cell, Controller
from cell_core.service.plan import Answered, Ask
from cell_core.service.positions import Positions
from cell_core.service.process import Processor
from cell_core.service.reads import Reader, Reading
from cell_core.service.remove import Remover
from cell_core.service.replicate import Replicator
from cell_core.service.sweep import Sweeper
from tests.contract.samples import OpenStore
from tests.domains_under_test import DOMAINS

HOME, AWAY = Cell(id="aws-alpha", ordinal=1), Cell(id="azure-beta", ordinal=2)
EPOCH, MOVED_EPOCH, RETURNED_EPOCH = 17, 18, 33
"""Owned by HOME, by AWAY, and by HOME again."""

START_MS = 1_700_000_000_000
DEADLINE_MS = START_MS + 2000
RETRIES_MAX = 8

_DOMAINS: Mapping[str, Decider] = {domain.name: domain for domain in DOMAINS}
_numbers = count(1)

Settled: TypeAlias = Answered | CellError


class Clock:
    """Stands still until it is told to move."""

    def __init__(self) -> None:
        self.time_ms = START_MS

    def now_ms(self) -> int:
        return self.time_ms


class Hasty:
    """`Patience` that waits for nothing, and not for ever."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock

    def wait(self, attempt: int, deadline_ms: int) -> bool:
        return attempt <= RETRIES_MAX and self._clock.now_ms() < deadline_ms


class Measured:
    """A store that counts its calls and refuses what is beyond the limits of the contract."""

    def __init__(self, inner: CellStore) -> None:
        self._inner = inner
        self.calls: list[str] = []

    def read(self, partition: str, keys: Sequence[str]) -> Snapshot:
        self.calls.append("read")
        assert len(keys) <= READ_KEYS_MAX
        return self._inner.read(partition, keys)

    def page(self, partition: str, prefix: str, *, after: str | None, limit: int) -> Page:
        self.calls.append("page")
        return self._inner.page(partition, prefix, after=after, limit=limit)

    def commit(self, batch: Batch) -> None:
        self.calls.append("commit")
        assert (batch.fence is not None) + len(batch.writes) <= OPERATIONS_MAX
        assert written_bytes(batch) <= COMMIT_BYTES_MAX
        self._inner.commit(batch)

    def ping(self) -> None:
        self._inner.ping()


def written_bytes(batch: Batch) -> int:
    """Return how many bytes of bodies `batch` writes; keys and fields come to little more."""
    bodies = [w.document.body for w in batch.writes if isinstance(w, Put)]
    return sum(len(body.encode()) for body in bodies)


class LocalCell:
    """One instance of a cell: everything that the application wires up, without HTTP."""

    def __init__(self, store: CellStore, cell: Cell = HOME, clock: Clock | None = None) -> None:
        self.cell = cell
        self.clock = clock or Clock()
        self.store = Measured(store)
        self.positions = Positions(self.store)
        patience = Hasty(self.clock)
        self.processor = Processor(self.store, self.clock, patience, self.positions, cell)
        self.controller = Controller(self.store, patience, self.positions, cell)
        self.replicator = Replicator(self.store, patience, self.positions, cell)
        self.remover = Remover(self.store, self.positions, self.controller)
        self.reader = Reader(self.store, self.positions, cell)
        self.sweeper = Sweeper(self.store, self.clock, self.controller, self.processor, DOMAINS)

    def at(self, tenant: str, stripe: int = 0) -> "Stripe":
        """Return a stripe of `tenant` in this cell."""
        return Stripe(self, tenant, stripe)

    def provision(
        self, tenant: str, *, role: Role = Role.ACTIVE, epoch: int = EPOCH, stripes: int = 1
    ) -> "Stripe":
        """Create `tenant` here, and return its first stripe."""
        fence = Fence(role=role, epoch=epoch, stripes=stripes)
        self.controller.provision(tenant, [fence] * stripes, DEADLINE_MS)
        return self.at(tenant)


@dataclass(frozen=True, slots=True)
class Stripe:
    """One stripe in one cell, and what may be asked of it."""

    here: LocalCell
    tenant: str
    number: int = 0

    def run(self, *asks: Ask, epoch: int = EPOCH) -> list[Settled]:
        """Process `asks` as one bundle."""
        return self.here.processor.process(self.tenant, epoch, asks, DEADLINE_MS)[0]

    def one(self, ask: Ask, epoch: int = EPOCH) -> Answered:
        """Process an ask that must be answered by a journal entry."""
        [settled] = self.run(ask, epoch=epoch)
        assert isinstance(settled, Answered), settled
        return settled

    def fence(self) -> Fence:
        return self.here.controller.fence(self.tenant, self.number)

    def freeze(self, op: str = "move-1", epoch: int = EPOCH) -> list[Fence]:
        return self.here.controller.change(
            self.tenant, lambda fence, _: transitions.freeze(fence, epoch=epoch, op=op), DEADLINE_MS
        )

    def seal(self, epoch: int = MOVED_EPOCH, home: str = AWAY.id) -> list[Fence]:
        def decide(fence: Fence, _stripe: int) -> transitions.Sets | None:
            return transitions.seal(fence, epoch=epoch, home_hint=home)

        return self.here.controller.change(self.tenant, decide, DEADLINE_MS)

    def fence_off(self, epoch: int = MOVED_EPOCH, home: str = AWAY.id) -> list[Fence]:
        def decide(fence: Fence, _stripe: int) -> transitions.Sets | None:
            return transitions.fence_off(fence, epoch=epoch, home_hint=home)

        return self.here.controller.change(self.tenant, decide, DEADLINE_MS)

    def activate(
        self,
        epoch: int,
        *,
        mode: str = "planned",
        positions: Sequence[tuple[int, str]] | None = None,
        op: str = "",
    ) -> list[Fence]:
        return self.here.controller.activate(
            self.tenant,
            epoch=epoch,
            mode=mode,
            positions=positions,
            op=op,
            deadline_ms=DEADLINE_MS,
        )

    def exported(self, prefix: str, limit: int = 1000) -> list[Document]:
        """Return all documents of `prefix`, page by page."""
        found: list[Document] = []
        after: str | None = None
        while True:
            _, page = self.here.replicator.export(
                self.tenant, self.number, prefix, after=after, limit=limit
            )
            found += page.documents
            after = page.after
            if after is None:
                return found

    def contents(self) -> list[Document]:
        """Return everything but the fence that a standby must come to hold too."""
        return [d for prefix in (ENTITY, IDEMPOTENCY, LOG) for d in self.exported(prefix)]

    def journal(self) -> list[Entry]:
        return [read_entry(document.body) for document in self.exported(LOG)]

    def scanned(self, limit: int = 1000) -> str:
        """Return the digest as a scan of the entities finds it."""
        total, after = 0, None
        while True:
            _, scan = self.here.replicator.scan(self.tenant, self.number, after=after, limit=limit)
            total += scan.sum
            after = scan.after
            if after is None:
                return f"{total % 2**256:064x}"

    def apply(
        self,
        entries: Sequence[Entry],
        epoch: int = EPOCH,
        wanted: transitions.Preparation | None = None,
    ) -> Fence:
        return self.here.replicator.apply(
            self.tenant,
            self.number,
            epoch,
            [entry.body for entry in entries],
            DEADLINE_MS,
            wanted=wanted,
        )

    def take(self, documents: Sequence[Document]) -> int:
        """Import `documents`; return how many were written."""
        return self.here.replicator.take(self.tenant, self.number, documents, DEADLINE_MS)[1]

    def reading(self, stream: str = "main", domain: str = "records", epoch: int = EPOCH) -> Reading:
        return Reading(self.tenant, epoch, domain, stream)


class OnOneCell:
    """The fixtures of all promises of a cell; a binding gives the store on which it stands.

    Cells that `cell` copies from and to stand on the reference store, so that each binding also
    shows that the two take each other's documents.
    """

    @pytest.fixture
    def open_store(self) -> OpenStore:
        """Return a function that opens independent stores onto one backend."""
        raise NotImplementedError("a binding gives it")

    @pytest.fixture
    def cell(self, open_store: OpenStore) -> LocalCell:
        return LocalCell(open_store())

    no_thousands: ClassVar[str]

    @pytest.fixture
    def many(self) -> None:
        """Skip a test that writes hundreds of documents where that takes minutes."""
        if self.no_thousands:
            pytest.skip(self.no_thousands)

    @pytest.fixture
    def other_instance(self, open_store: OpenStore) -> LocalCell:
        return LocalCell(open_store())

    @pytest.fixture
    def reference(self) -> LocalCell:
        return LocalCell(MemoryCellStore(), AWAY)

    @pytest.fixture
    def tenant(self) -> str:
        return new_tenant()

    @pytest.fixture
    def stripe(self, cell: LocalCell, tenant: str) -> Stripe:
        """Return the only stripe of a tenant that lives in the cell and is empty."""
        return cell.provision(tenant)


def new_tenant() -> str:
    """Return a tenant that no test has used, in no database."""
    return f"T-{uuid4().hex}"


def ask(
    domain: str,
    *commands: tuple[str, Mapping[str, Any]],
    command_id: str = "",
    stream: str = "main",
    expected_version: int | None = None,
) -> Ask:
    """Return a validated envelope, as the application makes it."""
    decider = _DOMAINS[domain]
    return Ask(
        decider=decider,
        stream=stream,
        command_id=command_id or f"c-{next(_numbers)}",
        commands=tuple(Command(n, read(decider.commands[n], dict(d))) for n, d in commands),
        fingerprint=fingerprint(domain, stream, [[name, data] for name, data in commands]),
        expected_version=expected_version,
    )


def put(record: str, value: Any = 1, *, if_rev: int | None = None, **envelope: Any) -> Ask:
    """Return a `put` of a record."""
    return ask("records", ("put", _with_rev({"id": record, "value": value}, if_rev)), **envelope)


def patch(record: str, change: Any, *, if_rev: int | None = None, **envelope: Any) -> Ask:
    """Return a `patch` of a record."""
    data = _with_rev({"id": record, "patch": change}, if_rev)
    return ask("records", ("patch", data), **envelope)


def delete(record: str, *, if_rev: int | None = None, **envelope: Any) -> Ask:
    """Return a `delete` of a record."""
    return ask("records", ("delete", _with_rev({"id": record}, if_rev)), **envelope)


def open_account(account: str, limit: str = "none", **envelope: Any) -> Ask:
    """Return an `open_account`."""
    return ask("ledger", ("open_account", {"account": account, "limit": limit}), **envelope)


def transfer(debit: str, credit: str, amount: int = 1, **envelope: Any) -> Ask:
    """Return a `transfer`."""
    data = {"debit": debit, "credit": credit, "amount": str(amount)}
    return ask("ledger", ("transfer", data), **envelope)


def hold(name: str, debit: str, credit: str, expires_ms: int, **envelope: Any) -> Ask:
    """Return a `hold` of 1."""
    data = {"hold": name, "debit": debit, "credit": credit, "amount": "1"}
    return ask("ledger", ("hold", {**data, "expires_ms": expires_ms}), **envelope)


def _with_rev(data: dict[str, Any], if_rev: int | None) -> dict[str, Any]:
    return data if if_rev is None else {**data, "if_rev": if_rev}


def stream_in(stripe: int, stripes: int, domain: str = "records") -> str:
    """Return the name of a stream that lives in `stripe`."""
    names = (f"s{number}" for number in count())
    return next(name for name in names if stripe_of(domain, name, stripes) == stripe)


def as_standby(home: Stripe, cell: LocalCell, *, copied: bool = False) -> Stripe:
    """Provision a standby of `home` in `cell` that begins where `home` is, or at 0.

    A standby that begins at 0 needs no copy: it applies the log from the first entry on.
    """
    start = home.fence()
    fence = Fence(role=Role.STANDBY, epoch=start.epoch, home_hint=home.here.cell.id)
    if copied:
        fence = Fence(
            role=Role.STANDBY,
            epoch=start.epoch,
            seq=start.seq,
            chain=start.chain,
            digest=start.digest,
            home_hint=home.here.cell.id,
        )
    cell.controller.provision(home.tenant, [fence], DEADLINE_MS)
    return cell.at(home.tenant)


def backwards(documents: Sequence[Document]) -> list[Document]:
    """Return journal documents in the order in which a standby imports them."""
    return sorted(documents, key=lambda document: -document.version)


def untagged(documents: Sequence[Document]) -> list[Document]:
    """Return `documents` without the marks of the store that they come from."""
    return [Document(d.key, d.version, d.body, d.deleted) for d in documents]
