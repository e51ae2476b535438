"""A random walk over any domain: what the kernel promises, what the domain promises, every step.

The walk runs batches on only what they touch, as the service does. Where there is a second, naive
version of the domain, its answers and its state must be the same.
"""

import json
from collections.abc import Sequence
from typing import Any, ClassVar

from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, rule

import tests.profiles  # noqa: F401 - the profile must be loaded before a machine takes its settings
from cell_core.domain.canonical import canonical
from cell_core.domain.decider import Command, Context, Decider, Event, Swept, Viewed, execute, fold
from tests.core.drawing import Drawing
from tests.core.naive import MODELS, Naive

WAITS_MS = (0, 1, 1, 2, 10)
SIZES = (1, 1, 2, 3)


@st.composite
def steps(draw: Any) -> tuple[int, list[Command]]:
    """How long to wait, and the batch to run then: new, one of before, or what is due."""
    machine = draw(st.runner())
    drawing = Drawing(draw, machine.decider, machine.entities, machine.naive.plausible, machine.seq)
    wait_ms = drawing.pick(WAITS_MS)
    context = machine.context(wait_ms)
    if machine.past and drawing.chance(1 / 16):
        return wait_ms, drawing.pick(machine.past)
    if machine.is_swept and drawing.chance(1 / 16):
        return wait_ms, machine.due(context.time_ms)
    return wait_ms, drawing.commands(machine.names, drawing.pick(SIZES), context)


class DomainMachine(RuleBasedStateMachine):
    """Subclass it with a `decider`."""

    decider: ClassVar[Decider]

    def __init__(self) -> None:
        super().__init__()
        self.time_ms, self.seq = 1000, 0
        self.entities: dict[str, Any] = {}
        self.log: list[tuple[str, str]] = []
        self.past: list[list[Command]] = []
        self.names = list(self.decider.commands)
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

    @rule(step=steps())
    def run(self, step: tuple[int, list[Command]]) -> None:
        wait_ms, commands = step
        context = self.context(wait_ms)
        self.time_ms, self.seq = context.time_ms, context.seq
        self.past = [*self.past[-15:], commands]
        self.apply(commands, context)

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
        assert answer == self.naive.run(commands, self.time_ms, self.seq)
        assert self.entities == self.naive.entities()

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
