"""Keeps the registry fresh in a thread, and says how it stands.

Whatever the source does, the thread lives on, and what is cached serves.
"""

import logging
import threading
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final, Protocol

from cell_core.wire.registry import RegistryRefused
from cell_router.ports import RegistryStore, SourceUnavailable
from cell_router.sources.sync import RegistrySync

_AFTER_BUG_S: Final = 5.0


@dataclass(frozen=True, slots=True, kw_only=True)
class RegistryStatus:
    """How the registry at this edge stands.

    Attributes:
        rev: 0 if there is none yet.
        created_ms: When what is held was made, wall clock.
        fresh_ms: When the registry last vouched for it.
        source: Its kind, never its address.
        error: Why the last question to the source failed, a code; "" if it did not.
        failures: How many did in a row.
    """

    rev: int
    tenants: int
    created_ms: int
    fresh_ms: int
    source: str
    error: str
    failures: int


class RegistryKeeper(Protocol):
    """Follows one source until told to stop."""

    def run(self, stop: threading.Event) -> None:
        """Follow the source until `stop` is set, whatever happens there."""

    def find(self, tenant: str) -> bool | None:
        """Ask the source for one tenant, and keep what it says. Blocks; from any thread.

        Returns whether it knows the tenant, None if it cannot say.
        """

    def status(self) -> RegistryStatus:
        """Say how things stand; from any thread."""


class SyncKeeper:
    """The keeper that steps a `RegistrySync`."""

    def __init__(
        self,
        sync: RegistrySync,
        store: RegistryStore,
        now_ms: Callable[[], int],
        log: logging.Logger,
    ) -> None:
        self._sync = sync
        self._store = store
        self._now_ms = now_ms
        self._log = log
        self._said = ""

    def run(self, stop: threading.Event) -> None:
        """See `RegistryKeeper`."""
        while not stop.is_set():
            stop.wait(self._step(stop))

    def find(self, tenant: str) -> bool | None:
        """See `RegistryKeeper`."""
        try:
            return self._sync.find(tenant)
        except (SourceUnavailable, RegistryRefused):
            return None

    def status(self) -> RegistryStatus:
        """See `RegistryKeeper`."""
        status = self._sync.status()
        return RegistryStatus(
            rev=status.rev,
            tenants=status.tenants,
            created_ms=self._store.meta().created_ms,
            fresh_ms=status.fresh_ms,
            source=status.source,
            error=status.error,
            failures=status.failures,
        )

    def _step(self, stop: threading.Event) -> float:
        try:
            wait_s = self._sync.step(self._now_ms())
            self._say(self._sync.status().error)
        except Exception as bug:  # noqa: BLE001 - a shell's last line: the thread must live on
            if not stop.is_set():  # Else the store was closed meanwhile.
                self._say(f"bug:{type(bug).__name__}")
            return _AFTER_BUG_S
        return wait_s

    def _say(self, error: str) -> None:
        """Log a change of how the source does, and not each failure of an outage."""
        if error == self._said:
            return
        self._said = error
        if error:
            self._log.warning("registry_source_failing", extra={"fields": {"error": error}})
        else:
            self._log.info("registry_source_well", extra={"fields": {}})
