"""`python -m tests.bench.control.feed`: how long until every router knows what was committed.

The real server as its own process over SQLite and over PostgreSQL, each with the same tenants;
clients are the router's own HTTP source in long polls. A change is one call of the API, which
commits the tenant and an audit and answers; its time counts from the call, and the commit is in it.
Machines differ and are shared: the two databases' figures of one run belong together.
"""

import argparse
import json
import signal
import sqlite3
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Final

import httpx
import psycopg

from cell_control.adapters.registry_url import open_registry
from cell_control.server.roles import Role
from cell_devstack.local_control import ControlSettings, LocalControl
from cell_devstack.local_keys import LocalKeys
from tests.bench.control.feed_clients import READY, Followers
from tests.bench.control.records import fill
from tests.bench.control.saying import figure, leave, say
from tests.bench.router.machine import Machine
from tests.control.registry.postgres_process import postgres_running, programs

PAUSE_S: Final = 0.1
SNAPSHOT_S: Final = 300.0
_METRIC: Final = "cell_control_snapshot_build_seconds "


@dataclass(frozen=True, slots=True, kw_only=True)
class Options:
    """How much is measured."""

    tenants: int
    changes: int
    clients: int
    processes: int
    rounds: int


@dataclass(slots=True)
class Peer:
    """One server and what was measured of it, in milliseconds unless a name says else.

    Attributes:
        changed: Tenants whose records were changed so far: each change takes the next one.
    """

    name: str
    control: LocalControl
    fan_out_ms: list[float] = field(default_factory=list)
    answered_ms: list[float] = field(default_factory=list)
    built_s: list[float] = field(default_factory=list)
    fetched_s: list[float] = field(default_factory=list)
    snapshot_mb: float = 0.0
    changed: int = 0


def main() -> None:
    """Measure and print."""
    options = _options()
    signal.signal(signal.SIGTERM, leave)  # Every process is ended on the way out.
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="feed-")))
        peers = [Peer("SQLite", stack.enter_context(_sqlite(folder / "sqlite", options)))]
        if programs() is None:
            say("NOT MEASURED: no PostgreSQL here")
        else:
            opened = stack.enter_context(_postgres(folder / "postgres", options))
            peers.append(Peer("PostgreSQL", opened))
        for number in range(options.rounds):
            for peer in peers[:: -1 if number % 2 else 1]:
                _snapshots(peer)
                _changes(peer, options)
            say(f"round {number + 1} of {options.rounds}")
    sys.stdout.write("\n".join(_report(peers, options)) + "\n")


def _options() -> Options:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--tenants", type=int, default=100_000)
    parser.add_argument("--changes", type=int, default=50, help="of each server, a round")
    parser.add_argument("--clients", type=int, default=50, help="that wait for changes")
    parser.add_argument("--processes", type=int, default=2, help="that they are in")
    parser.add_argument("--rounds", type=int, default=3)
    given = parser.parse_args()
    return Options(**vars(given))


@contextmanager
def _sqlite(folder: Path, options: Options) -> Iterator[LocalControl]:
    folder.mkdir()
    with _serving(folder, f"sqlite:///{folder / 'registry.db'}", options) as control:
        yield control


@contextmanager
def _postgres(folder: Path, options: Options) -> Iterator[LocalControl]:
    with (
        postgres_running(fsync=True) as server,
        _serving(folder, server.url, options) as control,
    ):
        yield control


@contextmanager
def _serving(folder: Path, url: str, options: Options) -> Iterator[LocalControl]:
    """Fill the registry at `url` and serve it, without the loops: there are no cells to reach."""
    registry = open_registry(url)
    done = [0]

    def tell(count: int) -> None:
        done[0] += count
        if done[0] % 100_000 == 0:
            say(f"{done[0]:,} tenants written")

    fill(registry, options.tenants, tell)
    registry.close()
    settings = ControlSettings(registry_url=url, loops={"run": False})
    with LocalControl(folder, LocalKeys().control_jwk, settings) as control:
        yield control


def _snapshots(peer: Peer) -> None:
    """Have a snapshot built, and fetch it once more as it is."""
    _fetch(peer)
    peer.built_s.append(_built_s(peer))
    began_s = time.monotonic()
    peer.snapshot_mb = _fetch(peer) / 1e6
    peer.fetched_s.append(time.monotonic() - began_s)


