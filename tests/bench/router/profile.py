"""`--profile`: this router alone under a steady load, for whoever looks at it with a profiler."""

from collections.abc import Callable

from tests.bench.router.jobs import Job
from tests.bench.router.measure import Bench
from tests.bench.router.peers.peer import Peer


def watch(bench: Bench, job: Job, peer: Peer, tell: Callable[[str], None]) -> None:
    """Measure `peer` in `job`, and tell each round as it ends and which processes to look at."""
    with bench.started(job, peer) as side:
        tell(f"{peer.name}, {job.name}: processes {' '.join(map(str, side.pids()))}")
        for number in range(bench.plan.rounds):
            sample = side.sample(bench.plan, number)
            tell(
                f"round {number + 1}: {sample.cpu_us:.1f} us CPU a request, "
                f"{sample.answered.served * 1e6 / sample.answered.wall_us:,.0f} requests/s, "
                f"p99 {sample.answered.p99_us} us, {sample.answered.refused} refused, "
                f"{side.memory_bytes() / 1e6:.0f} MB"
            )
