"""The loops of a process: they move, replicate, carry operations out, probe and publish.

Each goes on whatever happens in it; together they stop in order. Refuses to answer anybody.
"""

from collections.abc import Iterable
from typing import Final

from cell_control.domain.following import Following
from cell_control.domain.pace import Limits
from cell_control.flows.run import Performed
from cell_control.ports import Record
from cell_control.server.campaigns import campaign_job
from cell_control.server.cutovers import Cutovers
from cell_control.server.ended_members import EndedMembers
from cell_control.server.followers import Followers
from cell_control.server.given import Given
from cell_control.server.loops import LoopSet
from cell_control.server.movers import Stops, movers_of
from cell_control.server.open_records import Listeners, OpenRecords
from cell_control.server.probes import THREADS_MAX, Probes
from cell_control.server.publishers import Publisher, Sources
from cell_control.server.reach import Reach
from cell_control.server.recoveries import Recoveries
from cell_control.server.rounds import Job, Rounds
from cell_control.server.tidying import tidying_job
from cell_control.service.cells import Cells

FOLLOWERS_CALM: Final = 2
"""Visits at a time while a tenant of this process is frozen."""


class Work:
    """All loops; `start` and `stop` are for the event loop."""

    def __init__(self, given: Given, reach: Reach) -> None:
        """Run nothing yet."""
        self._given = given
        self._reach = reach
        machine, loops = given.machine, given.loops
        limits = Limits(keep_ms=round(loops.keep_s * 1000))
        self.recoveries = Recoveries(
            reach.runtime,
            machine.log,
            now_ms=machine.now_ms,
            name=machine.process,
            steps=loops.run,
            limits=limits,
        )
        self.probes = Probes(reach.link, given.grants, machine, contract=given.contract)
        self.stops, self.cutovers = Stops(), Cutovers(machine.now_ms)
        self._make_mover = given.make_mover or movers_of(
            machine, self._stepped, self.stops.note, limits
        )
        self.movers = self._rounds("movers", self._move, loops.movers_max)
        self.campaigns = self._rounds("campaigns", self._campaign_job(), loops.campaigns_max)
        probe = self.probes.job(Cells(reach.desk), reach.threads, loops.probe_s)
        self.probing = self._rounds("probes", probe, THREADS_MAX)
        tidy = tidying_job(reach.runtime, machine.log, machine.now_ms, loops.tidy_s)
        self.tidying = self._rounds("tidying", tidy, 1)
        self.followers = Followers(
            Following(
                sweep_every_ms=round(loops.sweep_s * 1000), share=loops.share, shares=loops.shares
            ),
            reach.threads,
            reach.runtime,
            machine.log,
            # All loops share one thread: a freeze must not wait for visits of tenants at rest.
            parallel_max=lambda: FOLLOWERS_CALM if self.cutovers.running else loops.followers_max,
            now_ms=machine.now_ms,
            on_visit=reach.figures.visit,
        )
        self._ended = EndedMembers(reach.figures)
        self.targets: dict[str, str] = {}
        """What the last publication to each target came to: `ok`, or a code."""

        self._loops = LoopSet(machine.log, reach.figures.loop_error)

    def start(self) -> None:
        """Begin; a process whose `loops.run` is false only looks whether a recovery runs."""
        self._loops.start("recoveries", self.recoveries.run)
        if not self._given.loops.run:
            return
        for name, rounds in self._all_rounds():
            self._loops.start(name, rounds.run)
        self._loops.start("followers", self.followers.run)
        self._loops.start("open_records", self._open_records().run)
        for publisher in self._publishers():
            self._loops.start("publisher", publisher.run)

    async def stop(self, grace_s: float) -> None:
        """Give a cut-over that is under way `grace_s` to end, and drop everything else."""
        await self.movers.stop(grace_s)
        for _name, rounds in self._all_rounds():
            await rounds.stop(0.0)
        await self.followers.stop()
        await self._loops.stop()
        await self.probes.close()

    def ring(self, tenants: Iterable[str]) -> int:
        """Have the followers of `tenants` looked after next; return how many there were."""
        return self.followers.ring(tenants)

    def _stepped(self, step: Performed) -> None:
        self._reach.figures.step(step)
        self.cutovers.note(step)

    async def _move(self, tenant: str) -> int | None:
        return await self._reach.runtime.run(self._make_mover(tenant))

    def _campaign_job(self) -> Job:
        return campaign_job(self._reach.runtime, self._reach.desk.facts, self.movers.wake)

    def _all_rounds(self) -> tuple[tuple[str, Rounds], ...]:
        return (
            ("movers", self.movers),
            ("campaigns", self.campaigns),
            ("probes", self.probing),
            ("tidying", self.tidying),
        )

    def _rounds(self, name: str, job: Job, parallel_max: int) -> Rounds:
        machine = self._given.machine
        return Rounds(
            name,
            job,
            parallel_max=parallel_max,
            log=machine.log,
            draw=machine.generator.random,
            on_error=self._reach.figures.loop_error,
        )

    def _open_records(self) -> OpenRecords:
        return OpenRecords(
            self._reach.threads,
            self._reach.watcher,
            Listeners(
                open={"tenant": self.movers, "operation": self.campaigns},
                changed={"member": self._member_changed, "cell": self._cell_changed},
                every={"cell": self.probing},
            ),
            self._given.machine.log,
            sweep_s=self._given.loops.sweep_s,
        )

    def _member_changed(self, record: Record) -> None:
        self.campaigns.wake(record.key.partition("/")[0])
        self._ended.note(record)

    def _cell_changed(self, record: Record) -> None:
        self._reach.addresses.forget()
        self.probing.wake(record.key, self._given.loops.probe_s)
        self.tidying.wake(record.key, self._given.loops.tidy_s)

    def _published(self, target: str, result: str) -> None:
        self._reach.figures.publication(target, result)
        self.targets[target] = result

    def _publishers(self) -> Iterable[Publisher]:
        reach, machine = self._reach, self._given.machine
        sources = Sources(
            threads=reach.threads,
            watcher=reach.watcher,
            snapshots=reach.snapshots,
            signer=self._given.signer,
            now_ms=machine.now_ms,
        )
        for settings, target in self._given.targets:
            yield Publisher(
                settings.name,
                target,
                sources,
                machine.log,
                every_s=settings.every_s,
                snapshot_s=settings.snapshot_s,
                on_result=self._published,
            )
