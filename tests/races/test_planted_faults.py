"""The proof after a race notices the faults it is there for, in the one interleaving that counts.

Another writer commits right after the first read of the one under test; nothing is left to chance.
"""

from collections.abc import Callable, Sequence

import pytest

from cell_core.domain.documents import Batch, Page, Snapshot
from cell_core.ports import CellStore
from tests.races.proof import problems_after
from tests.races.race import Ground, prepared
from tests.races.racer import Answers, new_processor, send

pytestmark = pytest.mark.xdist_group("planted-faults")


class Interrupted:
    """A store in which somebody else is faster, once, after the first read of documents."""

    def __init__(self, inner: CellStore, meanwhile: Callable[[], None]) -> None:
        self._inner = inner
        self._meanwhile: list[Callable[[], None]] = [meanwhile]

    def read(self, partition: str, keys: Sequence[str]) -> Snapshot:
        snapshot = self._inner.read(partition, keys)
        if keys and self._meanwhile:
            self._meanwhile.pop()()
        return snapshot

    def page(self, partition: str, prefix: str, *, after: str | None, limit: int) -> Page:
        return self._inner.page(partition, prefix, after=after, limit=limit)

    def commit(self, batch: Batch) -> None:
        self._inner.commit(batch)

    def ping(self) -> None:
        self._inner.ping()


def _overtaken(on: Ground, build: str, *, ours: str, theirs: str) -> tuple[list[str], str]:
    """Let `theirs` be committed in the middle of `ours`; return the problems and our answer."""
    _, store, opening = prepared(on)
    others: list[Answers] = []
    interrupted = Interrupted(
        store, lambda: others.append(send(new_processor(store, "right", "theirs"), [theirs]))
    )

    answers = send(new_processor(interrupted, build, "ours"), [ours])

    assert others[0].answered.keys() == {theirs}
    return problems_after(store, [opening, answers, *others]), answers.answered[ours][1]


# Alice holds 100: whether she can pay 150 depends on whether she was paid before.
def test_a_writer_that_was_overtaken_decides_again(on):
    problems, answer = _overtaken(
        on, "right", ours="pay-alice.bob.150", theirs="pay-carol.alice.100"
    )

    assert (problems, answer) == ([], "applied")


def test_a_refusal_on_entities_read_before_the_position_is_noticed(on):
    problems, answer = _overtaken(
        on, "entities-first", ours="pay-alice.bob.150", theirs="pay-carol.alice.100"
    )

    assert answer == "insufficient_funds"
    assert problems == ["entry 9 is not what its command comes to at its place"]


def test_an_update_that_is_lost_is_noticed(on):
    problems, answer = _overtaken(
        on, "entities-first-and-blind", ours="pay-alice.bob.10", theirs="pay-carol.alice.10"
    )

    assert answer == "applied"
    assert "ENT:ledger:main:account.alice is not the fold of its events" in problems
    assert "the entities do not add up to the fence's digest" in problems
    assert "the accounts hold 290, not 300" in problems


@pytest.mark.parametrize("wrong", [(1, "applied"), (8, "insufficient_funds")])
def test_an_answer_that_is_not_the_logs_is_noticed(on, wrong):
    _, store, opening = prepared(on)
    paid = send(new_processor(store, "right", "ours"), ["pay-alice.bob.10"])
    assert paid.answered == {"pay-alice.bob.10": (8, "applied")}
    paid.answered["pay-alice.bob.10"] = wrong

    [problem] = problems_after(store, [opening, paid])

    assert problem.startswith("pay-alice.bob.10 was told")


def test_an_acknowledged_command_that_is_not_in_the_log_is_noticed(on):
    _, store, opening = prepared(on)

    [problem] = problems_after(store, [opening, Answers(answered={"pay-a.b.1": (8, "applied")})])

    assert problem == "pay-a.b.1 was told (8, 'applied'), the log says None"


def test_a_command_that_was_done_and_never_answered_is_noticed(on):
    _, store, opening = prepared(on)
    send(new_processor(store, "right", "ours"), ["pay-alice.bob.10"])

    assert problems_after(store, [opening]) == ["pay-alice.bob.10 was done and never answered"]
