"""One call to a cell as a value: what to ask, how to read the answer, and how it may end instead.

Refuses to retry, and to believe an answer that is not what a cell writes: that is no answer.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final, Generic, TypeVar

from cell_control.flows.effects import Ask, CellAnswer, Flow, NoAnswer, Together
from cell_core.domain.fence import Fence, fence_from

T = TypeVar("T")
Answered_co = TypeVar("Answered_co", covariant=True)

TOGETHER_MAX: Final = 64
BUSY_MS: Final = 100
"""How long to leave a cell alone that asked for less without saying for how long."""

_BUSY: Final = frozenset(
    {"contention", "throttled", "store_unavailable", "overloaded", "outcome_unknown"}
)


class NotDone(Exception):
    """A call did not end as asked; the kinds below say what may be done now.

    Attributes:
        cell: Which cell was asked.
    """

    def __init__(self, cell: str, what: str) -> None:
        super().__init__(f"{cell}: {what}")
        self.cell = cell


class Absent(NotDone):
    """The cell has no fence of the tenant, or not yet all of them."""

    def __init__(self, cell: str) -> None:
        super().__init__(cell, "tenant not found")


class Dark(NotDone):
    """Nothing that a cell writes came back: it may have been done, so look before deciding."""

    def __init__(self, cell: str, reason: str) -> None:
        super().__init__(cell, f"no answer ({reason})")


class Busy(NotDone):
    """Another caller won, or the store asks for less, or lost the answer: look, or ask again.

    Attributes:
        retry_after_ms: Not before then.
    """

    def __init__(self, cell: str, code: str, retry_after_ms: int) -> None:
        super().__init__(cell, code)
        self.code = code
        self.retry_after_ms = retry_after_ms


class Refused(NotDone):
    """A fence does not admit it; stripes before it may be changed.

    Attributes:
        fence: As it is; of which stripe is not said.
    """

    def __init__(self, cell: str, fence: Fence) -> None:
        super().__init__(cell, f"fence is {fence.role.value} at epoch {fence.epoch}")
        self.fence = fence


class Gap(NotDone):
    """Entries are missing before the ones sent.

    Attributes:
        have: The last one held there.
    """

    def __init__(self, cell: str, have: int) -> None:
        super().__init__(cell, f"holds entries up to {have}")
        self.have = have


class Diverged(NotDone):
    """Two logs that must be one differ at `seq`; nothing was overwritten, a person must look."""

    def __init__(self, cell: str, seq: int) -> None:
        super().__init__(cell, f"logs differ at {seq}")
        self.seq = seq


class Wrong(NotDone):
    """Asking the same again cannot help.

    Attributes:
        code: The cell's, such as `grant_invalid` or `payload_too_large`.
    """

    def __init__(self, cell: str, status: int, code: str) -> None:
        super().__init__(cell, f"{status} {code}".rstrip())
        self.code = code


@dataclass(frozen=True, slots=True)
class Call(Generic[Answered_co]):
    """What to ask, and how to read the JSON of an answer of 200."""

    ask: Ask
    read: Callable[[Any], Answered_co]


def do(call: Call[T]) -> Flow[T]:
    """Make the call; return what the cell answered.

    Raises:
        NotDone: One of its kinds.
    """
    answer = yield call.ask
    outcome = outcome_of(call, answer)
    if isinstance(outcome, NotDone):
        raise outcome
    return outcome


def together(calls: Sequence[Call[T]]) -> Flow[list[T | NotDone]]:
    """Make all calls at the same time, 64 at most; return what became of each, in their order."""
    outcomes: list[T | NotDone] = []
    for start in range(0, len(calls), TOGETHER_MAX):
        part = calls[start : start + TOGETHER_MAX]
        answers = yield Together(tuple(call.ask for call in part))
        outcomes += [outcome_of(call, a) for call, a in zip(part, answers, strict=True)]
    return outcomes


def outcome_of(call: Call[T], answer: CellAnswer | NoAnswer) -> T | NotDone:
    """Return what `call` came to, given `answer`."""
    cell = call.ask.cell
    if isinstance(answer, NoAnswer):
        return Dark(cell, answer.reason)
    try:
        return call.read(answer.body) if answer.ok else _refusal(cell, answer)
    except (KeyError, TypeError, ValueError, AttributeError):
        return Dark(cell, "broken answer")


def _refusal(cell: str, answer: CellAnswer) -> NotDone:
    fields = answer.body if isinstance(answer.body, Mapping) else {}
    match answer.code:
        case "tenant_not_found":
            return Absent(cell)
        case "fence_refused":
            return Refused(cell, fence_from(fields["fence"]))
        case "gap":
            return Gap(cell, int(fields["have"]))
        case "diverged":
            return Diverged(cell, int(fields["seq"]))
        case code if code in _BUSY:
            return Busy(cell, code, int(fields.get("retry_after_ms", BUSY_MS)))
        case code if answer.status == 401:
            # Keys are being changed, or clocks differ: the next grant may be accepted.
            return Busy(cell, code, BUSY_MS)
        case code if 400 <= answer.status < 500 and code:
            return Wrong(cell, answer.status, code)
        case _:
            return Dark(cell, f"status {answer.status}")
