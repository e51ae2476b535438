"""A breaker per cell: after failures it answers at once, instead of letting requests pile up.

It fails fast; it never sends a tenant to another cell (router.md). Pure: time is passed in.
"""

import random  # noqa: TID251, TC003 - the type of the generator that the shell passes in
from typing import Final

IN_A_ROW_MAX: Final = 5
SAMPLE_MIN: Final = 20
SHARE_MAX: Final = 0.5
WINDOW_S: Final = 10.0
OPEN_MIN_S: Final = 5.0
OPEN_MAX_S: Final = 60.0


class Breaker:
    """Closed, open, or half open with one probe under way.

    Only what says that the *cell* does not answer counts as a failure: refused or broken
    connections, timeouts, answers without a code. A cell that says no is healthy.
    """

    __slots__ = (
        "_bad",
        "_good",
        "_in_a_row",
        "_open_s",
        "_probe_until",
        "_random",
        "_since",
        "until",
    )

    def __init__(self, generator: "random.Random") -> None:
        self._random = generator
        self._good = self._bad = self._in_a_row = 0
        self._since = float("-inf")
        self._open_s = OPEN_MIN_S
        self._probe_until = 0.0
        self.until = 0.0

    def state_at(self, now: float) -> str:
        """Return `closed`, `open`, or `half_open`: one probe at a time may go."""
        if not self.until:
            return "closed"
        return "open" if now < self.until else "half_open"

    def admits(self, now: float) -> bool:
        """Say whether a request may be sent; when half open, to one caller at a time."""
        if not self.until:
            return True
        if now < self.until or now < self._probe_until:
            return False
        self._probe_until = now + OPEN_MIN_S  # A probe that is never reported does not block.
        return True

    def succeeded(self, now: float) -> None:
        """Note an answer."""
        if self._in_a_row or self.until or now - self._since > WINDOW_S:
            self._in_a_row = 0
            if self.until:
                self.until = self._probe_until = 0.0
                self._open_s = OPEN_MIN_S
                self._good = self._bad = 0
            self._roll(now)
        self._good += 1

    def failed(self, now: float) -> None:
        """Note that no answer came."""
        self._roll(now)
        self._bad += 1
        self._in_a_row += 1
        total = self._good + self._bad
        many = total >= SAMPLE_MIN and self._bad >= SHARE_MAX * total
        if self.until or self._in_a_row >= IN_A_ROW_MAX or many:
            self._open(now)

    def _open(self, now: float) -> None:
        if self.until and now < self.until:
            return  # Requests that were under way when it opened.
        self.until = now + self._open_s * self._random.uniform(0.8, 1.2)
        self._open_s = min(OPEN_MAX_S, self._open_s * 2)
        self._probe_until = 0.0
        self._good = self._bad = 0

    def _roll(self, now: float) -> None:
        if now - self._since > WINDOW_S:
            self._since = now
            self._good = self._bad = 0
