"""`python -m tests.bench.moving`: live moves between the clouds of the local world, measured.

A small and a large tenant move there and back, in turn, under a steady load through the edge.
Prints how long writes stopped (at the client: from the last answer of one cloud to the first of the
other), how fast a standby was made beside what the stand-in itself bears, and whether anything was
lost. Machines differ and are shared: ratios are the result. Exit code 0 only if nothing was lost.
"""

import argparse
import platform
import statistics
import sys
import tempfile
import time
from collections import Counter
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.progress import Progress

from cell_devstack.audit import audit
from cell_devstack.edge_client import EdgeClient
from cell_devstack.local_control import ControlSettings
from cell_devstack.traffic import Books
from cell_devstack.world import AWS, AZURE, World, Zips
from tests.bench.moving.filling import Filler
from tests.bench.moving.stand_ins import documents_per_s
from tests.bench.moving.steady import Steady
from tools.local_zips import local_zips

MOVE_TIMEOUT_S = 600.0


@dataclass(slots=True)
class Subject:
    """A tenant that moves, and what its moves came to."""

    tenant: str
    accounts: int
    events: int
    stopped_ms: list[float] = field(default_factory=list)
    freeze_ms: list[float] = field(default_factory=list)
    tails: list[int] = field(default_factory=list)
    rollbacks: int = 0
    failed: Counter[str] = field(default_factory=Counter)
    acknowledged: list[str] = field(default_factory=list)
    copy_s: float = 0.0
    entries: int = 0
    longest_s: float = 0.0


