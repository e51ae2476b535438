"""The rounds: every peer is asked in turn, again and again, so that all share the same minutes."""

from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from tests.bench.router.check import Check, DoesNotDoTheWork
from tests.bench.router.jobs import Job
from tests.bench.router.load import Answered, Load
from tests.bench.router.material import Material
from tests.bench.router.peers.peer import Missing, Peer, Setup
from tests.bench.router.process import DidNotStart, Running, free_port
from tests.bench.router.upstream import Upstream

DIRECT: Final = "no router"


@dataclass(frozen=True, slots=True, kw_only=True)
class Sample:
    """One peer in one round.

    Attributes:
        cpu_s: Of all the peer's processes.
        connections: Opened to the cells meanwhile.
        alone_p50_us: Half of the answers came within this at one connection.
    """

    answered: Answered
    cpu_s: float
    connections: int
    alone_p50_us: int

    @property
    def cpu_us(self) -> float:
        """CPU microseconds for each request that was served."""
        return self.cpu_s * 1e6 / max(self.answered.served, 1)


@dataclass(slots=True)
class Measured:
    """All rounds of one peer in one job.

    Attributes:
        memory_bytes: After the last round.
        failure: Why there are no samples: it is missing, did not start, or does not do the work.
    """

    peer: str
    note: str
    samples: list[Sample] = field(default_factory=list)
    memory_bytes: int = 0
    failure: str | None = None
    broke: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """How much is measured, and on which cores (as taskset names them; None is any).

    Attributes:
        long_seconds: Of a round in which grants have to grow old.
        alone_seconds: Of the part of a round with one connection.
    """

    rounds: int
    seconds: int
    long_seconds: int
    alone_seconds: int
    connections: int
    peer_cores: str | None
    other_cores: str | None

    def seconds_of(self, job: Job) -> int:
        """Return how long a round lasts."""
        return self.long_seconds if job.whole_life else self.seconds


@dataclass(frozen=True, slots=True)
class Bench:
    """One run over the same cells."""

    plan: Plan
    material: Material
    upstream: Upstream
    folder: Path
    advance: Callable[[str], None]

    def measure(self, job: Job, peers: list[Peer]) -> list[Measured]:
        """Return what `peers` did in `job`, in their order; the bare cells come last."""
        with ExitStack() as stack:
            found = {peer: Measured(peer.name, peer.notes.get(job.work, "")) for peer in peers}
            sides = self._start(job, found, stack)
            direct = Measured(DIRECT, "")
            for number in range(self.plan.rounds):
                for peer, side in sides.items():
                    self.advance(f"{job.name}, round {number + 1}: {peer.name}")
                    found[peer].samples.append(side.sample(self.plan, number))
                direct.samples.append(self._direct(job).sample(self.plan, number))
            for peer, side in sides.items():
                found[peer].memory_bytes = side.memory_bytes()
        return [*found.values(), direct]

    def _start(
        self, job: Job, found: Mapping[Peer, Measured], stack: ExitStack
    ) -> "dict[Peer, Side]":
        sides = {}
        for peer, measured in found.items():
            self.advance(f"{job.name}, start: {peer.name}")
            try:
                peer.version()
                sides[peer] = stack.enter_context(self.started(job, peer))
            except Missing as error:
                measured.failure = f"not here: {error}"
            except (DidNotStart, DoesNotDoTheWork) as error:
                measured.failure, measured.broke = str(error), True
        return sides

    @contextmanager
    def started(self, job: Job, peer: Peer) -> "Iterator[Side]":
        """Start one peer, see that it does the work, and warm it.

        Raises:
            DidNotStart: It does not.
            DoesNotDoTheWork: It let something pass, or sent somebody elsewhere.
        """
        port = free_port()
        name = "".join(c if c.isalnum() else "-" for c in peer.name)
        folder = self.folder / f"{job.name}-{name}"
        folder.mkdir()
        setup = Setup(
            job=job,
            port=port,
            folder=folder,
            cells=self.upstream.ports_for(tls=job.tls),
            material=self.material,
        )
        with peer.start(setup, self.plan.peer_cores) as running:
            Check(peer, job, port, self.material, self.upstream).run()
            side = Side(job, self._load(job, peer.algorithm, port), running, self.upstream)
            side.warm(self.plan)
            yield side

    def _direct(self, job: Job) -> "Side":
        port = next(iter(self.upstream.ports_for(tls=job.tls).values()))
        return Side(job, self._load(job, "RS256", port), None, self.upstream)

    def _load(self, job: Job, algorithm: str, port: int) -> Load:
        requests = self.material.requests(job, algorithm)
        return Load(port=port, requests=requests, tls=job.tls, cores=self.plan.other_cores)


@dataclass(frozen=True, slots=True)
class Side:
    """A running peer and the load on it; without a peer, the bare cell."""

    job: Job
    load: Load
    running: Running | None
    upstream: Upstream

    def pids(self) -> list[int]:
        """Return the peer's processes."""
        return self.running.pids() if self.running else []

    def warm(self, plan: Plan) -> None:
        """Let caches fill and code be compiled."""
        self._run(plan, 0)

    def _run(self, plan: Plan, first: int) -> Answered:
        seconds = plan.seconds_of(self.job)
        return self.load.run(connections=plan.connections, seconds=seconds, first=first)

    def sample(self, plan: Plan, number: int) -> Sample:
        """Return the figures of one round; it begins where the last one did not."""
        first = number * 7_919
        accepted, _ = self.upstream.counts()
        cpu_s = self._cpu_s()
        answered = self._run(plan, first)
        cpu_s = self._cpu_s() - cpu_s
        accepted = self.upstream.counts()[0] - accepted
        alone = self.load.run(connections=1, seconds=plan.alone_seconds, first=first)
        return Sample(
            answered=answered, cpu_s=cpu_s, connections=accepted, alone_p50_us=alone.p50_us
        )

    def memory_bytes(self) -> int:
        """Return the peer's memory."""
        return self.running.pss_bytes() if self.running else 0

    def _cpu_s(self) -> float:
        return self.running.cpu_s() if self.running else 0.0