def _fetch(peer: Peer) -> int:
    return len(_get(peer, "/v1/registry/snapshot"))


def _built_s(peer: Peer) -> float:
    lines = _get(peer, "/metrics").decode().splitlines()
    [line] = [line for line in lines if line.startswith(_METRIC)]
    return float(line.removeprefix(_METRIC))


def _get(peer: Peer, path: str) -> bytes:
    token = peer.control.tokens[Role.EDGE]
    with httpx.Client(base_url=peer.control.url, timeout=SNAPSHOT_S, trust_env=False) as client:
        answer = client.get(path, headers={"authorization": f"Bearer {token}"})
    return answer.raise_for_status().content


def _changes(peer: Peer, options: Options) -> None:
    """Change tenants one by one while all clients wait; note when the last one had each."""
    names = [f"T-{peer.changed + n:07d}" for n in range(options.changes)]
    peer.changed += options.changes
    began_ns: dict[str, int] = {}
    with ExitStack() as stack:
        clients = [
            stack.enter_context(_followers(peer, count, names[-1]))
            for count in _shares(options.clients, options.processes)
        ]
        for client in clients:
            assert client.stdout is not None
            assert client.stdout.readline().strip() == READY
        for name in names:
            time.sleep(PAUSE_S)  # So that all wait again.
            began_ns[name] = time.monotonic_ns()
            peer.control.ask("POST", f"/tenants/{name}/quarantine", {"reason": "bench"})
            peer.answered_ms.append((time.monotonic_ns() - began_ns[name]) / 1e6)
        seen = [json.loads(client.communicate(timeout=60)[0]) for client in clients]
    for name in names:
        last_ns = max(one[name] for one in seen)
        peer.fan_out_ms.append((last_ns - began_ns[name]) / 1e6)


@contextmanager
def _followers(peer: Peer, count: int, until: str) -> Iterator["subprocess.Popen[str]"]:
    control = peer.control
    plan = Followers(
        url=f"{control.url}/v1/registry",
        credential=str(control.token_path(Role.EDGE)),
        jwks=control.registry_keys,
        clients=count,
        after=control.ask("GET", "/status")["rev"],
        until=until,
    )
    command = [sys.executable, "-m", "tests.bench.control.feed_clients", json.dumps(asdict(plan))]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        try:
            yield process
        finally:
            process.kill()


def _shares(clients: int, processes: int) -> list[int]:
    each, more = divmod(clients, processes)
    return [each + (number < more) for number in range(processes)]


def _report(peers: Sequence[Peer], options: Options) -> Iterator[str]:
    count = options.changes * options.rounds
    yield (
        f"{options.tenants:,} tenants, {options.clients} clients in {options.processes} processes,"
        f" {count} changes."
    )
    yield f"{Machine.here()}; SQLite {sqlite3.sqlite_version}{_server_version(peers)}."
    yield ""
    yield f"| measure | {' | '.join(peer.name for peer in peers)} |"
    yield "|---|" + "--:|" * len(peers)
    yield from (
        f"| {name} | {' | '.join(map(figure, figures))} |"
        for name, figures in {
            "from the call until every client has it, median ms": _percent(peers, 50),
            "the same, p99 ms": _percent(peers, 99),
            "the call itself, which commits, median ms": [
                statistics.median(peer.answered_ms) for peer in peers
            ],
            "snapshot built, median s": [statistics.median(peer.built_s) for peer in peers],
            "snapshot downloaded, median s": [statistics.median(p.fetched_s) for p in peers],
            "snapshot, MB": [peer.snapshot_mb for peer in peers],
        }.items()
    )


def _percent(peers: Sequence[Peer], percent: int) -> list[float]:
    ordered = [sorted(peer.fan_out_ms) for peer in peers]
    return [took[min(len(took) - 1, len(took) * percent // 100)] for took in ordered]


def _server_version(peers: Sequence[Peer]) -> str:
    if len(peers) == 1:
        return ""
    with postgres_running() as server, psycopg.connect(server.url) as connection:
        return f", PostgreSQL {connection.info.parameter_status('server_version')}"


if __name__ == "__main__":
    main()
