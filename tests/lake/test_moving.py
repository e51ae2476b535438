"""A tenant that moves while it is published is in the lake once per event, across the move.

What is filtered by lineage is the home's journal, byte for byte (I9), however it came there.
"""

from collections.abc import Callable, Iterator

import pytest

from cell_core.domain.documents import ENTITY, IDEMPOTENCY, LOG
from cell_core.domain.fence import Fence, Role
from cell_lake.domain.limits import Limits
from cell_lake.domain.lineage import LineageRecord, is_canonical
from cell_lake.domain.rows import Row
from cell_lake.domain.shards import Stripe
from cell_lake.table_memory import MemoryLakeTable
from tests.contract.cell_samples import DEADLINE_MS, EPOCH, put
from tests.contract.cell_samples import Stripe as Home
from tests.lake.bench import (
    ALPHA,
    BETA,
    Fault,
    Side,
    check_once,
    drive,
    keys_of,
    rows_of_journal,
    timeless,
)

TENANT = "T-1"
STRIPE = Stripe(TENANT, 0)
MOVED, RETURNED = 18, 33


class Two:
    """Two cells over one lake, and one tenant at home in the first."""

    def __init__(self) -> None:
        self.lake = MemoryLakeTable()
        limits = Limits(rows_max=2, page_entries=2)
        self.alpha, self.beta = Side(self.lake, ALPHA, limits), Side(self.lake, BETA, limits)
        self.home = self.alpha.cell.provision(TENANT)
        self.away = self.beta.cell.provision(TENANT, role=Role.STANDBY)
        self.lineage = [record(EPOCH, "aws-alpha", "provisioned")]
        self._written = 0

    def write(self, home: Home, count: int, epoch: int) -> None:
        for _ in range(count):
            self._written += 1
            home.one(put(f"r-{self._written % 3}", self._written), epoch=epoch)

    def follow(self, home: Home, standby: Home, epoch: int) -> None:
        have = standby.fence().seq
        standby.apply([e for e in home.journal() if e.seq > have], epoch=epoch)

    def move(self, home: Home, standby: Home, *, epoch: int, to: int, name: str) -> None:
        """Move the tenant as a planned move does."""
        home.freeze(epoch=epoch)
        self.follow(home, standby, epoch)
        at = standby.fence()
        standby.activate(to, positions=[(at.seq, at.chain)])
        home.seal(epoch=to, home=name)
        self.lineage.append(record(to, name, "planned", (at.seq, at.chain)))

    def fail_over(self, standby: Home, *, to: int, name: str) -> None:
        """Make the standby the home as it is, whatever the home has written since."""
        at = standby.fence()
        standby.activate(to, mode="forced")
        self.lineage.append(record(to, name, "forced", (at.seq, at.chain)))

    def take_back(self, side: Side, old: Home, *, to: int, name: str) -> None:
        """Cut the old home's tail off, as a recovery does, and make it a standby."""
        base = self.lineage[-1].bases[0]
        old.fence_off(epoch=to, home=name)
        more = True
        while more:
            _, more = side.cell.remover.truncate(TENANT, 0, epoch=to, seq=base[0], chain=base[1])

    def drop(self, side: Side, epoch: int) -> None:
        """Remove the tenant from a cell, as a mover does with an old home."""
        while side.cell.remover.drop(TENANT, epoch, DEADLINE_MS):
            pass

    def bring_back(self, to: int) -> None:
        """Move the tenant to the first cell again, which holds nothing of it."""
        at = self.away.fence()
        fence = Fence(
            role=Role.STANDBY, epoch=at.epoch, seq=at.seq, chain=at.chain, digest=at.digest
        )
        self.alpha.cell.controller.provision(TENANT, [fence], DEADLINE_MS)
        self.alpha.settle_once()
        for prefix in (ENTITY, IDEMPOTENCY, LOG):
            self.home.take(sorted(self.away.exported(prefix), key=lambda d: -d.version))
        self.alpha.settle_once()
        self.move(self.away, self.home, epoch=at.epoch, to=to, name="aws-alpha")

    def settle(self) -> None:
        self.alpha.settle()
        self.beta.settle()

    def canonical(self) -> list[Row]:
        """Return the lake filtered by lineage, in order."""
        rows = [r for r in self.lake.rows if is_canonical(r.epoch, r.seq, r.stripe, self.lineage)]
        return timeless(sorted(rows, key=lambda row: (row.seq, row.index)))

    def check(self, home: Home) -> None:
        """Assert I9: the same rows, chains and places as the home's journal."""
        journal = home.journal()
        wanted = rows_of_journal(journal, STRIPE, ALPHA) + rows_of_journal(journal, STRIPE, BETA)
        assert max(keys_of(self.lake.rows).values(), default=1) == 1
        assert self.canonical() == timeless(wanted)
        assert len({row.seq for row in self.canonical()}) == home.fence().seq
        if wanted:
            assert self.canonical()[-1].chain == home.fence().chain


def record(epoch: int, home: str, mode: str, base: tuple[int, str] | None = None) -> LineageRecord:
    return LineageRecord(
        tenant=TENANT,
        epoch=epoch,
        rev=epoch,
        home=home,
        mode=mode,
        source="",
        source_epoch=0,
        bases=(base,) if base else (),
        time_ms=0,
        decided_by="test",
    )


