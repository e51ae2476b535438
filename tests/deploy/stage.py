"""Everything a deployment works with, as fakes that remember in which order they were used."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tools.deploy_plan import Change, Plan
from tools.deploy_waves import Failed, Outcome, Rules, Tools, Wave, deploy

ALPHA = Wave(cell="alpha", root="alpha-aws")
BETA = Wave(cell="beta", root="beta-azure")
CREATION = Change(address="module.cell.aws_sqs_queue.x", kind="aws_sqs_queue", verb="create")
LOSS = Change(
    address="module.cell.aws_dynamodb_table.state", kind="aws_dynamodb_table", verb="replace"
)


@dataclass(kw_only=True)
class Stage:
    """Two cells that stand there already.

    Attributes:
        changes: What each root's plan would do.
        rings: What rings at each look, one list a look; then nothing.
        found: What the probe finds in each cell.
        answers: What the operator answers.
        done: What was done, in order.
    """

    changes: dict[str, tuple[Change, ...]] = field(default_factory=dict)
    rings: list[list[str]] = field(default_factory=list)
    found: dict[str, list[str]] = field(default_factory=dict)
    answers: bool = True
    stands: bool = True
    broken: str = ""
    done: list[str] = field(default_factory=list)
    said: list[str] = field(default_factory=list)
    waited_s: float = 0

    def deploy(self, *waves: Wave, **rules: Any) -> Outcome:
        given = {"is_dry_run": False, "bake_s": 60, **rules}
        tools = Tools(
            infrastructure=self, alarms=self, probe=self, operator=self, wait_s=self._wait
        )
        return deploy(waves, tools, Rules(**given))

    def plan(self, root: str) -> Plan:
        self._do(f"plan {root}")
        return Plan(path=Path("x.tfplan"), changes=self.changes.get(root, (CREATION,)))

    def apply(self, root: str, plan: Plan) -> Mapping[str, Any]:
        self._do(f"apply {root}")
        return {"id": root.partition("-")[0]}

    def document(self, root: str) -> Mapping[str, Any] | None:
        return {"id": root.partition("-")[0]} if self.stands else None

    def problems(self, document: Mapping[str, Any]) -> Sequence[str]:
        self._do(f"probe {document['id']}")
        return self.found.get(document["id"], [])

    def ringing(self, document: Mapping[str, Any]) -> Sequence[str]:
        return self.rings.pop(0) if self.rings else []

    def confirms(self, question: str, word: str) -> bool:
        self.done.append(f"ask {word}")
        return self.answers

    def say(self, line: str) -> None:
        self.said.append(line)

    def _wait(self, seconds: float) -> None:
        self.waited_s += seconds

    def _do(self, what: str) -> None:
        self.done.append(what)
        if what == self.broken:
            raise Failed(f"{what} failed")
