"""Performs a flow's effects on a bench, one step at a time, and lets each step fail.

A step is one I/O: a request to a cell (each of those sent together), a read or a commit of the
registry. A flow may be dropped before any step (a crash), left there and driven on later (a zombie,
or one of two movers in turn), and a step may be lost: done, with no answer.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Final, Literal, TypeAlias, TypeVar

from cell_control.flows.effects import (
    Ask,
    CellAnswer,
    Commit,
    Effect,
    Flow,
    Get,
    ListRecords,
    NoAnswer,
    Pause,
    SkipTo,
    Together,
)
from cell_control.ports import RegistryError, RegistryUnavailable, RegistryUnknown
from tests.control.bench import CALL_MS, Bench

Result = TypeVar("Result")

Fault: TypeAlias = Literal["crash", "lost", "failed", "late"]
"""Dropped before the step; done, but nobody hears of it; not done, and nobody knows; the same, and
it may be done at any later time: see `Drive.late`."""

STEPS_MAX: Final = 5000


class Crashed(BaseException):
    """The process that ran the flow is gone."""


@dataclass(frozen=True, slots=True)
class Step:
    """One I/O, by a name such as `freeze aws-alpha`."""

    number: int
    name: str


class Drive:
    """A flow under way. `step` performs its next I/O; after `is_over`, see `result`.

    Args:
        faults: What happens at which step, counted from 0; may grow while the flow is driven.
        before: Called before each step, as for clients that write meanwhile.

    Attributes:
        late: What was asked of a cell or the registry and has not arrived there.
    """

    def __init__(
        self,
        bench: Bench,
        flow: Flow[Any],
        *,
        faults: Mapping[int, Fault] | None = None,
        before: Callable[[Step], None] = lambda _: None,
        refuses: Callable[[Ask], CellAnswer | NoAnswer | None] = lambda _: None,
    ) -> None:
        self._bench, self._flow = bench, flow
        self._faults = {} if faults is None else faults
        self._before, self._refuses = before, refuses
        self._effect: Effect | None = None
        self._answers: list[Any] = []
        self.steps: list[Step] = []
        self.late: list[Ask | Commit] = []
        self.is_over = False
        self.result: Any = None
        self._go_on(None)

    def run(self) -> Any:
        """Perform all that is left; return what the flow returned."""
        while not self.is_over:
            assert len(self.steps) < STEPS_MAX, "the flow does not end"
            self.step()
        return self.result

    def next(self) -> str:
        """Return the name of the next step; empty if there is none."""
        effect = self._effect
        if self.is_over or effect is None:
            return ""
        if isinstance(effect, Together):
            return name_of(effect.asks[len(self._answers)])
        return name_of(effect)

    def step(self) -> None:
        """Perform one I/O.

        Raises:
            Crashed: By a fault, before it.
        """
        assert not self.is_over
        effect = self._effect
        while isinstance(effect, Pause):
            self._bench.clock.time_ms += effect.ms
            self._go_on(None)
            effect = self._effect
            if self.is_over:
                return
        assert effect is not None
        one = effect.asks[len(self._answers)] if isinstance(effect, Together) else effect
        step = Step(len(self.steps), name_of(one))
        fault = self._faults.get(step.number)
        self._before(step)
        if fault == "crash":
            self._flow.close()
            self.is_over = True
            raise Crashed(step.name)
        self.steps.append(step)
        answer, error = self._perform(one, fault)
        self._bench.clock.time_ms += CALL_MS
        if error is not None:
            self._throw(error)
        elif not isinstance(effect, Together):
            self._go_on(answer)
        else:
            self._answers.append(answer)
            if len(self._answers) == len(effect.asks):
                answers, self._answers = tuple(self._answers), []
                self._go_on(answers)

    def _perform(self, effect: Effect, fault: Fault | None) -> tuple[Any, Exception | None]:
        if fault == "late" and isinstance(effect, Ask | Commit):
            self.late.append(effect)
        if isinstance(effect, Ask):
            return self._ask(effect, fault), None
        if fault in ("failed", "late"):
            doubt = fault == "late" and isinstance(effect, Commit)
            return None, RegistryUnknown() if doubt else RegistryUnavailable()
        try:
            answer = self._look_up(effect)
        except RegistryError as error:
            return None, error
        if fault == "lost":
            doubt = isinstance(effect, Commit | SkipTo)
            return None, RegistryUnknown() if doubt else RegistryUnavailable()
        return answer, None

    def _look_up(self, effect: Effect) -> Any:
        registry = self._bench.registry
        match effect:
            case Get(keys):
                return tuple(registry.get(keys))
            case ListRecords(kind=kind, tag=tag, prefix=prefix, after=after, limit=limit):
                found = registry.list(kind, tag=tag, prefix=prefix, after=after, limit=limit)
                return tuple(found)
            case Commit(writes):
                return registry.commit(writes)
            case SkipTo(rev):
                return registry.skip_to(rev)
            case _:
                raise AssertionError(effect)

    def _ask(self, ask: Ask, fault: Fault | None) -> CellAnswer | NoAnswer:
        if fault in ("failed", "late"):
            return NoAnswer(reason="not sent")
        refusal = self._refuses(ask)
        if refusal is not None:
            return refusal
        answer = self._bench.cells[ask.cell].ask(ask)
        return NoAnswer(reason="lost") if fault == "lost" else answer

    def _go_on(self, answer: Any) -> None:
        try:
            self._effect = self._flow.send(answer)
        except StopIteration as end:
            self.is_over, self.result = True, end.value

    def _throw(self, error: Exception) -> None:
        self._answers = []
        try:
            self._effect = self._flow.throw(error)
        except StopIteration as end:
            self.is_over, self.result = True, end.value


def run(bench: Bench, flow: Flow[Result]) -> Result:
    """Perform a whole flow without a fault; return what it returned."""
    result: Result = Drive(bench, flow).run()
    return result


def name_of(effect: Effect) -> str:
    """Return a step's name: what is asked of whom."""
    match effect:
        case Ask():
            what = effect.path.partition("?")[0].rpartition("/")[2]
            return f"{what if effect.method == 'POST' else 'get ' + what} {effect.cell}"
        case Get():
            return "get"
        case ListRecords():
            return f"list {effect.kind}"
        case Commit(writes):
            return "commit " + " ".join(sorted({write.kind for write in writes}))
        case _:
            return type(effect).__name__.lower()
