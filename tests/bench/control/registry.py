"""`python -m tests.bench.control.registry`: what the registry costs in SQLite and in PostgreSQL.

Both are on this machine's disk and wait for it at each commit (`synchronous=FULL`, `fsync=on`);
rounds alternate, medians and ratios are printed as a Markdown table. PostgreSQL is reached through
a Unix socket, so a network's round trips come on top: four for a commit.
"""

import argparse
import signal
import sqlite3
import statistics
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field, replace
from importlib.metadata import version
from pathlib import Path
from typing import Final

import psycopg
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from jwt.algorithms import OKPAlgorithm

from cell_control import codec
from cell_control.adapters.registry_url import open_registry
from cell_control.domain.records import KINDS, Usage
from cell_control.ports import Key, Registry, Write
from cell_control.service.publishing import build_snapshot
from cell_core.wire.registry_keys import RegistrySigner
from tests.bench.control.records import CELLS, cells, tenant, tenants
from tests.bench.control.saying import figure, leave, say
from tests.bench.router.machine import Machine
from tests.control.registry.postgres_process import postgres_running, programs

BULK: Final = 1000
PAGE: Final = 10_000
CHANGES_PAGE: Final = 1000
THREADS: Final = 8


@dataclass(frozen=True, slots=True, kw_only=True)
class Options:
    """How much is measured.

    Attributes:
        commits: Single commits in each round of each kind.
    """

    tenants: int
    rounds: int
    commits: int


@dataclass(slots=True)
class Peer:
    """One registry and what was measured of it."""

    name: str
    registry: Registry
    figures: dict[str, list[float]] = field(default_factory=dict)

    def note(self, measure: str, figure: float) -> None:
        """Keep a figure."""
        self.figures.setdefault(measure, []).append(figure)

    def median(self, measure: str) -> float:
        """Return the median of what was noted."""
        return statistics.median(self.figures[measure])


def main() -> None:
    """Measure and print."""
    options = _options()
    signal.signal(signal.SIGTERM, leave)  # PostgreSQL is ended on the way out.
    with ExitStack() as stack:
        peers = [Peer("SQLite", stack.enter_context(_sqlite()))]
        if programs() is None:
            say("NOT MEASURED: no PostgreSQL here")
        else:
            peers.append(Peer("PostgreSQL", stack.enter_context(_postgres())))
        _load(peers, options)
        for number in range(options.rounds):
            for step in _STEPS:
                for peer in peers[:: -1 if number % 2 else 1]:
                    step(peer, options, number)
            say(f"round {number + 1} of {options.rounds}")
        server = _server_version(peers)
    sys.stdout.write("\n".join(_report(peers, options, server)) + "\n")


def _options() -> Options:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--tenants", type=int, default=1_000_000)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--quick", action="store_true", help="20,000 tenants, fewer commits")
    given = parser.parse_args()
    if given.quick:
        return Options(tenants=min(given.tenants, 20_000), rounds=3, commits=100)
    return Options(tenants=given.tenants, rounds=given.rounds, commits=500)


@contextmanager
def _sqlite() -> Iterator[Registry]:
    with tempfile.TemporaryDirectory() as folder:
        registry = open_registry(f"sqlite:///{Path(folder) / 'registry.db'}")
        yield registry
        registry.close()


@contextmanager
def _postgres() -> Iterator[Registry]:
    with postgres_running(fsync=True) as server:
        registry = open_registry(server.url)
        yield registry
        registry.close()


def _load(peers: Sequence[Peer], options: Options) -> None:
    """Fill every registry by the same commits; texts are made before, outside the time."""
    for peer in peers:
        peer.registry.commit([codec.write_of(value, 0) for value in cells()])
    for writes in tenants(options.tenants):
        for peer in peers:
            taken_s = _seconds(lambda p=peer, w=writes: p.registry.commit(w))
            peer.note("bulk load, tenants/s", len(writes) / taken_s)


def _creates(peer: Peer, options: Options, number: int) -> None:
    """Create tenants one by one, each with the use of two cells in the same commit."""
    registry, count = peer.registry, options.commits

    def run() -> None:
        for n in range(count):
            found = registry.get([Key(kind="usage", key=cell) for cell in CELLS])
            home, standby = (codec.read(Usage, record) for record in found if record)
            writes = [
                codec.write_of(tenant(f"N-{number}-{n}"), 0),
                codec.write_of(replace(home, homes=home.homes + 1), found[0].rev),
                codec.write_of(replace(standby, standbys=standby.standbys + 1), found[1].rev),
            ]
            registry.commit(writes)

    peer.note("create (read 2, write 3), 1/s", count / _seconds(run))


