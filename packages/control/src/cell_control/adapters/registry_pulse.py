"""Tells those who wait that the registry has moved on; one of them looks, on behalf of all.

Commits of this process wake at once; those of other processes are found by a look every
`POLL_S`, however many wait. Refuses to know what is stored where.
"""

import threading
from collections.abc import Callable
from typing import Final

POLL_S: Final = 0.05


class Pulse:
    """The highest rev this process has seen."""

    def __init__(self, now_s: Callable[[], float]) -> None:
        """Start at 0.

        Args:
            now_s: Monotonic seconds.
        """
        self._now_s = now_s
        self._moved = threading.Condition()
        self._rev = 0
        self._looked_s = float("-inf")
        self._is_closed = False

    def note(self, rev: int) -> None:
        """Take note that the registry is at `rev` or further."""
        with self._moved:
            if rev > self._rev:
                self._rev = rev
                self._moved.notify_all()

    def close(self) -> None:
        """Let everybody who waits go, now and from now on."""
        with self._moved:
            self._is_closed = True
            self._moved.notify_all()

    def wait(self, after: int, timeout_s: float, look: Callable[[], int]) -> int:
        """Return the rev once it is above `after`, at the latest after about `timeout_s`.

        `look` returns the registry's rev; what it raises is raised.
        """
        until_s = self._now_s() + timeout_s
        if not self._is_closed:
            self.note(look())
        while True:
            rev, left_s = self._sleep(after, until_s)
            if rev > after or left_s <= 0:
                return rev
            if self._is_my_turn():
                self.note(look())

    def _sleep(self, after: int, until_s: float) -> tuple[int, float]:
        with self._moved:
            left_s = until_s - self._now_s()
            if left_s > 0 and not self._is_closed:
                self._moved.wait_for(
                    lambda: self._rev > after or self._is_closed, min(left_s, POLL_S)
                )
            return self._rev, 0.0 if self._is_closed else until_s - self._now_s()

    def _is_my_turn(self) -> bool:
        with self._moved:
            now_s = self._now_s()
            if now_s - self._looked_s < POLL_S:
                return False
            self._looked_s = now_s
            return True
