"""`python -m tests.bench.hot_stripe`: a tenant that everybody writes to, with and without bundles.

Clients write to one stripe through two routers before the same two cells: one coalesces, one does
not. Rounds alternate; medians and ratios are printed as Markdown. Machines differ and are shared:
the ratios are the result.

How it counts: a proxy between each cell and its database sees every atomic write. One that the
database refused because another writer was first is a lost race, which the cell repeats by itself;
`contention` is what remains of them for the client: answers 409 that it had to send again.
"""

import argparse
import platform
import statistics
import sys
import tempfile
import threading
import time
from collections import defaultdict
from collections.abc import Callable, Mapping
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

from rich.console import Console

from cell_devstack.edge_client import EdgeClient
from cell_devstack.fault_proxy import Watcher
from cell_devstack.http_framing import Message
from cell_devstack.local_router import LocalRouter, RouterSettings
from cell_devstack.traffic import Books, Traffic
from cell_devstack.world import AWS, AZURE, LocalCell, World, Zips
from tools.local_zips import local_zips

TENANTS = {AWS: "T-hot-aws", AZURE: "T-hot-azure"}
MODES = ("coalesced", "alone")
TARGET = 3.0
# Nobody is refused for want of a place: what is compared is what becomes of those who are let in.
_LIMITS = {"tenant_in_flight_max": 64, "queue_ms": 5000, "total_ms": 10_000}


class Writes(Watcher):
    """Counts a database's atomic writes, and those that it refused."""

    def __init__(self, cell: str) -> None:
        self._is_write = {
            AWS: lambda m: b"TransactWriteItems" in m.head,
            AZURE: lambda m: b"x-ms-cosmos-is-batch-request" in m.head.lower(),
        }[cell]
        # A failed batch of Cosmos DB is a 207; DynamoDB cancels a transaction with 400.
        self._lost = {AWS: b"400", AZURE: b"207"}[cell]
        self._lock = threading.Lock()
        self.done = self.lost = 0

    def answered(self, request: Message, reply: Message) -> None:
        if self._is_write(request):
            status = reply.head[9:12]
            with self._lock:
                self.done += status == b"200"
                self.lost += status == self._lost


@dataclass(frozen=True, slots=True, kw_only=True)
class Round:
    """What one round came to; rates are per second."""

    commands: float
    commits: float
    lost: float
    contention: float
    p50_ms: float
    p99_ms: float

    @property
    def lost_per_commit(self) -> float:
        """Refused writes for each that was done."""
        return self.lost / self.commits if self.commits else 0.0


class Bench:
    """Both routers before one world."""

    def __init__(self, world: World, alone: LocalRouter, options: argparse.Namespace) -> None:
        self._routers = {"coalesced": world.router, "alone": alone}
        self._options = options
        self._seed = 0

    def round(self, cell: LocalCell, mode: str, seconds: float) -> Round:
        """Write to the cell's tenant for some seconds."""
        self._seed += 1
        router = self._routers[mode]
        client = EdgeClient(router.url, router.api_key)
        traffic = Traffic(client, TENANTS[cell.id], threads=self._options.clients, seed=self._seed)
        traffic.prepare()
        client.close()
        opened = traffic.books.commands
        cell.link.watch(writes := Writes(cell.id))
        began = time.monotonic()
        traffic.start()
        time.sleep(seconds)
        traffic.stop()
        elapsed = time.monotonic() - began
        return _round(traffic.books, opened, writes, elapsed)


def _round(books: Books, opened: int, writes: Writes, elapsed: float) -> Round:
    if books.failed:
        raise SystemExit(f"commands failed: {dict(books.failed)}")
    unexpected = books.retried.keys() - {"contention"}
    if unexpected:
        print(f"also sent again: { ({k: books.retried[k] for k in unexpected}) }", file=sys.stderr)  # noqa: T201 - a bench
    return Round(
        commands=(books.commands - opened) / elapsed,
        commits=writes.done / elapsed,
        lost=writes.lost / elapsed,
        contention=books.retried["contention"] / elapsed,
        p50_ms=books.percentile_ms(0.5),
        p99_ms=books.percentile_ms(0.99),
    )


