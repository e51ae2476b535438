"""How long to wait after failures: exponential, bounded, with jitter from a generator passed in."""

from collections.abc import Callable
from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Patience:
    """How the loop waits.

    Attributes:
        first_s, most_s: The delay after the first failure, and the largest.
        wait_s: How long one question to the feed may wait for a change.
        poll_s: Between two looks at a source that has no feed.
        age_max_s: A snapshot older than this is not taken in place of a newer one.
    """

    first_s: float = 0.5
    most_s: float = 30.0
    wait_s: float = 20.0
    poll_s: float = 5.0
    age_max_s: float = 86_400.0

    def after(self, failures: int, draw: Callable[[], float]) -> float:
        """Return the delay after so many failures in a row; `draw` returns 0 to 1."""
        longest = min(self.most_s, self.first_s * 2.0 ** min(failures - 1, 16))
        # At least half of it, so that no unlucky draw makes a busy loop.
        return longest * (0.5 + 0.5 * draw())
