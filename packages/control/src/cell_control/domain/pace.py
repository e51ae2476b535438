"""How long to wait for what: limits of a move, pauses after failures, how long a freeze would be.

Pure: time and measurements are passed in.
"""

from collections import deque
from dataclasses import dataclass, field
from statistics import median
from typing import Final, Literal, TypeAlias

Part: TypeAlias = Literal["freeze", "tail", "commit", "activate"]
"""What a freeze consists of, in this order."""

PARTS: Final[tuple[Part, ...]] = ("freeze", "tail", "commit", "activate")

SAMPLES_MAX: Final = 64
SAMPLE_AGE_MS: Final = 60_000
"""Older measurements predict nothing: a budget that refused once would refuse for ever."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """What a mover holds to.

    Attributes:
        lag_max: Entries a stripe may be behind when its home is frozen: two applies.
        cutover_ms: How long a cut-over may take before it is rolled back.
        attempts_max: Cut-overs of one move before it has failed.
        failures_max: Failed calls in a row before a move is given up.
        view_ms: How old a view may be that something is decided from.
        claim_ms: How long others leave a tenant alone after its mover was last heard of.
        keep_ms: How long an old home that is no standby is kept.
        actions_max: In one run; then others get their turn.
    """

    lag_max: int = 60
    cutover_ms: int = 2000
    attempts_max: int = 5
    failures_max: int = 30
    view_ms: int = 1000
    claim_ms: int = 5000
    keep_ms: int = 24 * 3600 * 1000
    actions_max: int = 200


PAUSE_MIN_MS: Final = 100
PAUSE_MAX_MS: Final = 5000
RETRY_MIN_MS: Final = 500
RETRY_MAX_MS: Final = 30_000
CUTOVER_PAUSE_MS: Final = 50
LOOK_MS: Final = 60_000
"""How often to look whether an operator has put right what a mover cannot."""


def pause_ms(failures: int) -> int:
    """Return how long to leave a tenant alone after so many failures in a row, at least one."""
    return min(PAUSE_MAX_MS, PAUSE_MIN_MS << min(max(failures, 1) - 1, 16))


def retry_ms(attempt: int) -> int:
    """Return how long to wait before the cut-over after rolled-back number `attempt`, from 1."""
    return min(RETRY_MAX_MS, RETRY_MIN_MS << min(attempt - 1, 16))


@dataclass(slots=True)
class Timings:
    """What the parts of a freeze took lately, at one mover."""

    _samples: dict[Part, deque[tuple[int, int]]] = field(default_factory=dict)

    def note(self, part: Part, took_ms: int, now_ms: int) -> None:
        """Remember that `part` took so long; only the last 64 are kept."""
        self._samples.setdefault(part, deque(maxlen=SAMPLES_MAX)).append((now_ms, took_ms))

    def predicted_ms(self, now_ms: int) -> int | None:
        """Return the sum of the parts' medians, or None if one was not measured lately."""
        total = 0.0
        for part in PARTS:
            fresh = [
                took for at, took in self._samples.get(part, ()) if now_ms - at <= SAMPLE_AGE_MS
            ]
            if not fresh:
                return None
            total += median(fresh)
        return round(total)
