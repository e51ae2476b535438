"""Moves on the bench: tenants that live there, movers that work on them, and what must hold after.

`Scene` is one tenant with a client that writes between any two steps.
"""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import replace
from typing import Any, Final

from cell_control.codec import read
from cell_control.domain.pace import Limits
from cell_control.domain.placement import recount, usage_writes
from cell_control.domain.records import (
    Base,
    Member,
    Move,
    Operation,
    State,
    StripeCopy,
    Tenant,
    Usage,
)
from cell_control.flows.abreast import abreast
from cell_control.flows.effects import Ask, CellAnswer, NoAnswer
from cell_control.flows.mover import Mover
from cell_control.flows.replicate import catch_up
from cell_control.flows.run import Performed, Stop
from cell_control.ports import Key
from cell_core.domain.documents import ENTITY, IDEMPOTENCY, LOG, ORPHAN
from cell_core.domain.fence import Role
from cell_core.domain.journal import read_entry
from tests.control.bench import Bench, Client
from tests.control.shell import Crashed, Drive, Fault, Step, run

ALPHA, BETA, GAMMA = "aws-alpha", "azure-beta", "gcp-gamma"


def forced(tenant: Tenant) -> Tenant:
    """Return `tenant` as a failover from ALPHA to BETA leaves its record."""
    return replace(
        tenant,
        epoch=18,
        home=BETA,
        standby=ALPHA,
        standby_ordinal=1,
        state=State.ACTIVE,
        move=None,
        base=Base(mode="forced", source=ALPHA, source_epoch=17),
        settled=False,
    )


STREAMS: Final = ("a", "b", "main")
"""With two stripes there is one in each."""

RUNS_MAX: Final = 400
LIMITS: Final = Limits(keep_ms=60_000)