def _cas_on_one(peer: Peer, options: Options, number: int) -> None:
    registry, text = peer.registry, codec.write_of(tenant("T-0000000"), 0)
    (record,) = registry.get([Key(kind="tenant", key=text.key)])
    assert record is not None
    revs = [record.rev]

    def run() -> None:
        for _ in range(options.commits):
            revs.append(registry.commit([replace(text, rev=revs[-1])]))

    peer.note("CAS on one tenant, 1/s", options.commits / _seconds(run))


def _cas_on_many(peer: Peer, options: Options, number: int) -> None:
    for threads in (1, THREADS):
        offset = number * 2 + (threads > 1)
        found = peer.registry.list("tenant", after=f"T-{offset * 1000 + 1:07d}", limit=BULK)
        writes = [
            Write(kind=r.kind, key=r.key, rev=r.rev, body=r.body, edge=r.edge)
            for r in found[: options.commits]
        ]
        seconds = _seconds(lambda w=writes, t=threads: _each(peer.registry, w, t))
        name = "thread" if threads == 1 else "threads"
        peer.note(f"CAS on many tenants, {threads} {name}, 1/s", len(writes) / seconds)


def _each(registry: Registry, writes: Sequence[Write], threads: int) -> None:
    with ThreadPoolExecutor(threads) as pool:
        for _ in pool.map(lambda write: registry.commit([write]), writes):
            pass


def _gets(peer: Peer, options: Options, number: int) -> None:
    def run() -> None:
        for n in range(options.commits):
            peer.registry.get([Key(kind="tenant", key=f"T-{n:07d}")])

    peer.note("get, 1/s", options.commits / _seconds(run))


def _scans(peer: Peer, options: Options, number: int) -> None:
    read = [0]

    def run() -> None:
        after = ""
        while page := peer.registry.list("tenant", after=after, limit=PAGE):
            read[0] += len(page)
            after = page[-1].key

    peer.note("list, tenants/s", 1 / (_seconds(run) / read[0]))
    peer.note("count of all tenants, ms", 1000 * _seconds(lambda: peer.registry.count("tenant")))
    nothing = _seconds(lambda: peer.registry.list("tenant", tag="open", limit=PAGE))
    peer.note("list of open tenants (none), ms", 1000 * nothing)


def _follows(peer: Peer, options: Options, number: int) -> None:
    read = [0]

    def run() -> None:
        after, is_more = 0, True
        while is_more:
            changes = peer.registry.changes(after, kinds=KINDS, limit=CHANGES_PAGE)
            read[0] += len(changes.records)
            is_more, after = len(changes.records) == CHANGES_PAGE, changes.rev

    peer.note("changes, records/s", 1 / (_seconds(run) / read[0]))


def _snapshots(peer: Peer, options: Options, number: int) -> None:
    sizes: list[int] = []

    def run() -> None:
        sizes.append(len(build_snapshot(peer.registry, _SIGNER, 1_700_000_000_000).data))

    peer.note("snapshot built, s", _seconds(run))
    peer.note("snapshot, MB", sizes[0] / 1e6)


_STEPS: Final[tuple[Callable[[Peer, Options, int], None], ...]] = (
    _creates, _cas_on_one, _cas_on_many, _gets, _scans, _follows, _snapshots,
)  # fmt: skip


def _signer() -> RegistrySigner:
    raw = OKPAlgorithm.to_jwk(Ed25519PrivateKey.generate(), as_dict=True)
    return RegistrySigner(
        f'{{"kid":"bench","kty":"OKP","crv":"Ed25519","x":"{raw["x"]}","d":"{raw["d"]}"}}'
    )


_SIGNER: Final = _signer()


def _seconds(run: Callable[[], object]) -> float:
    began_s = time.perf_counter()
    run()
    return time.perf_counter() - began_s


def _server_version(peers: Sequence[Peer]) -> str:
    if len(peers) == 1:
        return ""
    with postgres_running() as server, psycopg.connect(server.url) as connection:
        return f", PostgreSQL {connection.info.parameter_status('server_version')}"


def _report(peers: Sequence[Peer], options: Options, server: str) -> Iterator[str]:
    yield f"{options.tenants:,} tenants, {options.rounds} rounds, medians."
    versions = ", ".join(f"{name} {version(name)}" for name in ("sqlalchemy", "psycopg"))
    yield f"{Machine.here()}; SQLite {sqlite3.sqlite_version}{server}, {versions}."
    yield ""
    names = [peer.name for peer in peers]
    ratio = ["ratio"] if len(peers) > 1 else []
    yield f"| measure | {' | '.join([*names, *ratio])} |"
    yield "|---|" + "--:|" * (len(peers) + len(ratio))
    for measure in peers[0].figures:
        medians = [peer.median(measure) for peer in peers]
        cells = [figure(median) for median in medians]
        if ratio:
            cells.append(f"{medians[1] / medians[0]:.2f}")
        yield f"| {measure} | {' | '.join(cells)} |"


if __name__ == "__main__":
    main()
