"""Tenants move between the clouds while they are written to: real zips, router, control plane.

Nobody at the edge may notice a move; what was acknowledged is there once, wherever the tenant is.
"""

import itertools
import threading
import time
from collections.abc import Callable, Iterator

import pytest

from cell_devstack.cell_client import Answered
from cell_devstack.fault_proxy import Refuse, Watcher
from cell_devstack.http_framing import Message
from cell_devstack.local_control import ControlSettings
from cell_devstack.world import AWS, AZURE, LocalCell, World, Zips
from tests.e2e.living import STORE_S, Living, until

pytestmark = [pytest.mark.slow, pytest.mark.xdist_group("e2e-live-moves")]

KEEP_S = 3.0
DEADLINE_MS = 2000
"""After which a cut-over is rolled back."""

CALL_MS = 1500
"""How long a step that was begun before the deadline may take."""

CLIENT_S = 5.0
"""How long the edge works on a request whose client names no deadline."""

LOSSES = 2
_NUMBERS = itertools.count(1)
_CLOUDS = {AWS: "aws", AZURE: "azure"}
_OTHER = {AWS: AZURE, AZURE: AWS}


@pytest.fixture(scope="module")
def started(zips: Zips) -> Iterator[World]:
    # Probed once: a cell that is down just then would get no tenants for a while.
    settings = ControlSettings(loops={"keep_s": KEEP_S, "probe_s": 600})
    with World(zips, control=settings, store_s=STORE_S) as world:
        yield world


@pytest.fixture
def world(started: World) -> Iterator[World]:
    """Yield the module's world; whatever a test broke is whole again afterwards."""
    yield started
    for cell in started.cells.values():
        cell.link.watch(Watcher())
        cell.link.clear()
        cell.restore()
        cell.client.close()


@pytest.fixture
def breakable(world: World) -> Iterator[World]:
    """Yield the module's world to a test that takes cells away."""
    yield world
    for cell in world.cells.values():
        cell.link.clear()
        cell.restore()
        # It may have been probed meanwhile, and would get no tenants.
        world.control.prove(cell.id)


@pytest.fixture(params=[AWS, AZURE])
def home(request: pytest.FixtureRequest) -> str:
    return request.param


@pytest.fixture
def name() -> str:
    """Return a tenant's name that no other test has."""
    return f"T-{next(_NUMBERS)}"


def test_a_tenant_moves_there_and_back_and_no_request_fails_or_is_sent_again(world, name):
    with Living(world, name, AWS, threads=2) as living:
        there = living.move(f"{name}-there", AZURE)
        back = living.move(f"{name}-back", AWS)

    books = living.books
    assert [member["status"] for member in (there, back)] == ["done", "done"]
    assert (living.record["home"], living.record["standby"]) == (AWS, AZURE)
    assert (books.failed, books.retried) == ({}, {})
    assert books.served.keys() == {"aws", "azure"}
    assert living.problems() == []


def test_a_tenant_of_two_stripes_moves_with_both_of_them(world, name, home):
    with Living(world, name, home, stripes=2) as living:
        member = living.move(f"{name}-move", _OTHER[home])

    books = living.books
    fences = living.home.client.control("GET", f"/{name}")["fences"]
    assert (member["status"], living.home.id) == ("done", _OTHER[home])
    assert [(fence["role"], fence["seq"] > 20) for fence in fences] == [("active", True)] * 2
    assert (books.failed, books.retried) == ({}, {})
    assert books.served.keys() == {"aws", "azure"}
    assert living.problems() == []


def test_a_tenant_without_standby_is_copied_as_it_writes_and_its_old_home_is_freed(world, name):
    places = world.control.places()[AWS]
    with Living(world, name, AWS, standby=False) as living:
        member = living.move(f"{name}-move", AZURE)
        kept = living.record["leaving"]
        until(lambda: living.record["leaving"] is None, "the old home is not dropped")

    books = living.books
    assert (member["status"], living.home.id) == ("done", AZURE)
    assert kept is None or kept["cell"] == AWS
    assert (books.failed, books.retried) == ({}, {})
    with pytest.raises(Answered, match="tenant_not_found"):
        world.cells[AWS].client.control("GET", f"/{name}")
    assert world.control.places()[AWS] == places
    # And all of it can be copied there again.
    body = {"id": f"{name}-standby", "kind": "standby", "tenants": [name], "dest": AWS}
    world.control.ask("POST", "/operations", body)
    assert living.moved(f"{name}-standby")["status"] == "done"
    assert living.problems() == []


