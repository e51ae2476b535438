"""One writer's side of a race: sends commands until they are answered and notes the answers.

Refuses to invent an answer: a command that was never answered is reported as such.
"""

import time
from collections.abc import Iterable
from dataclasses import dataclass, field
from random import Random
from typing import Final

from cell_core.domain.errors import BackendError, CellError, LostRace
from cell_core.ports import CellStore
from cell_core.service.plan import Answered
from cell_core.service.positions import Positions
from cell_core.service.process import Processor
from cell_core.system import JitteredPatience, SystemClock
from tests.contract.cell_samples import HOME
from tests.races.bank import EPOCH, TENANT, ask_of
from tests.races.faults import BUILDS

_TRIES_MAX: Final = 60
_BUDGET_MS: Final = 10_000


@dataclass(slots=True)
class Answers:
    """What was answered: the seq, and the code of a rejection or "applied", by command id."""

    answered: dict[str, tuple[int, str]] = field(default_factory=dict)
    unanswered: list[str] = field(default_factory=list)
    errors: list[str] = field(default_factory=list)
    contended: int = 0


def new_processor(store: CellStore, build: str, seed: str) -> Processor:
    """Return a processor as a cell has it, or one with the fault that `build` names."""
    clock, parts = SystemClock(), BUILDS[build]
    store = parts.store(store)
    patience = JitteredPatience(clock, Random(seed))
    return parts.processor(store, clock, patience, Positions(store), HOME)


def send(processor: Processor, command_ids: Iterable[str]) -> Answers:
    """Send each command under its id until it is answered, a bounded number of times."""
    answers = Answers()
    for command_id in command_ids:
        for _ in range(_TRIES_MAX):
            try:
                _send_once(processor, command_id, answers)
            except (LostRace, BackendError):
                answers.contended += 1  # Sent again under the same id, as the edge would.
            except CellError as error:
                answers.errors.append(f"{command_id}: {error}")
                break
            else:
                break
        else:
            answers.unanswered.append(command_id)
    return answers


def _send_once(processor: Processor, command_id: str, answers: Answers) -> None:
    deadline_ms = time.time_ns() // 1_000_000 + _BUDGET_MS
    [settled], _ = processor.process(TENANT, EPOCH, [ask_of(command_id)], deadline_ms)
    if not isinstance(settled, Answered):
        raise settled
    rejection = settled.entry.rejection
    answers.answered[command_id] = (settled.entry.seq, rejection.code if rejection else "applied")
