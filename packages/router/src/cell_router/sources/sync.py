"""The loop that keeps a store current from a source: snapshot, then changes, then again.

What is held stays held whatever the source says: nothing unsigned, older or malformed replaces it.
Each step is one question to the source and at most one write, and returns how long to wait; so a
test drives it without sleeping. Refuses to serve anything: readers have the store.
"""

import threading
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from cell_core.domain.errors import Unavailable
from cell_core.wire.registry import Change, RegistryRefused
from cell_core.wire.registry_changes import Batch, open_batch
from cell_core.wire.registry_seal import Verify
from cell_core.wire.registry_snapshot import Manifest, Snapshot, open_snapshot
from cell_router.ports import (
    RegistrySource,
    RegistryStore,
    SourceGone,
    SourceUnavailable,
    StoreMeta,
)
from cell_router.sources.backoff import Patience

FEED_GONE: Final = "feed_gone"
QUIET_S: Final = 0.05
"""After an answer without news: a feed that does not wait makes no busy loop."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SyncStatus:
    """Where the loop stands, for metrics and readiness.

    Attributes:
        rev: What is held; 0 is nothing, and then the edge is not ready.
        fresh_ms: When the registry last made what is held, or said that it still holds.
        error: Why the last step did not succeed, a stable code; empty if it did.
        failures: How many steps in a row did not.
        source: What kind of source it is; never its address.
    """

    rev: int
    tenants: int
    fresh_ms: int
    error: str
    failures: int
    source: str

    def age_ms(self, now_ms: int) -> int:
        """Return how long ago the registry vouched for what is held."""
        return max(0, now_ms - self.fresh_ms)


class RegistrySync:
    """Keeps `store` current. `step` is for one thread, `status` and `find` for any."""

    def __init__(
        self,
        store: RegistryStore,
        source: RegistrySource,
        verify: Verify,
        *,
        draw: Callable[[], float],
        patience: Patience | None = None,
        restore: bool = False,
    ) -> None:
        """Begin with what the store holds.

        `draw` returns 0 to 1, for jitter; with `restore` the operator wants the next snapshot
        taken even if it is older than what is held.
        """
        self._store = store
        self._source = source
        self._verify = verify
        self._draw = draw
        self._patience = patience or Patience()
        self._restore = restore
        self._writing = threading.Lock()
        self._wants_snapshot = True
        self._feed_is_gone = False
        self._refusal = ""
        self._error = ""
        self._failures = 0
        self._fresh_ms = store.meta().created_ms

    def step(self, now_ms: int) -> float:
        """Ask the source once; return for how many seconds to wait before the next step."""
        try:
            if self._wants_snapshot:
                return self._take_snapshot(now_ms)
            return self._take_changes()
        except SourceGone:
            self._wants_snapshot = self._feed_is_gone = True
            return 0.0
        except SourceUnavailable as error:
            return self._failed(str(error) or "source_unreachable")
        except RegistryRefused as error:
            # A feed that delivers nonsense is left for a snapshot, which needs no feed.
            self._wants_snapshot, self._refusal = True, error.code
            return self._failed(error.code)
        except Unavailable as error:
            return self._failed(error.code)

    def find(self, tenant: str) -> bool:
        """Ask the source for one tenant; say whether the store holds it now.

        Raises:
            SourceUnavailable: Nobody knows.
            RegistryRefused: The answer cannot be trusted.
        """
        data = self._source.find(tenant)
        if data is None:
            return False
        batch = open_batch(data, self._verify)
        key = f"t:{tenant}".encode()
        with self._writing:
            held = self._store.meta()
            # What is not newer is here already, or was here and is gone.
            newer = [
                one
                for one in batch.changes
                if (one.kind, one.key) == ("tenant", tenant) and one.rev > held.rev
            ]
            if newer:
                self._store.apply(held.rev, newer)
            return self._store.get(key) is not None

    def status(self) -> SyncStatus:
        """Return where the loop stands."""
        held = self._store.meta()
        return SyncStatus(
            rev=held.rev,
            tenants=held.tenants,
            fresh_ms=self._fresh_ms,
            error=self._error,
            failures=self._failures,
            source=type(self._source).__name__.removesuffix("Source").lower(),
        )

    def _take_snapshot(self, now_ms: int) -> float:
        held = self._store.meta()
        after_gone, self._feed_is_gone = self._feed_is_gone, False
        data = self._source.snapshot(-1 if self._restore else held.rev)
        news = data is not None and self._consider(open_snapshot(data, self._verify), now_ms)
        self._wants_snapshot = False
        if data is None and self._refusal:
            # Nothing came since the one that was refused; it stays an error until something does.
            return self._failed(self._refusal)
        if after_gone and not news:
            # The feed and the snapshot contradict each other: never a busy loop between them.
            return self._failed(FEED_GONE)
        return self._succeeded()

    def _consider(self, snapshot: Snapshot, now_ms: int) -> bool:
        found = snapshot.manifest
        with self._writing:
            held = self._store.meta()
            if self._restore or judge(found, held, now_ms, self._patience.age_max_s):
                self._store.replace(
                    rev=found.rev,
                    created_ms=found.created_ms,
                    cells=found.cells,
                    groups=found.groups,
                    tenants=snapshot,
                )
                self._restore = False
                self._fresh_ms = found.created_ms
                return True
        is_fresher = found.created_ms > self._fresh_ms
        self._fresh_ms = max(self._fresh_ms, found.created_ms)
        return is_fresher

    def _take_changes(self) -> float:
        data = self._source.changes(self._store.meta().rev, self._patience.wait_s)
        if data is None:
            self._wants_snapshot = True
            return self._patience.poll_s
        if not data:
            return QUIET_S if self._refusal else self._succeeded(QUIET_S)
        batch = open_batch(data, self._verify)
        with self._writing:
            held_rev = self._store.meta().rev
            fresh = fitting(batch, held_rev)
            if batch.rev > held_rev:
                self._store.apply(batch.rev, fresh)
        self._fresh_ms = max(self._fresh_ms, batch.created_ms)
        return self._succeeded(0.0 if batch.rev > held_rev else QUIET_S)

    def _succeeded(self, wait_s: float = 0.0) -> float:
        self._failures, self._error, self._refusal = 0, "", ""
        return wait_s

    def _failed(self, code: str) -> float:
        self._failures, self._error = self._failures + 1, code
        return self._patience.after(self._failures, self._draw)


def judge(found: Manifest, held: StoreMeta, now_ms: int, age_max_s: float) -> bool:
    """Say whether a verified snapshot takes the place of what is held; False if it is the same.

    Raises:
        RegistryRefused: `registry_rolled_back`, or `registry_too_old` while what is held is newer.
    """
    if found.rev < held.rev:
        raise RegistryRefused("registry_rolled_back", rev=found.rev, held=held.rev)
    if found.rev == held.rev:
        return False
    if now_ms - found.created_ms > age_max_s * 1000 and held.created_ms > found.created_ms:
        raise RegistryRefused("registry_too_old", rev=found.rev)
    return True


def fitting(batch: Batch, held_rev: int) -> list[Change]:
    """Return the changes of a verified batch that are not yet held.

    Raises:
        SourceGone: Changes are missing between what is held and the batch.
        RegistryRefused: `registry_rolled_back`: the feed stands behind what is held.
    """
    if batch.after > held_rev:
        raise SourceGone("gap")
    if batch.rev < held_rev:
        raise RegistryRefused("registry_rolled_back", rev=batch.rev, held=held_rev)
    return [change for change in batch.changes if change.rev > held_rev]


def run(sync: RegistrySync, stop: threading.Event, now_ms: Callable[[], int]) -> None:
    """Step until `stop` is set; the body of the supervisor's thread."""
    while not stop.is_set():
        stop.wait(sync.step(now_ms()))
