"""The thread that keeps the registry fresh, and its change of source at a reload.

There is one writer at any time: a new keeper waits for the old one to stop, while what is cached
serves on.
"""

import threading
from typing import Final

from cell_router.server.registry_keeper import RegistryKeeper, RegistryStatus

_STOP_MAX_S: Final = 0.2
"""A keeper may wait 20 s for its source to say something; an ending process does not."""


class RegistryThread:
    """Runs one keeper after another."""

    def __init__(self, keeper: RegistryKeeper) -> None:
        self._keeper = keeper
        self._stop = threading.Event()
        self._thread = threading.Thread(target=keeper.run, args=(self._stop,), daemon=True)

    def start(self) -> None:
        """Begin to follow the source."""
        self._thread.start()

    def replace(self, keeper: RegistryKeeper) -> None:
        """Follow another source as soon as the old keeper has stopped."""
        before, stop = self._thread, threading.Event()
        self._stop.set()
        self._keeper, self._stop = keeper, stop

        def follow() -> None:
            before.join()
            keeper.run(stop)

        self._thread = threading.Thread(target=follow, daemon=True)
        self._thread.start()

    def stop(self) -> None:
        """Stop, waiting a moment; a keeper that still asks its source ends with the process."""
        self._stop.set()
        self._thread.join(_STOP_MAX_S)

    def find(self, tenant: str) -> bool | None:
        """Ask the source; see `RegistryKeeper.find`."""
        return self._keeper.find(tenant)

    def status(self) -> RegistryStatus:
        """Return how the registry stands."""
        return self._keeper.status()