class Scene:
    """One tenant, at home in `aws-alpha` with its standby in `azure-beta`, and its client."""

    def __init__(self, bench: Bench, client: Client, movers: Callable[..., Any] = Mover) -> None:
        self.bench, self.client, self.movers = bench, client, movers
        self.performed: list[Performed] = []
        self.limits = LIMITS
        self.runs_max = RUNS_MAX
        self.epochs: list[int] = []

    @classmethod
    def made(
        cls,
        *,
        stripes: int = 1,
        standby: str = BETA,
        writes: int = 5,
        movers: Callable[..., Any] = Mover,
    ) -> "Scene":
        """Return a new tenant that is settled and has been written to."""
        scene = cls.new(stripes=stripes, standby=standby, movers=movers)
        scene.settle()
        for _ in range(writes):
            scene.write()
        return scene

    @classmethod
    def new(
        cls, *, stripes: int = 1, standby: str = BETA, movers: Callable[..., Any] = Mover
    ) -> "Scene":
        """Return a tenant of which there is a record and nothing else."""
        bench = Bench()
        tenant = Tenant(
            id="T-1",
            epoch=17,
            home=ALPHA,
            standby=standby,
            standby_ordinal=bench.cells[standby].ordinal if standby else -1,
            stripes=stripes,
        )
        bench.put(tenant)
        for usage in usage_writes(None, tenant, {}):
            bench.put(usage)
        return cls(bench, Client(bench, streams=STREAMS), movers)

    def copied(self) -> "Scene":
        """Return a second scene that goes on from here by itself."""
        bench = self.bench.copied()
        other = Scene(bench, Client(bench, streams=STREAMS), self.movers)
        other.limits, other.runs_max = self.limits, self.runs_max
        other.client.epoch, other.client.sent = self.client.epoch, self.client.sent
        other.client.acked = list(self.client.acked)
        other.client.doubtful = list(self.client.doubtful)
        return other

    def write(self) -> str:
        """Let the client write, and check what may never be, whatever is under way."""
        verdict = self.client.write()
        self.check_now()
        return verdict

    def begin(self, dest: str, *, kind: Any = "move", operation: str = "op-1") -> None:
        """Begin a move as a campaign does."""
        tenant, now_ms = self.bench.tenant(), self.bench.clock.now_ms()
        whole = tenant.standby == dest
        move = Move(
            operation=operation,
            kind=kind,
            dest=dest,
            began_ms=now_ms,
            copied=(StripeCopy(phase="done"),) * tenant.stripes if whole else (),
        )
        state = State.CATCHING_UP if whole else State.COPYING
        begun = replace(tenant, state=state, move=move)
        usages = {record.key: read(Usage, record) for record in self._records("usage")}
        for usage in usage_writes(tenant, begun, usages):
            self.bench.put(usage)
        self.bench.put(begun)
        self.bench.put(Operation(id=operation, kind="move", tenants=1, by="ada", reason="test"))
        self.bench.put(Member(operation=operation, tenant=tenant.id, dest=dest, status="moving"))

    def mover(self, name: str = "m-1", limits: Limits | None = None) -> Any:
        """Return a mover, as a process that has just started has it."""
        return self.movers(
            self.bench.clock,
            name=name,
            part=lambda: f"{name}-{len(self.performed)}-{self.bench.registry.rev()}",
            limits=limits or self.limits,
            on_step=self.performed.append,
        )

    def drive(
        self,
        mover: Any,
        *,
        faults: Mapping[int, Fault] | None = None,
        refuses: Callable[[Ask], CellAnswer | NoAnswer | None] = lambda _: None,
        writes: bool = True,
    ) -> Drive:
        """Return a run of `mover`, not begun; the client writes before each step."""

        def before(_: Step) -> None:
            if writes:
                self.write()

        return Drive(self.bench, mover.run("T-1"), faults=faults, before=before, refuses=refuses)

    def settle(
        self,
        mover: Any = None,
        *,
        faults: Mapping[int, Fault] | None = None,
        refuses: Callable[[Ask], CellAnswer | NoAnswer | None] = lambda _: None,
        writes: bool = False,
        until: Callable[[Stop], bool] = lambda stop: stop.row == "rest",
    ) -> list[Step]:
        """Run a mover again and again, as its process does, until the tenant rests.

        Faults count steps over all runs. After a crash another process goes on.
        """
        mover = mover or self.mover()
        left = dict(faults or {})
        steps: list[Step] = []
        for _ in range(self.runs_max):
            shifted = {number - len(steps): fault for number, fault in left.items()}
            drive = self.drive(mover, faults=shifted, refuses=refuses, writes=writes)
            try:
                stop = drive.run()
            except Crashed:
                left = {n: f for n, f in left.items() if n > len(steps) + len(drive.steps)}
                steps += drive.steps
                mover = self.mover(f"m-{len(steps) + 2}")
                continue
            steps += drive.steps
            self.check_now()
            if until(stop):
                return steps
            assert stop.at_ms is not None
            self.bench.clock.time_ms = max(self.bench.clock.time_ms, stop.at_ms)
        raise AssertionError(f"not settled: {stop}, {self.bench.tenant()}")

    def member(self, operation: str = "op-1") -> Member:
        """Return the tenant's part in an operation."""
        [found] = self.bench.registry.get([Key(kind="member", key=f"{operation}/T-1")])
        assert found is not None
        return read(Member, found)

    def rows(self) -> list[str]:
        """Return the rows that were performed, in order."""
        return [performed.row for performed in self.performed]

    def check_now(self, *, forced: bool = False) -> None:
        """Assert what holds at every moment: one writer, epochs that only grow, no write lost."""
        tenant = self.bench.tenant()
        assert not self.epochs or tenant.epoch >= self.epochs[-1], "the registry's epoch went back"
        self.epochs.append(tenant.epoch)
        for stripe in range(tenant.stripes):
            actives = self.bench.actives(stripe=stripe)
            assert forced or len(actives) <= 1, f"two homes: {actives}"

    def check_end(
        self, home: str = "", *, orphans: Iterable[str] = (), remains: bool = False
    ) -> None:
        """Assert what holds at rest: `home` serves, holds every write once, and all else follows.

        With `remains` a cell that the record does not name may hold a standby.
        """
        home = home or self.bench.tenant().home
        bench, tenant = self.bench, self.bench.tenant()
        assert (tenant.home, tenant.state, tenant.settled) == (home, State.ACTIVE, True)
        assert tenant.move is None
        for _ in range(3):
            assert self.write() == "acked", "the tenant is not writable"
        assert not self.client.doubtful
        assert all(bench.actives(stripe=n) == [home] for n in range(tenant.stripes))
        commands = [entry.command_id for entry in bench.cells[home].entries("T-1")]
        assert len(commands) == len(set(commands)), "a command took effect twice"
        assert set(self.client.acked) - set(orphans) <= set(commands), (
            "an acknowledged write is lost"
        )
        assert bench.cells[home].problems("T-1") == []
        self._check_followers(tenant, remains=remains)
        self._check_usages(tenant)

    def _check_followers(self, tenant: Tenant, *, remains: bool) -> None:
        home = self.bench.cells[tenant.home]
        leaving = tenant.leaving.cell if tenant.leaving else ""
        for cell in self.bench.cells.values():
            fences = cell.fences("T-1")
            if cell is home or not fences:
                continue
            assert {fence.role for fence in fences} == {Role.STANDBY}
            if cell.id not in (tenant.standby, leaving):
                assert remains, f"remains in {cell.id}"
                continue
            assert cell.problems("T-1") == []
            for stripe, fence in enumerate(fences):
                log = home.documents("T-1", stripe, LOG)
                at = read_entry(log[fence.seq - 1].body).chain if fence.seq else fence.chain
                assert at == fence.chain, f"{cell.id} is no prefix of its home"
                commands = home.documents("T-1", stripe, IDEMPOTENCY)
                held = cell.documents("T-1", stripe, IDEMPOTENCY)
                assert len(held) == fence.seq <= len(commands)

    def _check_usages(self, tenant: Tenant) -> None:
        wanted = recount([tenant])
        found = {record.key: read(Usage, record) for record in self._records("usage")}
        kept = {cell: usage for cell, usage in found.items() if usage.homes or usage.standbys}
        assert kept == wanted

    def _records(self, kind: str) -> list[Any]:
        return self.bench.registry.list(kind, limit=1000)


def level(scene: Scene) -> None:
    """Bring the standby level with its home, as a replicator does."""
    stripes = scene.bench.tenant().stripes
    flows = [
        catch_up("T-1", ALPHA, BETA, stripe, 17, 0, budget_entries=1000)
        for stripe in range(stripes)
    ]
    run(scene.bench, abreast(flows))


def contents(scene: Scene, cell: str) -> list[tuple[str, int, str]]:
    """Return all documents of a cell but orphans, in comparable form."""
    found = scene.bench.cells[cell]
    return [
        (document.key, document.version, document.body)
        for stripe in range(len(found.fences("T-1")))
        for prefix in (ENTITY, IDEMPOTENCY, LOG)
        for document in found.documents("T-1", stripe, prefix)
    ]


def orphans_in(scene: Scene, cell: str) -> list[str]:
    """Return the command ids of the orphans that a cell keeps."""
    found = scene.bench.cells[cell]
    return [
        document.body.partition('"command_id":"')[2].partition('"')[0]
        for stripe in range(len(found.fences("T-1")))
        for document in found.documents("T-1", stripe, ORPHAN)
    ]
