"""A random walk over any domain: what the kernel promises, what the domain promises, every step.

The walk runs batches on only what they touch, as the service does. Where there is a second, naive
version of the domain, its answers and its state must be the same.
"""

import json
from collections.abc import Sequence
from typing import Any, ClassVar

from hypothesis import note
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, rule

import tests.profiles  # noqa: F401 - the profile must be loaded before a machine takes its settings
from cell_core.domain.canonical import canonical
from cell_core.domain.decider import Command, Context, Decider, Event, Swept, Viewed, execute, fold
from tests.core.drawing import Drawing
from tests.core.naive import MODELS, Naive

WAITS_MS = (0, 1, 1, 2, 10)
BATCHES_A_STEP = 4
"""A step of hypothesis costs as much as three batches."""

SIZES = (1, 1, 1, 3)


class DomainMachine(RuleBasedStateMachine):
    """Subclass it with a `decider`."""

    decider: ClassVar[Decider]

    def __init__(self) -> None:
        super().__init__()
        self.time_ms, self.seq = 1000, 0
        self.entities: dict[str, Any] = {}
        self.log: list[tuple[str, str]] = []
        self.past: list[list[Command]] = []
        self.naive = MODELS.get(self.decider.name, Naive)()
        self.is_known = self.decider.name in MODELS
        self.is_swept = isinstance(self.decider, Swept)

    def due(self, time_ms: int) -> list[Command]:
        found = (self.decider.due(key, body, time_ms) for key, body in self.entities.items())
        return [due[1] for due in found if due is not None]

    def context(self, wait_ms: int) -> Context:
        return Context(
            tenant="T-1",
            stream="main",
            command_id=f"c{self.seq + 1}",
            time_ms=self.time_ms + wait_ms,
            seq=self.seq + 1,
        )

    @rule(seed=st.integers(0, 2**64 - 1))
    def run(self, seed: int) -> None:
        for _ in range(BATCHES_A_STEP):
            # Salted: hypothesis likes to draw one seed again and again.
            drawing = Drawing(seed + self.seq, self.decider, self.entities, self.naive.plausible)
            context = self.context(drawing.pick(WAITS_MS))
            commands = self.draw(drawing, context)
            note((context.time_ms, commands))
            self.time_ms, self.seq = context.time_ms, context.seq
            self.past = [*self.past[-15:], commands]
            self.apply(commands, context)

    def draw(self, drawing: Drawing, context: Context) -> list[Command]:
        """Draw a batch: one of before, or what is due now, or mostly a new one."""
        if self.past and drawing.chance(1 / 16):
            return drawing.pick(self.past)
        if self.is_swept and drawing.chance(1 / 16):
            return self.due(context.time_ms)
        return drawing.commands(list(self.decider.commands), drawing.pick(SIZES), context)

    def apply(self, commands: Sequence[Command], context: Context) -> None:
        touched = {key for command in commands for key in self.decider.touches(command)}
        loaded = {key: self.entities[key] for key in touched if key in self.entities}
        text_before = canonical(loaded)

        outcome = execute(self.decider, loaded, commands, context)

        assert canonical(loaded) == text_before, "a domain changed what it was given"
        again = execute(self.decider, json.loads(text_before), commands, context)
        assert again == outcome, "a domain decided twice and differently"
        if outcome.rejection is not None:
            assert outcome.rejection.code in self.decider.rejections
            assert not outcome.changes
        self.log += [(event.type, canonical(event.data)) for event in outcome.events]
        for key, text in outcome.changes.items():
            if text is None:
                self.entities.pop(key, None)  # What a batch makes and deletes was never here.
            else:
                self.entities[key] = json.loads(text)
        if self.is_known:
            self.compare(commands, outcome.rejection)

    def compare(self, commands: Sequence[Command], rejection: Any) -> None:
        answer = None if rejection is None else (rejection.code, rejection.index)
        expected = self.naive.run(commands, self.time_ms, self.seq)
        assert answer == expected, f"the answer is {answer} and should be {expected}"
        state = self.naive.entities()
        assert self.entities == state, f"the state is {self.entities} and should be {state}"

    def teardown(self) -> None:
        events = [Event(kind, json.loads(data)) for kind, data in self.log]
        assert fold(self.decider, events) == self.entities
        assert not self.is_swept or self.due(0) == []
        if isinstance(self.decider, Viewed):
            views = {name: view(self.entities.items()) for name, view in self.decider.views.items()}
            assert views.get("trial_balance", {"balanced": True})["balanced"]
            assert json.loads(canonical(views)) == views


def machine_of(decider: Decider) -> type[DomainMachine]:
    """Return the machine that walks over `decider`."""
    return type(f"{type(decider).__name__}Machine", (DomainMachine,), {"decider": decider})
