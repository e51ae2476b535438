"""The control plane is killed, at any moment, and even loses its latest memory: nobody needs it.

Routers and cells serve on from what they hold. What was under way is ended by the next process; the
one thing that waits for it is a tenant that was frozen, whose requests are held and then told so.
"""

import itertools
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing
from pathlib import Path
from typing import Any

import pytest

from cell_control.adapters.registry_backup import export_registry, restore_registry
from cell_control.adapters.registry_url import open_registry
from cell_control.codec import write_of
from cell_control.domain.recovery import JUMP
from cell_control.flows.recover import recovery_of
from cell_devstack.fault_proxy import Delay, Watcher
from cell_devstack.http_framing import Message
from cell_devstack.json_client import Answer
from cell_devstack.local_control import ControlSettings
from cell_devstack.world import AWS, AZURE, World, Zips
from tests.e2e.living import PATIENCE_S, STORE_S, Living, until

pytestmark = [pytest.mark.slow, pytest.mark.xdist_group("e2e-control-dead")]

HELD_MS = 3000
TOLD = {"frozen", "outcome_unknown"}
"""What a request of a frozen tenant is told in the end: the second if, of all times, its last try
is unanswered when its time is over."""

_NUMBERS = itertools.count(1)
_SLOW_MS = 60
_TRIES = 4