def main() -> int:
    """Run the benchmark; return the exit code."""
    options = _options()
    console = Console(width=100)
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="moving-")))
        world = stack.enter_context(
            World(Zips(**local_zips()), folder=folder, control=ControlSettings())
        )
        progress = stack.enter_context(Progress(console=console))
        subjects = [
            Subject("T-small", 100, options.small),
            Subject("T-large", min(options.accounts, options.large // 2), options.large),
        ]
        limits = {cell: documents_per_s(world, cell) for cell in (AWS, AZURE)}
        copies = _prepare(world, subjects, progress)
        _move_all(world, subjects, options, progress)
        problems = [line for subject in subjects for line in _prove(world, subject)]
    _print(console, subjects, copies, limits)
    for problem in problems:
        console.print(f"FAILED: {problem}")
    failed = sum((subject.failed for subject in subjects), Counter[str]())
    told = "".join(f"; {count} x {code}" for code, count in failed.items())
    console.print(f"failed client requests: {failed.total()}{told}; problems: {len(problems)}")
    return 1 if problems or failed else 0


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="make bench-moving", description=__doc__)
    parser.add_argument("--moves", type=int, default=50, help="of each tenant, there and back")
    parser.add_argument("--small", type=int, default=1000, help="events of the small tenant")
    parser.add_argument("--large", type=int, default=50_000, help="events of the large one")
    parser.add_argument("--accounts", type=int, default=10_000, help="entities of the large one")
    parser.add_argument("--clients", type=int, default=2)
    parser.add_argument("--pause-ms", type=float, default=20.0, help="of each client, a write")
    parser.add_argument("--quick", action="store_true", help="a small run")
    options = parser.parse_args()
    if options.quick:
        options.moves, options.small, options.large, options.accounts = 6, 300, 2000, 500
    return options


def _prepare(
    world: World, subjects: list[Subject], progress: Progress
) -> dict[str, tuple[float, float]]:
    """Fill the tenants and give each a standby; return events/s and documents/s of the copies."""
    filler = Filler(world.router.url, world.router.api_key, progress)
    control, rates = world.control, {}
    for subject, home in ((subjects[0], AWS), (subjects[1], AWS)):
        body = {"id": subject.tenant, "home": home, "standby": False}
        control.ask("POST", "/tenants", body)
        control.settle([subject.tenant])
        filler.fill(subject.tenant, accounts=subject.accounts, events=subject.events)
        began = time.monotonic()
        _standby(world, subject.tenant, f"standby-{subject.tenant}", AZURE)
        subject.copy_s = time.monotonic() - began
        subject.entries = _seq(world, subject.tenant)
        documents = 2 * subject.entries + subject.accounts
        rates[f"{subject.tenant} to {AZURE}"] = (
            subject.events / subject.copy_s,
            documents / subject.copy_s,
        )
    rates |= _copy_back(world, filler, subjects[1])
    return rates


def _copy_back(world: World, filler: Filler, like: Subject) -> dict[str, tuple[float, float]]:
    """Copy a tenant as large as `like` the other way, too."""
    tenant = "T-other"
    world.control.ask("POST", "/tenants", {"id": tenant, "home": AZURE, "standby": False})
    world.control.settle([tenant])
    filler.fill(tenant, accounts=like.accounts, events=like.events)
    began = time.monotonic()
    _standby(world, tenant, f"standby-{tenant}", AWS)
    took_s = time.monotonic() - began
    documents = 2 * _seq(world, tenant) + like.accounts
    return {f"{tenant} to {AWS}": (like.events / took_s, documents / took_s)}


def _standby(world: World, tenant: str, operation: str, dest: str) -> None:
    body = {"id": operation, "kind": "standby", "tenants": [tenant], "dest": dest}
    world.control.ask("POST", "/operations", body)
    done = world.control.operation(operation, patience_s=MOVE_TIMEOUT_S)
    if done["failed"]:
        raise SystemExit(f"{tenant} got no standby: {world.control.members(operation)}")


def _seq(world: World, tenant: str) -> int:
    client = world.cells[world.control.tenant(tenant)["home"]].client
    client.close()  # A host ends a connection that was idle as long as a copy takes.
    fences: list[dict[str, Any]] = client.control("GET", f"/{tenant}")["fences"]
    return sum(int(fence["seq"]) for fence in fences)


def _move_all(
    world: World, subjects: list[Subject], options: argparse.Namespace, progress: Progress
) -> None:
    client = EdgeClient(world.router.url, world.router.api_key)
    with ExitStack() as stack:
        loads = [
            stack.enter_context(
                Steady(
                    client,
                    subject.tenant,
                    clients=options.clients,
                    pause_s=options.pause_ms / 1000,
                    mark="load",
                )
            )
            for subject in subjects
        ]
        task = progress.add_task("moving", total=options.moves * len(subjects))
        for number in range(options.moves):
            for subject, load in zip(subjects, loads, strict=True):
                _move(world, subject, load, number)
                progress.advance(task)
    for subject, load in zip(subjects, loads, strict=True):
        subject.failed = load.failed
        subject.acknowledged = load.ids
        subject.longest_s = load.longest_s


def _move(world: World, subject: Subject, load: Steady, number: int) -> None:
    control, before = world.control, load.count()
    dest = control.tenant(subject.tenant)["standby"]
    operation = f"move-{subject.tenant}-{number}"
    _await(load, before + 3)
    control.move(operation, [subject.tenant], dest)
    done = control.operation(operation, patience_s=MOVE_TIMEOUT_S)
    control.settle([subject.tenant])
    [member] = control.members(operation)
    if done["failed"]:
        raise SystemExit(f"{subject.tenant} did not move: {member['note']}")
    _await(load, load.count() + 3)
    subject.stopped_ms.append(load.stopped_ms(before))
    subject.freeze_ms.append(member["freeze_ms"])
    subject.tails.append(member["tail"])
    subject.rollbacks += member["rollbacks"]


def _await(load: Steady, count: int) -> None:
    deadline = time.monotonic() + 20.0
    while load.count() < count:
        if time.monotonic() > deadline:
            raise SystemExit("the load does not get through")
        time.sleep(0.005)


def _prove(world: World, subject: Subject) -> list[str]:
    """Return what is wrong with a tenant after its moves; nothing is proof."""
    record = world.control.tenant(subject.tenant)
    home = world.cells[record["home"]]
    books = Books()
    books.acknowledged.update(subject.acknowledged)
    books.failed.update({"what filled it": 1})  # Its ids are in the log and in no book.
    home.client.close()
    found = audit(home.client, subject.tenant, record["epoch"], books)
    report = world.control.verify(subject.tenant, patience_s=MOVE_TIMEOUT_S)["report"] or {}
    problems = [f"{subject.tenant}: {problem}" for problem in found.problems]
    if report.get("verdict") != "equal":
        problems.append(f"{subject.tenant}: {report.get('proof')} {report.get('findings')}")
    return problems


def _print(
    console: Console,
    subjects: list[Subject],
    copies: dict[str, tuple[float, float]],
    limits: dict[str, float],
) -> None:
    machine = f"{platform.machine()}, {platform.system()} {platform.release()}"
    console.print(f"Python {platform.python_version()} on {machine}\n")
    console.print("| tenant | events | entities | moves | writes stopped p50 / p99 ms | frozen p50")
    console.print("| --- | --- | --- | --- | --- | ---")
    for one in subjects:
        console.print(
            f"| {one.tenant} | {one.events:,} | {one.accounts:,} | {len(one.stopped_ms)}"
            f" | {_p(one.stopped_ms, 50):.0f} / {_p(one.stopped_ms, 99):.0f}"
            f" | {_p(one.freeze_ms, 50):.0f} / {_p(one.freeze_ms, 99):.0f} ms;"
            f" tail p50 {_p([float(t) for t in one.tails], 50):.0f};"
            f" rolled back {one.rollbacks}; longest request {one.longest_s * 1000:.0f} ms;"
            f" acknowledged {len(one.acknowledged)}",
            soft_wrap=True,
        )
    small, large = (statistics.median(one.stopped_ms) for one in subjects)
    console.print(f"\nlarge to small: {large / small:.2f}\n")
    console.print("| copy | events/s | documents/s | the stand-in's own documents/s | share |")
    console.print("| --- | --- | --- | --- | --- |")
    for name, (events, documents) in copies.items():
        bound = limits[name.rpartition(" ")[2]]
        console.print(
            f"| {name} | {events:.0f} | {documents:.0f} | {bound:.0f} | {documents / bound:.2f} |"
        )


def _p(values: list[float], percent: int) -> float:
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, len(ordered) * percent // 100)]


if __name__ == "__main__":
    sys.exit(main())
