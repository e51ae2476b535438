"""Reads and sweeps stay within their bounds, and one bad tenant does not stop the others."""

import itertools
from collections.abc import Sequence

import pytest

from cell_core.app.problems import PROBLEMS
from cell_core.domain.decider import Command
from cell_core.domain.documents import Page, Snapshot
from cell_core.domain.errors import Rejected, Unavailable
from cell_core.domain.fence import Fence, Role
from cell_core.domain.journal import fingerprint
from cell_core.domains.ledger import Ledger
from cell_core.memory import MemoryCellStore
from cell_core.service.control import Cell, Controller
from cell_core.service.plan import Ask
from cell_core.service.positions import Positions
from cell_core.service.process import Processor
from cell_core.service.reads import VIEW_PAGES_MAX, Reader, Reading
from cell_core.service.sweep import Sweeper

NOW_MS = 1_700_000_000_000
FAR_MS = NOW_MS + 60_000


class Clock:
    def __init__(self) -> None:
        self.time_ms = NOW_MS

    def now_ms(self) -> int:
        return self.time_ms

    def wait(self, attempt: int, deadline_ms: int) -> bool:
        return False


class Narrow(MemoryCellStore):
    """Answers one document a page, and nothing at all for the tenants in `broken`."""

    broken: Sequence[str] = ()

    def read(self, partition: str, keys: Sequence[str]) -> Snapshot:
        self._check(partition)
        return super().read(partition, keys)

    def page(self, partition: str, prefix: str, *, after: str | None, limit: int) -> Page:
        self._check(partition)
        return super().page(partition, prefix, after=after, limit=1)

    def _check(self, partition: str) -> None:
        if partition.partition("/")[0] in self.broken:
            raise Unavailable("read")


class Here:
    def __init__(self) -> None:
        self.store = Narrow()
        self.positions = Positions(self.store)
        cell = Cell(id="here", ordinal=1)
        self.processor = Processor(self.store, Clock(), Clock(), self.positions, cell)
        self.controller = Controller(self.store, Clock(), self.positions, cell)
        self.ledger = Ledger()
        self.numbers = itertools.count()

    def provision(self, tenant: str) -> None:
        self.controller.provision(tenant, [Fence(role=Role.ACTIVE, epoch=1)], FAR_MS)

    def run(self, tenant: str, name: str, **data: object) -> None:
        command = Command(name, self.ledger.commands[name].model_validate(data))
        ask = Ask(
            decider=self.ledger,
            stream="main",
            command_id=f"c-{next(self.numbers)}",
            commands=(command,),
            fingerprint=fingerprint("ledger", "main", [(name, data)]),
        )
        self.processor.process(tenant, 1, [ask], FAR_MS)


@pytest.fixture
def here() -> Here:
    return Here()


def test_a_view_of_too_many_pages_is_refused_and_not_tried_forever(here):
    here.provision("T-1")
    for number in range(VIEW_PAGES_MAX + 1):
        here.run("T-1", "open_account", account=f"a{number:04d}")

    reader = Reader(here.store, here.positions, Cell(id="here", ordinal=1))
    with pytest.raises(Rejected) as refused:
        reader.whole(Reading("T-1", 1, "ledger", "main"))

    assert refused.value.code == "view_too_large"
    assert PROBLEMS["view_too_large"].status == 413


def test_a_tenant_that_cannot_be_read_does_not_starve_the_ones_behind_it(here):
    clock = Clock()
    sweeper = Sweeper(here.store, clock, here.controller, here.processor, [here.ledger])
    for tenant in ("T-1", "T-2", "T-3"):
        here.provision(tenant)
        for account in ("alice", "bob"):
            here.run(tenant, "open_account", account=account)
        hold = {"hold": "h", "debit": "alice", "credit": "bob", "amount": "5"}
        here.run(tenant, "hold", **hold, expires_ms=NOW_MS + 1)
    here.store.broken = ["T-2"]
    clock.time_ms += 10

    counted = sweeper.sweep(FAR_MS)

    assert (counted["due"], counted["applied"], counted["failed"]) == (2, 2, 1)


def test_a_store_that_is_gone_ends_a_sweep_soon(here):
    sweeper = Sweeper(here.store, Clock(), here.controller, here.processor, [here.ledger])
    names = [f"T-{number}" for number in range(20)]
    for tenant in names:
        here.provision(tenant)
    here.store.broken = names

    counted = sweeper.sweep(FAR_MS)

    assert counted["failed"] == 1
    assert counted["looked_at"] == 0