def moving_there_and_back(two: Two) -> list[Callable[[], object]]:
    return [
        lambda: two.write(two.home, 3, EPOCH),
        lambda: two.follow(two.home, two.away, EPOCH),
        lambda: two.write(two.home, 2, EPOCH),
        lambda: two.move(two.home, two.away, epoch=EPOCH, to=MOVED, name="azure-beta"),
        lambda: two.write(two.away, 4, MOVED),
        lambda: two.move(two.away, two.home, epoch=MOVED, to=RETURNED, name="aws-alpha"),
        lambda: two.write(two.home, 3, RETURNED),
    ]


@pytest.mark.parametrize("when", range(1 << 6))
def test_a_tenant_that_moves_there_and_back_is_published_once_whenever_relays_run(
    when: int,
) -> None:
    two = Two()

    for number, stage in enumerate(moving_there_and_back(two)):
        stage()
        if when >> number & 1:
            two.settle()
    two.settle()

    two.check(two.home)
    assert {row.cell for row in two.lake.rows} == {"aws-alpha", "azure-beta"}


def forced(two: Two, orphans: int, later: int) -> Iterator[Callable[[], object]]:
    yield lambda: two.write(two.home, 3, EPOCH)
    yield lambda: two.follow(two.home, two.away, EPOCH)
    yield lambda: two.write(two.home, orphans, EPOCH)
    yield lambda: two.fail_over(two.away, to=MOVED, name="azure-beta")
    yield lambda: two.write(two.away, later, MOVED)


@pytest.mark.parametrize(("orphans", "later"), [(1, 4), (4, 1), (5, 5), (6, 2)])
def test_orphans_are_published_and_no_event_behind_a_cut_is_skipped(
    orphans: int, later: int
) -> None:
    two = Two()
    for stage in forced(two, orphans, later):
        stage()
    two.settle()
    published = len(two.lake.rows)

    two.take_back(two.alpha, two.home, to=MOVED, name="azure-beta")
    two.follow(two.away, two.home, MOVED)
    two.move(two.away, two.home, epoch=MOVED, to=RETURNED, name="aws-alpha")
    # Fewer than were cut off: the new entries stand where orphans stood.
    two.write(two.home, 1, RETURNED)
    two.settle()
    two.write(two.home, 2, RETURNED)
    two.settle()

    two.check(two.home)
    assert published == 3 + orphans + later
    assert len(two.lake.rows) == published + 3
    orphaned = [r for r in two.lake.rows if not is_canonical(r.epoch, r.seq, 0, two.lineage)]
    assert len(orphaned) == orphans


def test_an_intent_over_entries_that_were_cut_off_meanwhile_is_finished_with_what_is_left() -> None:
    two = Two()
    for stage in forced(two, 4, 2):
        stage()
    two.alpha.limits = Limits()
    drive(two.alpha, [STRIPE], {5: Fault.CRASH_BEFORE}).run()
    was_open = two.alpha.has_open_intent(STRIPE)

    two.take_back(two.alpha, two.home, to=MOVED, name="azure-beta")
    two.follow(two.away, two.home, MOVED)
    two.move(two.away, two.home, epoch=MOVED, to=RETURNED, name="aws-alpha")
    two.write(two.home, 1, RETURNED)
    two.settle()

    assert was_open
    two.check(two.home)
    assert len(two.lake.rows) == 3 + 2 + 1


def test_an_intent_takes_no_entry_for_its_own_that_replaced_one_of_them() -> None:
    two = Two()
    two.alpha.limits = Limits()
    two.write(two.home, 2, EPOCH)
    two.follow(two.home, two.away, EPOCH)
    two.write(two.home, 3, EPOCH)
    drive(two.alpha, [STRIPE], {4: Fault.CRASH_AFTER}).run()

    two.fail_over(two.away, to=MOVED, name="azure-beta")
    two.take_back(two.alpha, two.home, to=MOVED, name="azure-beta")
    two.fail_over(two.home, to=RETURNED, name="aws-alpha")
    two.write(two.home, 2, RETURNED)
    two.take_back(two.beta, two.away, to=RETURNED, name="aws-alpha")
    two.settle()

    two.check(two.home)
    assert [(row.epoch, row.seq) for row in two.canonical()] == [
        (EPOCH, 1), (EPOCH, 2), (RETURNED, 3), (RETURNED, 4),
    ]  # fmt: skip


def test_a_stripe_that_was_cut_back_and_has_nothing_new_is_not_behind() -> None:
    two = Two()
    for stage in forced(two, 4, 0):
        stage()
    two.settle()

    two.take_back(two.alpha, two.home, to=MOVED, name="azure-beta")
    behind = two.alpha.relay().sweep().behind
    two.settle()

    assert behind == (STRIPE,)
    assert two.alpha.relay().sweep().behind == ()
    assert two.alpha.cursor(TENANT).seq == 3


def test_a_standby_publishes_nothing_of_what_it_holds() -> None:
    two = Two()
    two.write(two.home, 5, EPOCH)
    two.follow(two.home, two.away, EPOCH)

    two.beta.settle()

    assert two.lake.rows == []
    assert two.lake.commits == 0
    assert two.beta.cursor(TENANT).seq == 5


def test_a_tenant_that_was_dropped_and_comes_back_with_its_history_is_not_published_again() -> None:
    two = Two()
    two.write(two.home, 3, EPOCH)
    two.move(two.home, two.away, epoch=EPOCH, to=MOVED, name="azure-beta")
    two.settle()
    two.drop(two.alpha, MOVED)
    two.write(two.away, 2, MOVED)

    two.bring_back(RETURNED)
    two.write(two.home, 2, RETURNED)
    two.settle()

    two.check(two.home)
    check_once(two.lake, two.lake.rows)
