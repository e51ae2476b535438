"""`make bench-router`: what a routed request costs in CPU and time, beside the peers, in one run.

Peers run in alternating rounds over the same cells; medians and ratios are printed and written to
build/bench. Machines differ and are shared: the ratios are the result.
"""

import argparse
import os
import signal
import sys
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final, Never

from rich.console import Console
from rich.progress import Progress

from tests.bench.router.figures import figures_of
from tests.bench.router.jobs import GRANT_KEPT_S, JOBS, Job
from tests.bench.router.keys import Keys
from tests.bench.router.machine import Machine
from tests.bench.router.material import Material
from tests.bench.router.measure import Bench, Plan
from tests.bench.router.peers.every import UNIT, every_peer
from tests.bench.router.peers.peer import Missing, Peer
from tests.bench.router.process import found
from tests.bench.router.profile import watch
from tests.bench.router.report import JobReport, Report
from tests.bench.router.upstream import Upstream

ROOT: Final = Path(__file__).parents[3]
BUILD: Final = ROOT / "build" / "bench"
_HOW: Final = "Debian: apt-get install nginx-light wrk util-linux"


def main() -> int:
    """Measure, print and write; return 0 unless a peer did not do the work."""
    options = _options()
    console = Console(highlight=False, soft_wrap=True)
    needed = [name for name in ("nginx", "wrk", "taskset", "setpriv") if not found(name)]
    if needed:
        console.print(f"Not here: {', '.join(needed)}. {_HOW}")
        return 2
    signal.signal(signal.SIGTERM, _leave)
    try:
        return _run(options, console)
    except KeyboardInterrupt:
        return 130


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--seconds", type=int, default=4, help="of each round")
    parser.add_argument("--connections", type=int, default=32)
    parser.add_argument("--jobs", default=",".join(job.name for job in JOBS))
    parser.add_argument("--peers", default="", help="short names; the unit is always among them")
    parser.add_argument("--quick", action="store_true", help="2 rounds of 1 s")
    parser.add_argument("--pin", action="store_true", help="peers on one core, the rest elsewhere")
    parser.add_argument("--profile", action="store_true", help="one peer alone: --peers, or ours")
    parser.add_argument("--uv", default="uv", help="the installer's path")
    return parser.parse_args()


def _run(options: argparse.Namespace, console: Console) -> int:
    peers = _chosen(every_peer(BUILD, options.uv), options)
    jobs = [job for job in JOBS if job.name in options.jobs.split(",")]
    plan = _plan(options)
    keys = Keys.in_folder(BUILD / "router-keys")
    material = Material(BUILD / "router-data", keys)
    with (
        tempfile.TemporaryDirectory(prefix="bench-router-") as folder,
        _upstream(Path(folder), keys, plan.other_cores) as upstream,
    ):
        if options.profile:
            bench = Bench(plan, material, upstream, Path(folder), lambda _told: None)
            watch(bench, jobs[0], peers[-1], console.print)
            return 0
        steps = sum((plan.rounds + 1) * peer.takes(job) for job in jobs for peer in peers)
        with _progress(console, steps) as advance:
            bench = Bench(plan, material, upstream, Path(folder), advance)
            reports = [_job_report(bench, job, peers) for job in jobs]
    return _tell(
        Report(machine=Machine.here(), versions=_versions(peers), plan=plan, jobs=reports), console
    )


def _chosen(peers: dict[str, Peer], options: argparse.Namespace) -> list[Peer]:
    names = options.peers.split(",") if options.peers else list(peers)
    if options.profile and not options.peers:
        names = ["ours"]
    unknown = set(names) - peers.keys()
    if unknown:
        sys.exit(f"no such peer: {', '.join(sorted(unknown))}; there are {', '.join(peers)}")
    return [peer for name, peer in peers.items() if name in {"nginx", *names}]


def _plan(options: argparse.Namespace) -> Plan:
    cores = sorted(os.sched_getaffinity(0))
    pinned = len(cores) > 1 and options.pin
    return Plan(
        rounds=2 if options.quick else options.rounds,
        seconds=1 if options.quick else options.seconds,
        long_seconds=4 if options.quick else max(options.seconds, GRANT_KEPT_S),
        alone_seconds=1,
        connections=options.connections,
        peer_cores=str(cores[0]) if pinned else None,
        other_cores=",".join(map(str, cores[1:])) if pinned else None,
    )


@contextmanager
def _upstream(folder: Path, keys: Keys, cores: str | None) -> Iterator[Upstream]:
    (folder / "cells").mkdir()
    upstream = Upstream(folder / "cells", keys, cores)
    try:
        yield upstream
    finally:
        upstream.close()


@contextmanager
def _progress(console: Console, steps: int) -> Iterator[Callable[[str], None]]:
    with Progress(console=console, transient=True) as progress:
        task = progress.add_task("start", total=steps)

        def advance(what: str) -> None:
            progress.update(task, advance=1, description=what)

        yield advance


def _job_report(bench: Bench, job: Job, peers: list[Peer]) -> JobReport:
    measured = bench.measure(job, [peer for peer in peers if peer.takes(job)])
    return JobReport(
        job=job,
        figures=figures_of(measured, UNIT),
        absent=[one for one in measured if one.failure],
    )


def _versions(peers: list[Peer]) -> dict[str, str]:
    versions = {}
    for peer in peers:
        try:
            versions[peer.name] = peer.version()
        except Missing:
            versions[peer.name] = "not here"
    return versions


def _tell(report: Report, console: Console) -> int:
    console.print(report.markdown(), markup=False)
    for path in report.write(BUILD):
        console.print(f"written: {path.relative_to(ROOT)}")
    return int(any(one.broke for job in report.jobs for one in job.absent))


def _leave(*_signal: object) -> Never:
    """End as Ctrl-C does, so that every program started here is ended."""
    raise KeyboardInterrupt


if __name__ == "__main__":
    sys.exit(main())
