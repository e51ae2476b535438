"""The lake holds what both cells wrote, once, whatever happens to relays, tenants and itself.

Real zips, change readers and relays; each relay is a process that is killed as a power cut would.
"""

import itertools
import random
import threading
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, Self

import pytest

from cell_core.domain.ids import owner
from cell_core.domain.journal import read_entry
from cell_devstack.demo_lake import LakeFound, ask_lake
from cell_devstack.local_control import ControlSettings
from cell_devstack.world import AWS, AZURE, World, Zips
from cell_lake.cli.main import main
from cell_lake.domain.rows import Row, rows_of
from cell_lake.domain.shards import Origin, Stripe
from cell_lake.query import connect
from tests.e2e.living import STORE_S, Living, until
from tests.lake.asked import Lent

pytestmark = [pytest.mark.slow, pytest.mark.xdist_group("e2e-lake")]

KILLS = 25
_PAUSE_S = 0.6
_NUMBERS = itertools.count(1)


@pytest.fixture(scope="module")
def world(zips: Zips) -> Iterator[World]:
    settings = ControlSettings(loops={"probe_s": 600})
    with World(zips, control=settings, store_s=STORE_S, lake=True) as started:
        yield started


class Killer:
    """Kills one relay after the other, and brings each back; a context manager that ends it."""

    def __init__(self, world: World, seed: int) -> None:
        self._relays = list(world.lake.relays.values())
        self._generator = random.Random(seed)
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._run, name="killer")
        self.kills = 0

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_exc: object) -> None:
        self._over.set()
        self._thread.join()
        for relay in self._relays:
            relay.restore()

    def _run(self) -> None:
        while not self._over.wait(self._generator.random() * _PAUSE_S):
            relay = self._generator.choice(self._relays)
            relay.kill()
            self.kills += 1
            relay.restore()


def tenant_name() -> str:
    return f"T-lake-{next(_NUMBERS)}"


def asked(world: World) -> LakeFound:
    """Return what the lake holds of all tenants of this world, once it has caught up."""
    tenants = [each["id"] for each in world.lake.ask("/v1/tenants?limit=1000")["tenants"]]
    return ask_lake(world.lake, tenants)


def canonical(world: World, tenant: str) -> list[tuple[Any, ...]]:
    """Return a tenant's canonical rows, without when they were ingested."""
    with connect(f"{world.lake.url}/events", f"{world.lake.url}/lineage") as duck:
        return duck.execute(
            "SELECT stripe, seq, index, epoch, events, outcome, code, type, epoch_ms(time), cell,"
            " cloud, command_id, traceparent, data, chain, domain, stream"
            " FROM events_canonical WHERE tenant_id = ? ORDER BY stripe, seq, index",
            [tenant],
        ).fetchall()


def logged(world: World, tenant: str, stripes: int) -> list[tuple[Any, ...]]:
    """Return the rows that the log of the tenant's home makes."""
    cells = {cell.ordinal: cell for cell in world.cells.values()}
    home = world.cells[world.control.tenant(tenant)["home"]]
    rows: list[Row] = []
    for number in range(stripes):
        path = f"/{tenant}/stripes/{number}/journal"
        for document in home.client.pages(path, "documents"):
            entry = read_entry(document["body"])
            cell = cells[owner(entry.epoch)]
            origin = Origin(cell=cell.id, ordinal=cell.ordinal, cloud=cell.cloud)
            rows += rows_of(entry, Stripe(tenant, number), origin, 0)
    return [_columns(row) for row in rows]


def _columns(row: Row) -> tuple[Any, ...]:
    return (row.stripe, row.seq, row.index, row.epoch, row.events, row.outcome, row.code, row.type,
            row.time_ms, row.cell, row.cloud, row.command_id, row.traceparent, row.data, row.chain,
            row.domain, row.stream)  # fmt: skip


def assert_complete(found: LakeFound) -> None:
    assert found.audit.findings == ()
    assert found.audit.rows == found.audit.keys
    assert found.audit.seqs == found.audit.positions


def same(first: Sequence[tuple[Any, ...]], second: Sequence[tuple[Any, ...]]) -> None:
    """Assert that both are equal, and say where they are not."""
    assert [pair for pair in zip(first, second, strict=False) if pair[0] != pair[1]][:3] == []
    assert len(first) == len(second)


def test_killed_relays_and_moving_tenants_leave_each_event_once(world: World):
    mover, stayer = tenant_name(), tenant_name()

    with (
        Living(world, mover, AWS, stripes=2) as moving,
        Living(world, stayer, AZURE) as staying,
        Killer(world, seed=1) as killer,
    ):
        moving.move(f"{mover}-there", AZURE)
        moving.move(f"{mover}-back", AWS)
        while killer.kills < KILLS:
            staying.await_commands(3)
    found = asked(world)

    assert killer.kills >= KILLS
    assert_complete(found)
    assert {cloud for tenant, cloud, *_ in found.rows if tenant == mover} == {"aws", "azure"}
    for tenant, stripes in ((mover, 2), (stayer, 1)):
        same(canonical(world, tenant), logged(world, tenant, stripes))


def test_a_lake_that_was_away_gets_all_that_was_written_meanwhile(world: World):
    tenant = tenant_name()
    events = Path(world.lake.url, "events")
    aside = events.with_name("aside")

    with Living(world, tenant, AZURE) as living:
        living.await_commands(10)
        until(events.exists, "nothing was published")
        events.rename(aside)
        events.write_text("not a table")  # What is there is no folder, so nothing can be made.
        living.await_commands(60)
        events.unlink()
        aside.rename(events)
        living.await_commands(10)
    found = asked(world)

    assert_complete(found)
    same(canonical(world, tenant), logged(world, tenant, 1))


def test_a_cell_that_was_away_with_its_relay_publishes_the_rest_when_it_is_back(world: World):
    tenant = tenant_name()
    cell, relay = world.cells[AZURE], world.lake.relays[AZURE]

    with Living(world, tenant, AZURE) as living:
        living.await_commands(20)
        relay.kill()
        living.await_commands(20)
        cell.kill()
        cell.restore()
        # A probe while it was away found it wrong: without another it gets no tenants.
        world.control.prove(cell.id)
        cell.client.close()
        living.await_commands(10)
    behind = ask_lake(world.lake, [tenant], patience_s=0)
    relay.restore()
    found = asked(world)

    assert not behind.audit.is_complete
    assert_complete(found)
    same(canonical(world, tenant), logged(world, tenant, 1))


def test_rows_that_were_erased_by_mistake_are_written_again_from_the_home(
    world: World, tmp_path: Path
):
    tenant = tenant_name()
    with Living(world, tenant, AZURE) as living:
        living.await_commands(20)
    before = asked(world)
    settings = tmp_path / "relay.env"
    relay = world.lake.relays[AZURE].settings
    settings.write_text("".join(f"{name}={text}\n" for name, text in relay.items()))
    around = Lent(ask=world.lake.ask, kept={"lake": world.lake.url})

    codes = [main(words, around) for words in (
        ["erase", tenant, "--yes"],
        ["audit", tenant],
        ["backfill", tenant, "--cloud", "azure", "--settings", str(settings)],
        ["backfill", tenant, "--cloud", "azure", "--settings", str(settings)],
        ["audit", tenant],
    )]  # fmt: skip

    said = around.out.getvalue()
    assert_complete(before)
    assert codes == [0, 6, 0, 0, 0], said
    assert f"missing: {tenant}/00 1 to " in said
    assert ", 0 rows were missing." in said
    same(canonical(world, tenant), logged(world, tenant, 1))