def _second_router(world: World, stack: ExitStack, options: argparse.Namespace) -> LocalRouter:
    """Start the second router, which does not coalesce, over the same cells and tenants."""
    folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="alone-")))
    settings = RouterSettings(workers=options.workers, limits={**_LIMITS, "coalesce": False})
    alone = LocalRouter(folder, world.keys.edge_jwk, settings)
    tenants = list(world.registry.tenants.values())
    alone.publish([cell.record for cell in world.cells.values()], tenants)
    return stack.enter_context(alone)


def main() -> None:
    """Run the rounds and print the table."""
    options = _options()
    rounds: dict[tuple[str, str], list[Round]] = defaultdict(list)
    settings = RouterSettings(workers=options.workers, limits={**_LIMITS, "coalesce": True})
    with ExitStack() as stack:
        world = stack.enter_context(
            World(Zips(**local_zips()), instances=options.instances, router=settings)
        )
        for home, tenant in TENANTS.items():
            world.provision(tenant, home)
        world.registry.settle()
        bench = Bench(world, _second_router(world, stack, options), options)
        status = stack.enter_context(Console(stderr=True).status("warming up"))
        for cell in world.cells.values():
            for mode in MODES:
                bench.round(cell, mode, 1.0)
        for number in range(options.rounds):
            for home, cell in world.cells.items():
                for mode in MODES[:: 1 if number % 2 == 0 else -1]:
                    status.update(f"round {number + 1} of {options.rounds}: {home}, {mode}")
                    rounds[home, mode].append(bench.round(cell, mode, options.seconds))
    print(_table(rounds, options))  # noqa: T201 - a program's output


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="hot_stripe", description=__doc__)
    parser.add_argument("--clients", type=int, default=64)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--seconds", type=float, default=5.0, help="of a round")
    parser.add_argument("--instances", type=int, default=4, help="of the Lambda function")
    parser.add_argument("--workers", type=int, default=1, help="of each router; each bundles alone")
    return parser.parse_args()


_COLUMNS: Mapping[str, Callable[[Round], float]] = {
    "committed commands/s": lambda r: r.commands,
    "commits/s": lambda r: r.commits,
    "commands a commit": lambda r: r.commands / r.commits if r.commits else 0.0,
    "lost races/s": lambda r: r.lost,
    "lost races a commit": lambda r: r.lost_per_commit,
    "409 contention/s": lambda r: r.contention,
    "p50 ms": lambda r: r.p50_ms,
    "p99 ms": lambda r: r.p99_ms,
}


def _table(rounds: Mapping[tuple[str, str], list[Round]], options: argparse.Namespace) -> str:
    about = (
        f"Python {platform.python_version()}, {platform.machine()}; {options.clients} clients,"
        f" {options.workers} router worker(s), {options.instances} Lambda instances;"
        f" medians of {options.rounds} alternating rounds of {options.seconds:g} s."
    )
    lines = [
        about,
        "",
        f"| cell | mode | {' | '.join(_COLUMNS)} |",
        f"|---|---|{'---:|' * len(_COLUMNS)}",
    ]
    for (home, mode), found in sorted(rounds.items(), key=lambda item: (item[0][0], item[0][1])):
        figures = (statistics.median(map(of, found)) for of in _COLUMNS.values())
        lines.append(f"| {home} | {mode} | {' | '.join(f'{f:.1f}' for f in figures)} |")
    lines.append("")
    for home in TENANTS:
        together, alone = (
            statistics.median(r.commands for r in rounds[home, mode]) for mode in MODES
        )
        ratio = together / alone
        word = "reached" if ratio >= TARGET else "missed"
        lines.append(
            f"- {home}: coalesced commits {ratio:.1f} x the commands (goal {TARGET:g} x: {word})."
        )
    return "\n".join(lines)


if __name__ == "__main__":
    main()
