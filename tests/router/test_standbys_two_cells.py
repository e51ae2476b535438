"""The edge before two cells of which the second has to have a write: what clients may rely on."""

import json
from typing import Any

import pytest

from cell_core.wire.message import Request
from cell_core.wire.registry import Ack, CellRecord, TenantRecord
from cell_core.wire.registry_snapshot import tenant_row
from cell_router.grants import GrantBook
from cell_router.stores.memory import MemoryStore
from tests.contract.cell_samples import AWAY, EPOCH, HOME
from tests.core.granting import edge_key
from tests.core.two_cells import TENANT, TwoCells, envelope, lost, silent
from tests.router.fresh import Modules
from tests.router.sim import Sim, statuses
from tests.router.vectors.world import NOW_S

M = Modules()


class World:
    """The edge in virtual time, and behind it the home, which has a link to the standby."""

    def __init__(self, ack: Ack = "refuse") -> None:
        self.two = TwoCells()
        grants = GrantBook(edge_key().signer(), iter(map(str, range(10**6))).__next__)
        self.sim = Sim(M, _store(ack), self._cell, grants=grants)

    def ask(self, command_id: str, at: float = 0.0) -> Any:
        return self.sim.ask(json.dumps(envelope(command_id)).encode(), at)

    def ack_of(self, request: Any) -> bytes | None:
        return dict(self.sim.reply(request).headers).get(b"x-cell-ack")

    def journal(self) -> list[str]:
        """Return the command ids in the home's journal."""
        return [entry.command_id for entry in self.two.home.here.at(TENANT, 0).journal()]

    def _cell(self, x: Any, now: float) -> tuple[float, Any]:
        assert x.cell.record.id == HOME.id
        self.two.clock.time_ms = NOW_S * 1000 + int((now - 1000) * 1000)
        pairs = (line.split(": ", 1) for line in x.lines.decode().split("\r\n") if line)
        headers = {name: value for name, value in pairs}  # noqa: C416 - lists, not pairs
        request = Request(method="POST", path=x.target.decode(), headers=headers, body=x.sent_body)
        answer = self.two.app.handle(request)
        passed = M.messages.PASSED_TO_CLIENT
        named = {n.encode(): v.encode() for n, v in answer.headers.items() if n.encode() in passed}
        return 0.005, M.messages.CellAnswer(answer.status, named, answer.body)


def _store(ack: Ack) -> MemoryStore:
    cells = [
        CellRecord(
            id=cell.id,
            ordinal=cell.ordinal,
            cloud=cell.id.partition("-")[0],
            region="r",
            base_url=f"https://{cell.id}.example",
            grant_header=header,
        )
        for cell, header in ((HOME, "authorization"), (AWAY, "x-cell-grant"))
    ]
    row = tenant_row(TenantRecord(tenant=TENANT, epoch=EPOCH, standby=AWAY.ordinal, ack=ack))
    store = MemoryStore()
    store.replace(rev=1, created_ms=NOW_S * 1000, cells=cells, groups=[], tenants=[[row]])
    return store


def test_what_a_client_is_told_to_be_in_two_cells_is_in_two_cells():
    world = World()

    request = world.ask("a")
    world.sim.run()

    assert (world.sim.reply(request).status, world.ack_of(request)) == (200, b"standby")
    assert world.two.has_all()
    assert world.two.link.urls == ["https://azure-beta.example"]


def test_commands_that_share_a_commit_share_one_push():
    world = World()

    requests = [world.ask(f"c-{number}") for number in range(25)]
    world.sim.run()

    assert statuses(world.sim, requests) == [200] * 25
    assert {world.ack_of(request) for request in requests} == {b"standby"}
    assert len(world.two.link.sent) == 2
    assert world.two.has_all()


@pytest.mark.parametrize("line", [lost, silent])
def test_a_standby_that_comes_back_in_time_is_not_noticed_and_has_the_write_once(line: Any):
    world = World()
    world.two.link.lines = [line] * 3

    request = world.ask("a")
    world.sim.run()

    assert (world.sim.reply(request).status, world.ack_of(request)) == (200, b"standby")
    assert world.journal() == ["a"]
    assert world.two.has_all()


def test_a_write_that_was_refused_for_its_standby_is_done_once_when_it_is_sent_again():
    world = World()
    world.two.link.always = silent
    first = world.ask("a")
    world.sim.run(6.0)  # The wall clock of this shell stands still: a grant lives 30 s.
    world.two.link.always = None

    again = world.ask("a")
    world.sim.run()

    assert (world.sim.reply(first).status, world.sim.reply(first).code) == (503, "outcome_unknown")
    assert world.ack_of(first) is None
    assert (world.sim.reply(again).status, world.ack_of(again)) == (200, b"standby")
    assert world.journal() == ["a"]
    assert world.two.has_all()


def test_a_policy_that_degrades_answers_and_says_that_only_the_home_has_it():
    world = World("degrade")
    world.two.link.always = silent

    request = world.ask("a")
    world.sim.run()

    assert (world.sim.reply(request).status, world.ack_of(request)) == (200, b"local")
    assert world.journal() == ["a"]
    assert not world.two.has_all()