@pytest.fixture(scope="module")
def started(zips: Zips, tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    # Probed once: a cell that is slow just then would get no tenants for a while.
    settings = ControlSettings(loops={"probe_s": 600})
    folder = tmp_path_factory.mktemp("world")
    with World(zips, folder=folder, control=settings, store_s=STORE_S) as world:
        yield world


@pytest.fixture
def world(started: World) -> Iterator[World]:
    """Yield the module's world; whatever a test broke is whole again afterwards."""
    yield started
    started.router.restore()
    for cell in started.cells.values():
        cell.link.watch(Watcher())
        cell.link.clear()
        cell.client.close()
    started.control.restore()


@pytest.fixture
def name() -> str:
    """Return a tenant's name that no other test has."""
    return f"T-{next(_NUMBERS)}"


def test_routers_and_cells_serve_without_it_even_a_router_that_starts_anew(world, name):
    with Living(world, name, AWS) as first, Living(world, f"{name}-b", AZURE) as second:
        livings = (first, second)
        world.control.kill()
        for living in livings:
            living.await_commands(30)
        undisturbed = [dict(living.books.retried) for living in livings]
        world.router.kill()
        world.router.restore()
        for living in livings:
            living.await_commands(30)
        keeps = world.router.admin("/snapshot")
        world.control.restore()
        member = first.move(f"{name}-move", AZURE)

    assert undisturbed == [{}, {}]
    assert keeps["error"] is not None
    assert member["status"] == "done"
    assert [living.books.failed for living in livings] == [{}, {}]
    assert [living.problems() for living in livings] == [[], []]


def test_killed_while_it_copies_it_ends_the_move_later_and_no_request_notices(world, name):
    with Living(world, name, AWS, standby=False, threads=2) as living:
        living.await_commands(20)
        # Slow enough for the state to be seen.
        world.cells[AZURE].link.set(Delay(latency_ms=_SLOW_MS))
        _kill_in(living, "copying")
        world.cells[AZURE].link.clear()
        member = _restored(living)

    _check_unnoticed(living, member)


def test_killed_before_a_cut_over_it_ends_the_move_later_and_no_request_notices(world, name):
    with Living(world, f"{name}-b", AWS) as other:
        other.move(f"{name}-b-move", AZURE)  # How long a freeze takes is known from now on.
    with Living(world, name, AWS, standby=False, threads=2) as living:
        living.await_commands(20)
        # It waits for a shorter one, until it is killed and has forgotten.
        world.control.ask("POST", f"/tenants/{name}/policy", {"policy": {"freeze_budget_ms": 1}})
        _kill_in(living, "catching_up")
        member = _restored(living)

    _check_unnoticed(living, member)


def _kill_in(living: Living, state: str) -> None:
    """Begin to move a tenant to Azure, and kill the control plane in `state`."""
    control = living.world.control
    control.move(f"{living.tenant}-move", [living.tenant], AZURE)
    until(lambda: living.record["state"] == state, f"never {state}")
    control.kill()


def _restored(living: Living) -> Any:
    """Return what became of the move once the control plane was back."""
    living.await_commands(20)
    living.world.control.restore()
    member = living.moved(f"{living.tenant}-move")
    living.await_commands(10)
    return member


def _check_unnoticed(living: Living, member: Any) -> None:
    books = living.books
    assert (member["status"], living.home.id) == ("done", AZURE)
    assert (books.failed, books.retried) == ({}, {})
    assert living.problems(verifies=False) == []


def test_killed_with_a_tenant_frozen_its_requests_are_held_then_told_so_until_it_is_back(
    world, name
):
    with Living(world, name, AWS, threads=2) as living:
        _kill_when(world, AWS, name, b"frozen", f"{name}-move")
        until(lambda: "frozen" in living.books.retried, "no request is told")
        took_ms, answers = _pay_until_told_frozen(living)
        world.control.restore()
        member = living.moved(f"{name}-move")
        living.await_commands(10)

    books = living.books
    assert {(one.code in TOLD, one.body["retryable"]) for one in answers} == {(True, True)}
    assert (answers[-1].status, answers[-1].code) == (503, "frozen")
    assert took_ms >= HELD_MS / 2
    assert member["status"] == "done"
    # It came too late for this cut-over, and did it again.
    assert (living.home.id, member["rollbacks"] >= 1) == (AZURE, True)
    assert (books.failed, books.retried.keys() - TOLD) == ({}, set())
    assert living.problems() == []


@pytest.mark.parametrize(
    ("where", "written"),
    [(AZURE, b"prepared"), (AZURE, b"active"), (AWS, b"standby")],
    ids=["preparing", "activating", "sealing"],
)
def test_killed_anywhere_in_a_cut_over_it_ends_what_it_began(world, name, where, written):
    with Living(world, name, AWS, threads=2) as living:
        _kill_when(world, where, name, written, f"{name}-move")
        world.control.restore()
        member = living.moved(f"{name}-move")
        living.await_commands(10)

    books = living.books
    assert (member["status"], living.home.id) == ("done", AZURE)
    assert (books.failed, books.retried.keys() - TOLD) == ({}, set())
    assert living.problems() == []


def test_restored_from_an_older_backup_it_learns_from_the_fences_what_it_forgot(world, name):
    control, folder = world.control, world.control.folder
    names = [f"{name}-{what}" for what in ("stays", "moves", "returns", "made-later")]
    with ExitStack() as stack:
        stays, moves, returns = (
            stack.enter_context(Living(world, tenant, AWS)) for tenant in names[:3]
        )
        copy = _kept(folder)
        moves.move(f"{name}-1", AZURE)
        returns.move(f"{name}-2", AZURE)
        returns.move(f"{name}-3", AWS)
        later = stack.enter_context(Living(world, names[3], AZURE))
        livings = (stays, moves, returns, later)
        records = [living.record for living in livings]
        known = world.router.admin("/snapshot")["rev"]
        control.kill()
        _put_back(copy, folder)
        control.restore()
        until(lambda: _newest(world) > known, "it goes on at revs that routers have")
        until(lambda: world.router.admin("/snapshot")["rev"] > known, "no router follows it")
        control.settle(names, patience_s=PATIENCE_S)
        recovered = [living.record for living in livings]
        again = [moves.move(f"{name}-4", AWS), later.move(f"{name}-5", AWS)]
        until(lambda: world.router.admin("/snapshot")["error"] is None, "no router follows it")

    assert [one["home"] for one in recovered] == [one["home"] for one in records]
    behind = [r["epoch"] - k["epoch"] for r, k in zip(recovered, records, strict=True)]
    assert min(behind) >= 0
    assert [member["status"] for member in again] == ["done", "done"]
    assert [living.books.failed for living in livings] == [{}] * 4
    assert [living.books.retried for living in livings] == [{}] * 4
    assert [living.problems() for living in livings] == [[]] * 4
    assert control.places() == control.recounted_places()


def test_put_back_as_an_older_copy_of_its_file_it_learns_the_same_and_routers_follow(world, name):
    control, folder = world.control, world.control.folder
    with Living(world, name, AWS) as moves:
        control.kill()
        copy = {path.name: path.read_bytes() for path in folder.glob("registry.db*")}
        control.restore()
        moves.move(f"{name}-1", AZURE)
        record = moves.record
        until(lambda: _is_told(world), "the router is not told of the move")
        known = world.router.admin("/snapshot")["rev"]
        control.kill()
        for path in folder.glob("registry.db*"):
            path.unlink()
        for file, data in copy.items():
            (folder / file).write_bytes(data)
        control.restore()
        until(lambda: _newest(world) > known + JUMP, "it goes on at revs that routers have")
        until(lambda: world.router.admin("/snapshot")["rev"] > known + JUMP, "no router follows it")
        control.settle([name], patience_s=PATIENCE_S)
        recovered = moves.record
        member = moves.move(f"{name}-2", AWS)
        until(lambda: _is_told(world), "no router follows it")

    assert (recovered["home"], recovered["epoch"] >= record["epoch"]) == (AZURE, True)
    assert member["status"] == "done"
    assert (moves.books.failed, moves.books.retried) == ({}, {})
    assert moves.problems() == []
    assert control.places() == control.recounted_places()


def _kill_when(world: World, cell: str, tenant: str, written: bytes, operation: str) -> None:
    """Move a tenant to Azure, and kill the control plane when this is written at `cell`."""
    killed = _AtWrite(tenant, written, world.control.kill)
    world.cells[cell].link.watch(killed)
    world.control.move(operation, [tenant], AZURE)
    assert killed.seen.wait(PATIENCE_S)
    world.cells[cell].link.watch(Watcher())


class _AtWrite(Watcher):
    """Does something while a write that holds `written` for a tenant is on its way."""

    def __init__(self, tenant: str, written: bytes, do: Callable[[], None]) -> None:
        self.seen = threading.Event()
        self._tenant, self._written = tenant.encode(), written
        self._do = do
        self._first = threading.Lock()

    def asked(self, request: Message) -> None:
        is_it = self._written in request.raw and self._tenant in request.raw
        if is_it and self._first.acquire(blocking=False):
            self._do()
            self.seen.set()


def _pay_until_told_frozen(living: Living) -> tuple[float, list[Answer]]:
    """Send one command until its answer is a certain no.

    Return how many milliseconds it took to get that, and all answers.
    """
    data = {"debit": "alice", "credit": "bob", "amount": "5"}
    headers = {"x-deadline-ms": str(HELD_MS)}
    answers: list[Answer] = []
    for _ in range(_TRIES):
        began = time.monotonic()
        answers.append(living.edge.process(living.tenant, "held", "transfer", data, headers))
        if answers[-1].code == "frozen":
            break
    return (time.monotonic() - began) * 1000, answers


def _is_told(world: World) -> bool:
    """Say whether the router holds all that the registry has now."""
    held = world.router.admin("/snapshot")
    return held["error"] is None and held["rev"] >= _newest(world)


def _newest(world: World) -> int:
    return int(world.control.ask("GET", "/status")["rev"])


def _kept(folder: Path) -> Path:
    """Return a backup of a registry that is written to, as `cellctl registry backup` makes it."""
    copy = folder / "registry.backup"
    with closing(open_registry(f"sqlite:///{folder / 'registry.db'}")) as registry:
        export_registry(registry, copy)
    return copy


def _put_back(copy: Path, folder: Path) -> None:
    """Make a registry anew from a backup, as `cellctl registry restore` does."""
    for suffix in ("", "-wal", "-shm"):
        (folder / f"registry.db{suffix}").unlink(missing_ok=True)
    first = recovery_of(time.time_ns() // 1_000_000, by="test", reason="restored")
    with closing(open_registry(f"sqlite:///{folder / 'registry.db'}")) as registry:
        restore_registry(registry, copy, write_of(first, 0))
