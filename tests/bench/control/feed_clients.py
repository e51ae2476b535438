"""Routers that follow a feed, many in one process: each a thread with the router's own source.

Run with one JSON argument, see `Followers`. Says `ready` when all wait, then prints one JSON
object: when the last of them had each tenant's change, in nanoseconds of the monotonic clock.
"""

import json
import sys
import threading
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from cell_core.wire.registry_changes import open_batch
from cell_core.wire.registry_keys import RegistryVerifier
from cell_router.sources.http import HttpSource

WAIT_S: Final = 20.0
READY: Final = "ready"


@dataclass(frozen=True, slots=True, kw_only=True)
class Followers:
    """Which feed to follow.

    Attributes:
        after: The rev that all begin behind.
        until: The tenant whose change is the last.
    """

    url: str
    credential: str
    jwks: str
    clients: int
    after: int
    until: str


class _Seen:
    """When the last client had which tenant's change."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._last_ns: dict[str, int] = {}

    def note(self, tenants: Sequence[str], at_ns: int) -> None:
        with self._lock:
            for tenant in tenants:
                self._last_ns[tenant] = max(at_ns, self._last_ns.get(tenant, 0))

    @property
    def last_ns(self) -> Mapping[str, int]:
        return self._last_ns


def main() -> None:
    """Follow as the argument says."""
    plan = Followers(**json.loads(sys.argv[1]))
    seen, all_wait = _Seen(), threading.Barrier(plan.clients + 1)
    threads = [
        threading.Thread(target=_follow, args=(plan, seen, all_wait)) for _ in range(plan.clients)
    ]
    for thread in threads:
        thread.start()
    all_wait.wait()
    sys.stdout.write(f"{READY}\n")
    sys.stdout.flush()
    for thread in threads:
        thread.join()
    sys.stdout.write(json.dumps(seen.last_ns) + "\n")


def _follow(plan: Followers, seen: _Seen, all_wait: threading.Barrier) -> None:
    source = HttpSource(plan.url, credential_file=Path(plan.credential))
    verify = RegistryVerifier(plan.jwks)
    after = open_batch(source.changes(plan.after, 0.0), verify).rev
    all_wait.wait()
    while True:
        batch = open_batch(source.changes(after, WAIT_S), verify)
        tenants = [change.key for change in batch.changes if change.kind == "tenant"]
        seen.note(tenants, time.monotonic_ns())
        after = batch.rev
        if plan.until in tenants:
            return


if __name__ == "__main__":
    main()