def test_what_was_acknowledged_is_at_the_standby_if_the_home_is_lost_at_once(breakable, name, home):
    here, there = breakable.cells[home], breakable.cells[_OTHER[home]]
    acknowledged, said, held = [], set(), []
    with Living(breakable, name, home, ack="refuse", threads=0) as living:
        for number in range(LOSSES):
            for command_id in (f"w{number}-{n}" for n in range(5)):
                said.add(living.settled(command_id).headers["x-cell-ack"])
                acknowledged.append(command_id)
            here.kill()
            held.append(living.journaled(there))
            here.restore()

    assert said == {"standby"}
    for number, journal in enumerate(held, start=1):
        assert [journal.count(one) for one in acknowledged[: 5 * number]] == [1] * 5 * number
    assert living.problems(*acknowledged) == []


def test_a_tenant_that_moves_is_at_both_cells_with_every_acknowledged_write(world, name):
    with Living(world, name, AWS, ack="refuse") as living:
        member = living.move(f"{name}-move", AZURE)
        here, there = _other_cell(living), living.home
        acknowledged = [f"w{n}" for n in range(5)]
        for command_id in acknowledged:
            living.settled(command_id)
            assert command_id in living.journaled(here)

    books = living.books
    assert (member["status"], there.id) == ("done", AZURE)
    assert (books.failed, books.retried) == ({}, {})
    assert living.problems(*acknowledged) == []


def test_without_its_standby_a_write_is_refused_or_said_to_be_local_and_none_is_lost(
    breakable, name
):
    standby = breakable.cells[AZURE]
    with Living(breakable, name, AWS, ack="refuse", threads=0) as living:
        living.settled("before")
        standby.host.kill()
        refused = living.pay("refused")
        _set_ack(living, "degrade")
        degraded = until(lambda: _acknowledged_by(living, "degraded", "local"), "it is refused")
        replayed = living.settled("refused")
        at_home = living.journaled(living.home)
        standby.host.restore()
        _set_ack(living, "refuse")
        until(lambda: _acknowledged_by(living, "after", "standby"), "its standby is not asked")

    commands = ("before", "refused", "degraded", "after")
    at_standby = living.journaled(standby)
    # 504 is a doubt, too: the last try ended with the deadline.
    assert refused.code in ("outcome_unknown", "standby_unavailable")
    assert refused.status == 503 or (refused.status, refused.code) == (504, "outcome_unknown")
    assert refused.body["retryable"] is True
    assert degraded.status == 200
    assert replayed.headers["x-cell-ack"] == "local"
    assert [at_home.count(one) for one in commands[:3]] == [1] * 3
    assert [at_standby.count(one) for one in commands] == [1] * 4
    assert living.problems(*commands) == []


def test_a_cut_over_whose_destination_is_cut_off_is_rolled_back_and_succeeds_later(
    breakable, name, home
):
    source, dest = breakable.cells[home], breakable.cells[_OTHER[home]]
    with Living(breakable, name, home, threads=2) as living:
        epoch = living.record["epoch"]
        frozen = _AtFreeze(name, lambda: dest.link.set(Refuse()))
        source.link.watch(frozen)
        living.await_commands(10)
        breakable.control.move(f"{name}-move", [name], dest.id)
        assert frozen.seen.wait(60)
        until(lambda: living.record["epoch"] > epoch, "it is not rolled back")
        back = living.record
        living.await_commands(10)
        longest_s, served = living.books.longest_s, set(living.books.served)
        source.link.watch(Watcher())
        dest.link.clear()
        member = living.moved(f"{name}-move")
        living.await_commands(10)

    books = living.books
    assert (back["home"], back["base"]["mode"]) == (home, "rollback")
    assert back["since_ms"] - frozen.at_ms <= DEADLINE_MS + CALL_MS
    assert served == {_CLOUDS[home]}
    assert longest_s < CLIENT_S
    assert (member["status"], member["rollbacks"] >= 1) == ("done", True)
    assert living.home is dest
    # A request that came while nobody could serve it was held, and told so if that took too long.
    assert (books.failed, books.retried.keys() <= {"frozen"}) == ({}, True)
    assert living.problems() == []


class _AtFreeze(Watcher):
    """Does something while the home's freeze is on its way to its database."""

    def __init__(self, tenant: str, do: Callable[[], None]) -> None:
        self.seen = threading.Event()
        self.at_ms = 0
        self._tenant = tenant.encode()
        self._do = do

    def asked(self, request: Message) -> None:
        if b"frozen" in request.raw and self._tenant in request.raw and not self.seen.is_set():
            self.at_ms = time.time_ns() // 1_000_000
            self._do()
            self.seen.set()


def _set_ack(living: Living, ack: str) -> None:
    path = f"/tenants/{living.tenant}/policy"
    living.world.control.ask("POST", path, {"policy": {"ack": ack}})


def _acknowledged_by(living: Living, command_id: str, ack: str) -> object:
    answer = living.pay(command_id)
    is_so = answer.status == 200 and answer.headers.get("x-cell-ack") == ack
    return answer if is_so else None


def _other_cell(living: Living) -> LocalCell:
    return living.world.cells[_OTHER[living.home.id]]
