"""The edge's two decisions, pure: where a request goes, and what an answer means (protocol.md 8).

`decide` never guesses a cell: it forwards to the home that the registry names, or answers.
`after` reads a cell's verdict; a 421, a 503 `frozen` and a 409 `epoch_behind` certify that nothing
was executed, everything without a code leaves the outcome unknown.
"""

from dataclasses import dataclass
from enum import Enum, auto
from typing import Final

import msgspec

from cell_router.limits import HOPS_MAX
from cell_router.messages import CellAnswer
from cell_router.registry import Route
from cell_router.wire_texts import read_problem


class Where(Enum):
    """What to do with a request before it was sent."""

    FORWARD = auto()
    ASK = auto()
    """The tenant is not in the registry at hand, or there is none yet: ask its source once."""
    UNKNOWN = auto()
    BLOCKED = auto()
    NO_REGISTRY = auto()
    NO_CELL = auto()
    """The registry names a cell that it does not describe."""


def decide(route: Route | None, *, registry_ready: bool, asked: bool) -> Where:
    """Return where the request of a tenant with `route` goes.

    A tenant that is in its cut-over (`held`) is forwarded like any other: its fence decides, and
    so nobody waits for a mover that has died.
    """
    if route is None:
        if not asked:
            return Where.ASK
        return Where.UNKNOWN if registry_ready else Where.NO_REGISTRY
    if route.status == "blocked":
        return Where.BLOCKED
    return Where.NO_CELL if route.cell is None else Where.FORWARD


class Failure(Enum):
    """Why no answer came."""

    NOT_SENT = auto()
    """No connection stood: nothing was executed."""
    UNKNOWN = auto()
    """It broke, or what came was no answer: it may have been executed."""
    INVALID = auto()
    """What came is not HTTP, or not an answer that the edge takes; it may have been executed."""
    TIMEOUT = auto()
    """The caller's time is over."""
    OVERLOADED = auto()
    """No place was free in time: nothing was executed."""
    CLOSED = auto()
    """The cell's breaker is open: nothing was executed."""
    NO_STANDBY = auto()
    """There is nobody to acknowledge a write beside its home: it was not sent."""
    STANDBY_UNTOLD = auto()
    """The same, and the registry may tell in a moment: the home has just changed."""


class Next(Enum):
    """What to do after an attempt."""

    DELIVER = auto()
    REPAIR = auto()
    """The tenant lives at a newer epoch: note it and go there at once."""
    BEHIND = auto()
    """The cell does not know its tenant yet: ask again in 10 to 50 ms."""
    HOLD = auto()
    """The tenant is moving: wait for that to end."""
    AGAIN = auto()
    """Send the same again: the command_id makes twice have the effect of once."""
    RENEW = auto()
    """The cell found the grant too old: sign anew, go again."""
    MOVING = auto()
    """It was sent on too often."""
    REFUSED = auto()
    """The cell does not accept this edge."""
    UNAVAILABLE = auto()
    """Nothing was executed, and it is not tried again."""
    TIMEOUT = auto()
    """The caller's time is over while an answer was awaited."""
    INVALID = auto()
    """What the cell answered is not an answer to pass on."""


_DELIVER: Final = (Next.DELIVER, 0)
_INVALID: Final = (Next.INVALID, 0)


LOOKED_AT: Final = frozenset({401, 403, 409, 421, 429, *range(500, 600)})
"""Statuses whose code decides; a shell reads such an answer whole."""

_AGAIN_CODES: Final = frozenset({"outcome_unknown", "contention"})


@dataclass(slots=True)
class Attempt:
    """What was sent, and how often so far."""

    epoch: int
    hops: int = 0
    renewed: bool = False


def after(outcome: CellAnswer | Failure, attempt: Attempt) -> tuple[Next, int]:
    """Return what to do about `outcome`, and the epoch that came with a REPAIR (else 0)."""
    if isinstance(outcome, Failure):
        return _AFTER_FAILURE[outcome], 0
    status = outcome.status
    if status in LOOKED_AT:
        return _after_code(outcome, attempt)
    return _DELIVER if 200 <= status < 300 or 400 <= status < 500 else _INVALID


def code_of(answer: CellAnswer) -> str:
    """Return the code of the problem that `answer` holds, or ""."""
    if answer.headers.get(b"content-type", b"").partition(b";")[0] != b"application/problem+json":
        return ""
    try:
        return read_problem(answer.body).code
    except (msgspec.DecodeError, UnicodeDecodeError):
        return ""


def acknowledgers(route: Route) -> Failure | None:
    """Return why a write of a tenant with `route` may not be sent now, or None if it may.

    A cell's 421 names the new home and not the new standby, which most often is the old home; the
    registry's row, which is on its way, says so.
    """
    standby = route.standby
    if standby is None or standby.cell is not None or standby.policy == "degrade":
        return None
    return Failure.STANDBY_UNTOLD if route.reason == "learned" else Failure.NO_STANDBY


def leaves_doubt(outcome: CellAnswer | Failure) -> bool:
    """Say whether what was sent may have been executed although no answer says so."""
    if isinstance(outcome, Failure):
        return outcome in (Failure.UNKNOWN, Failure.INVALID, Failure.TIMEOUT)
    return outcome.status >= 500 and code_of(outcome) in ("", "outcome_unknown")


# Sending twice has the effect of once: a command has an id, everything else only reads.
_AFTER_FAILURE: Final = {
    Failure.NOT_SENT: Next.AGAIN,
    Failure.UNKNOWN: Next.AGAIN,
    Failure.INVALID: Next.AGAIN,
    Failure.TIMEOUT: Next.TIMEOUT,
    Failure.OVERLOADED: Next.UNAVAILABLE,
    Failure.CLOSED: Next.UNAVAILABLE,
    Failure.NO_STANDBY: Next.UNAVAILABLE,
    Failure.STANDBY_UNTOLD: Next.HOLD,
}


def _after_code(answer: CellAnswer, attempt: Attempt) -> tuple[Next, int]:
    code = code_of(answer)
    if answer.status == 421:
        return _after_moved(answer, code, attempt)
    if not code:
        if answer.status >= 500:
            return Next.AGAIN, 0
        # A gateway in front of the cell, not the cell: its 401 is about the edge, not the client.
        return (Next.REFUSED if answer.status in (401, 403) else Next.DELIVER), 0
    if code in _AGAIN_CODES:
        return Next.AGAIN, 0
    if code.startswith("grant_"):
        may = code == "grant_expired" and not attempt.renewed
        return (Next.RENEW if may else Next.REFUSED), 0
    return {"epoch_behind": Next.BEHIND, "frozen": Next.HOLD}.get(code, Next.DELIVER), 0


def _after_moved(answer: CellAnswer, code: str, attempt: Attempt) -> tuple[Next, int]:
    text = answer.headers.get(b"x-tenant-epoch", b"")
    if code != "moved" or not (text.isdigit() and len(text) <= 16):
        return Next.INVALID, 0
    epoch = int(text)
    if epoch <= attempt.epoch:
        return Next.BEHIND, 0  # The cell is the one with the older view: never go back.
    return (Next.REPAIR, epoch) if attempt.hops < HOPS_MAX else (Next.MOVING, 0)
