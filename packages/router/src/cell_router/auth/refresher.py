"""Keeps issuers' keys fresh from a thread of its own, so that no request ever waits for them.

When to fetch is decided by `IssuerKeys`; here are the thread, the clock and the fetching.
"""

import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Final

from cell_router.auth.jwks import IssuerKeys
from cell_router.auth.key_fetch import KeyFetch, KeysUnavailable
from cell_router.auth.key_set import KeySetRefused
from cell_router.auth.key_shelf import KeyShelf, NoShelf

POLL_S: Final = 1.0
"""How soon the wish for an unknown `kid` is seen; a pass with nothing due costs microseconds."""


@dataclass(frozen=True, slots=True)
class Source:
    """An issuer's keys, where they come from, and where they outlive this process."""

    keys: IssuerKeys
    fetch: KeyFetch
    shelf: KeyShelf = field(default_factory=NoShelf)


class JwksRefresher:
    """Fetches what is due, one issuer after another.

    One issuer that is down or slow (5 s at most) delays the others and never stops them.
    """

    def __init__(
        self,
        sources: Mapping[str, Source],
        *,
        clock_s: Callable[[], int],
        forget: Callable[[], None],
        report: Callable[[str, str], None],
    ) -> None:
        """Start nothing yet.

        Args:
            sources: By issuer.
            clock_s: The wall clock that requests are checked against.
            forget: Called when a key was withdrawn, so that no token verified by it is remembered.
            report: Called with the issuer and `fetched` or the word for what went wrong.
        """
        self._sources = sources
        self._clock_s = clock_s
        self._forget = forget
        self._report = report
        self._stopping = threading.Event()
        self._thread: threading.Thread | None = None

    def recall(self) -> None:
        """Take up what an earlier process kept, at its true age; call it first of all."""
        for issuer, source in self._sources.items():
            kept = source.shelf.last()
            if kept is None or kept[1] > self._clock_s():
                continue
            try:
                source.keys.recall(*kept)
            except KeySetRefused as refused:
                self._report(issuer, str(refused))

    def refresh_due(self) -> None:
        """Fetch each set that is due now. A worker calls it once before it takes requests."""
        for issuer, source in self._sources.items():
            if source.keys.due(self._clock_s()):
                self._report(issuer, self._refresh(source))

    def ready(self) -> bool:
        """Say whether every issuer's tokens can be verified."""
        now_s = self._clock_s()
        return all(source.keys.ready(now_s) for source in self._sources.values())

    def start(self) -> None:
        """Refresh in the background until `stop`; a daemon, so it never holds up an exit."""
        self._thread = threading.Thread(target=self._run, name="jwks-refresher", daemon=True)
        self._thread.start()

    def stop(self, timeout_s: float = POLL_S) -> None:
        """End the thread, waiting at most `timeout_s` for a fetch under way."""
        self._stopping.set()
        if self._thread is not None:
            self._thread.join(timeout_s)

    def _run(self) -> None:
        while not self._stopping.is_set():
            self.refresh_due()
            self._stopping.wait(POLL_S)

    def _refresh(self, source: Source) -> str:
        try:
            raw, now_s = source.fetch.fetch(), self._clock_s()
            withdrawn = source.keys.adopt(raw, now_s)
            source.shelf.keep(raw, now_s)
        except KeySetRefused as refused:
            return str(refused)
        except KeysUnavailable as unavailable:
            source.keys.failed(self._clock_s())
            return str(unavailable)
        except Exception as bug:  # noqa: BLE001 - a shell's last line: the thread must live on
            source.keys.failed(self._clock_s())
            return type(bug).__name__
        if withdrawn:
            self._forget()
        return "fetched"
