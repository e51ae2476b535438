"""What happens in which order when cells are deployed, and what stops it.

Refuses a plan that would lose what a cell keeps, and to start on a cell that is in trouble.
Runs nothing itself: Terraform, clouds, probe and operator are given to it.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from enum import Enum
from typing import Any, Final, Protocol

from tools.deploy_plan import Plan

LOOK_EVERY_S: Final = 30.0
SHOWN_MAX: Final = 60

Document = Mapping[str, Any]
"""A cell as its module describes it: the output `cell`."""


class Outcome(Enum):
    """How a deployment ended."""

    DEPLOYED = "deployed"
    PLANNED = "planned"
    DECLINED = "declined"
    REFUSED = "refused"
    STOPPED = "stopped"


class Failed(Exception):
    """A program that a deployment needs did not do its work; says which, and what it printed."""


class Infrastructure(Protocol):
    """What makes a cell's resources."""

    def plan(self, root: str) -> Plan:
        """Return what would change. Raises `Failed`."""

    def apply(self, root: str, plan: Plan) -> Document:
        """Apply exactly `plan`, publish the cell's document, and return it. Raises `Failed`."""

    def document(self, root: str) -> Document | None:
        """Return the document of what stands there, None for nothing. Raises `Failed`."""


class Alarms(Protocol):
    """What watches a cell."""

    def ringing(self, document: Document) -> Sequence[str]:
        """Return the names of alarms that ring now. Raises `Failed`."""


class Probe(Protocol):
    """What asks a cell whether it is one."""

    def problems(self, document: Document) -> Sequence[str]:
        """Return how its answers differ from a cell's; nothing for a sound one."""


class Operator(Protocol):
    """Who deploys."""

    def say(self, line: str) -> None:
        """Show one line."""

    def confirms(self, question: str, word: str) -> bool:
        """Return whether `word` is the answer to `question`."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Wave:
    """One cell, and the folder of its root."""

    cell: str
    root: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Rules:
    """How to deploy.

    Attributes:
        is_dry_run: Show each plan and apply none.
        confirmed: Cells that need no question.
        bake_s: How long a deployed cell is watched before it is probed.
    """

    is_dry_run: bool
    confirmed: frozenset[str] = frozenset()
    bake_s: float = 600


@dataclass(frozen=True, slots=True, kw_only=True)
class Tools:
    """What a deployment works with; `probe` may be missing from a dry run."""

    infrastructure: Infrastructure
    alarms: Alarms
    probe: Probe | None
    operator: Operator
    wait_s: Callable[[float], None]


def deploy(waves: Sequence[Wave], tools: Tools, rules: Rules) -> Outcome:
    """Deploy each cell of `waves` after the one before proved itself; say how it ended."""
    outcome = Outcome.PLANNED if rules.is_dry_run else Outcome.DEPLOYED
    for at, wave in enumerate(waves):
        try:
            outcome = _wave(wave, tools, rules)
        except Failed as failed:
            tools.operator.say(str(failed))
            outcome = Outcome.STOPPED
        if outcome not in (Outcome.DEPLOYED, Outcome.PLANNED):
            left = ", ".join(each.cell for each in waves[at + 1 :]) or "none"
            tools.operator.say(f"{wave.cell}: {outcome.value}. Cells left as they were: {left}.")
            return outcome
    return outcome


def _wave(wave: Wave, tools: Tools, rules: Rules) -> Outcome:
    say = tools.operator.say
    plan = tools.infrastructure.plan(wave.root)
    say(f"{wave.cell}: {plan.summary()}")
    for line in plan.lines()[:SHOWN_MAX]:
        say(f"  {line}")
    if plan.losses():
        say(f"Refused: this would lose {', '.join(plan.losses())}. docs/tearing-down.md says how.")
        return Outcome.REFUSED
    if rules.is_dry_run:
        return Outcome.PLANNED
    standing = tools.infrastructure.document(wave.root)
    if standing is not None and _rings(wave, standing, tools, "before anything was changed"):
        return Outcome.STOPPED
    if wave.cell not in rules.confirmed and not tools.operator.confirms(
        f"Apply this plan to {wave.cell}?", wave.cell
    ):
        return Outcome.DECLINED
    return _prove(wave, tools.infrastructure.apply(wave.root, plan), tools, rules)


def _prove(wave: Wave, document: Document, tools: Tools, rules: Rules) -> Outcome:
    """Watch a cell that was just deployed, then probe it."""
    say = tools.operator.say
    say(f"{wave.cell}: applied; watching its alarms for {rules.bake_s / 60:g} minutes")
    left_s = rules.bake_s
    while left_s > 0:
        tools.wait_s(min(LOOK_EVERY_S, left_s))
        left_s -= LOOK_EVERY_S
        if _rings(wave, document, tools, "while it was watched"):
            return Outcome.STOPPED
    problems = tools.probe.problems(document) if tools.probe else ["nobody could probe it"]
    for problem in problems:
        say(f"{wave.cell}: probe: {problem}")
    if problems:
        return Outcome.STOPPED
    say(f"{wave.cell}: deployed, and answers as every cell does")
    return Outcome.DEPLOYED


def _rings(wave: Wave, document: Document, tools: Tools, when: str) -> bool:
    ringing = tools.alarms.ringing(document)
    if ringing:
        tools.operator.say(f"{wave.cell}: alarm {when}: {', '.join(ringing)}")
    return bool(ringing)
