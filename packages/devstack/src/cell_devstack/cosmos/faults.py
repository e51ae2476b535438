"""Rules that make the gateway misbehave on purpose, for a bounded number of requests each.

Set from a test in process, or over `POST /_standin/faults`; refuses unbounded rules.
"""

import re
import threading
from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from enum import Enum
from typing import Final

from cell_devstack.cosmos.errors import THROTTLED, CosmosError

RULES_MAX: Final = 100
COUNT_MAX: Final = 100_000
DELAY_MS_MAX: Final = 60_000
MATCH_CHARACTERS_MAX: Final = 300


class Effect(Enum):
    """What a rule does to a request that it matches."""

    THROTTLE = "throttle"
    """Answer 429; nothing is applied."""
    FAIL = "fail"
    """Answer `status`; nothing is applied."""
    CUT = "cut"
    """Cut the connection; nothing is applied."""
    APPLY_THEN_FAIL = "apply_then_fail"
    """Apply the request, then answer `status`: the outcome is ambiguous."""
    APPLY_THEN_CUT = "apply_then_cut"
    """Apply the request, then cut the connection: the outcome is ambiguous."""
    DELAY = "delay"
    """Serve the request as usual, `delay_ms` later."""

    @property
    def applies(self) -> bool:
        """Whether the request takes effect."""
        return self in {Effect.APPLY_THEN_FAIL, Effect.APPLY_THEN_CUT, Effect.DELAY}


@dataclass(frozen=True, slots=True, kw_only=True)
class Fault:
    """One rule: what happens to the next `count` requests whose "VERB /path" matches `match`.

    `delay_ms` holds back a request of any effect. Raises ValueError for what is out of bounds.
    """

    effect: Effect
    match: str = ""
    count: int = 1
    status: int = 503
    sub_status: int | None = None
    retry_after_ms: int = 5
    delay_ms: int = 0
    pattern: re.Pattern[str] = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        if len(self.match) > MATCH_CHARACTERS_MAX:
            raise ValueError(f"match is longer than {MATCH_CHARACTERS_MAX} characters")
        _check_range("count", self.count, 1, COUNT_MAX)
        _check_range("status", self.status, 400, 599)
        _check_range("delay_ms", self.delay_ms, 0, DELAY_MS_MAX)
        _check_range("retry_after_ms", self.retry_after_ms, 0, DELAY_MS_MAX)
        object.__setattr__(self, "pattern", re.compile(self.match))

    @property
    def error(self) -> CosmosError:
        """The answer of a rule that fails a request."""
        if self.effect is Effect.THROTTLE:
            return CosmosError(
                429,
                "Request rate is large (injected).",
                sub_status=self.sub_status or THROTTLED,
                headers={"x-ms-retry-after-ms": str(self.retry_after_ms)},
            )
        return CosmosError(self.status, "Injected fault.", sub_status=self.sub_status)


_WIRE_FIELDS: Final = {one.name for one in fields(Fault) if one.init}


def fault_from_json(body: Mapping[str, object]) -> Fault:
    """Read a rule from its JSON form, which has the fields of `Fault`, else 400."""
    unknown = body.keys() - _WIRE_FIELDS
    if unknown:
        raise CosmosError(400, f"A fault has no field {min(unknown)!r}.")
    try:
        return Fault(**{**body, "effect": Effect(body.get("effect"))})  # type: ignore[arg-type]  # checked by __post_init__
    except (ValueError, TypeError, re.error) as error:
        raise CosmosError(400, f"The fault is invalid: {error}.") from error


class FaultPlan:
    """The rules in force, oldest first; each is used up after its count."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._left: list[tuple[Fault, int]] = []

    def add(self, fault: Fault) -> None:
        """Put a rule in force behind the others; 400 when there are too many."""
        with self._lock:
            if len(self._left) >= RULES_MAX:
                raise CosmosError(400, f"At most {RULES_MAX} faults can be in force.")
            self._left.append((fault, fault.count))

    def clear(self) -> None:
        """Behave again."""
        with self._lock:
            self._left.clear()

    def next_for(self, verb: str, path: str) -> Fault | None:
        """The first rule that matches this request, which uses it once."""
        with self._lock:
            for place, (fault, left) in enumerate(self._left):
                if fault.pattern.search(f"{verb} {path}"):
                    self._left[place : place + 1] = [(fault, left - 1)] if left > 1 else []
                    return fault
        return None


def _check_range(name: str, value: object, low: int, high: int) -> None:
    if type(value) is not int or not low <= value <= high:
        raise ValueError(f"{name} is not an integer from {low} to {high}")
