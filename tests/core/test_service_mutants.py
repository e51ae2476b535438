"""Planted faults in how commands are carried out, each of which the checks below must notice.

Idempotency, fencing and the journal belong to the service, not to a domain; so do their mutants.
Faults that only two writers at once can show are planted in test_interleaver.py.
"""

from collections.abc import Iterator

import pytest

from cell_core.domain.documents import ENTITY, LOG, Batch, Create
from cell_core.domain.errors import CellError
from cell_core.domain.fence import Fence, Role
from cell_core.domain.journal import fingerprint, read_entry
from cell_core.domain.verification import problems_of
from cell_core.domains.ledger import Ledger
from cell_core.memory import MemoryBackend, MemoryCellStore
from cell_core.service import plan as plan_module
from cell_core.service.control import Cell
from cell_core.service.positions import Positions
from tests.core.fresh import Modules

TENANT, PARTITION = "T-1", "T-1/00"
HERE = Cell(id="here", ordinal=1)
NOW_MS = 1_700_000_000_000

MUTANTS = {
    "a command that was answered before is decided again": (
        "service.plan",
        "if record is not None:",
        "if False:",
    ),
    "a repeated id inside a bundle is decided again": (
        "service.plan",
        "if entry.command_id == ask.command_id:",
        "if False:",
    ),
    "another request under the same id gets the first one's answer": (
        "service.plan",
        "if print_before != ask.fingerprint:",
        "if False:",
    ),
    "the idempotency record is not written": (
        "service.plan",
        "return log_document(entry), idempotency_document(entry)",
        "return (log_document(entry),)",
    ),
    "the digest does not take the old state off": (
        "service.plan",
        "digest = add(digest, made.tenant, old=old, new=new)",
        "digest = add(digest, made.tenant, old=None, new=new)",
    ),
    "a second command of a bundle is decided on the state before the first": (
        "service.plan",
        "document = made.changed.get(key) or made.documents.get(key)",
        "document = made.documents.get(key)",
    ),
    "the chain does not move on inside a bundle": (
        "service.plan",
        "made.fence = replace(made.fence, seq=entry.seq, chain=entry.chain, digest=entry.digest)",
        "made.fence = replace(made.fence, seq=entry.seq, digest=entry.digest)",
    ),
    "expected_version is not compared": (
        "service.plan",
        "if ask.expected_version not in (None, made.fence.seq):",
        "if False:",
    ),
    "the epoch of the request is not looked at": (
        "service.process",
        "fence = self._serving.check(partition, snapshot.fence, epoch)",
        "fence = snapshot.fence",
    ),
}


class Still:
    """A clock and a patience that stand still."""

    def now_ms(self) -> int:
        return NOW_MS

    def wait(self, attempt: int, deadline_ms: int) -> bool:
        return attempt < 5


class Service:
    """The service as two modules, one of them perhaps mutated."""

    def __init__(self, mutated: str = "", old: str = "", new: str = "") -> None:
        made = Modules(mutated, old, new)
        self.plan, self.process = made.plan, made.process
        self.backend = MemoryBackend()
        self.store = MemoryCellStore(self.backend)
        self.store.commit(
            Batch(partition=PARTITION, fence=Create(Fence(role=Role.ACTIVE, epoch=1)))
        )
        self.ledger = Ledger()

    def writer(self, positions: Positions | None = None):
        known = positions or Positions(self.store)
        return self.process.Processor(self.store, Still(), Still(), known, HERE)

    def ask(self, command_id: str, name: str, expected_version: int | None = None, **data: str):
        command = plan_module.Command(name, self.ledger.commands[name].model_validate(data))
        return self.plan.Ask(
            decider=self.ledger,
            stream="main",
            command_id=command_id,
            commands=(command,),
            fingerprint=fingerprint("ledger", "main", [(name, data)]),
            expected_version=expected_version,
        )


def complaints(service: Service) -> Iterator[str]:
    """Yield what is wrong after a short life; nothing for the service as it is."""
    here = service.writer()
    for account in ("alice", "bob"):
        _run(here, service.ask(f"open-{account}", "open_account", account=account))
    pay = {"debit": "alice", "credit": "bob", "amount": "5"}
    first = _run(here, service.ask("pay", "transfer", **pay))
    again = _run(here, service.ask("pay", "transfer", **pay))
    if _seq(first) != _seq(again):
        yield "a repeated command has another answer"
    other = _run(here, service.ask("pay", "transfer", **{**pay, "amount": "6"}))
    if _code(other) != "command_id_reused":
        yield "a reused id is not noticed"
    bundle = [service.ask(i, "transfer", **pay) for i in ("b1", "b2", "b1")]
    if _seq(_run(here, *bundle))[0] != _seq(_run(here, bundle[2]))[0]:
        yield "a repeated id in a bundle has another answer"
    stale = _run(here, service.ask("late", "transfer", expected_version=1, **pay))
    if _code(stale) != "version_mismatch":
        yield "a stale version is not noticed"
    there = service.writer()
    _run(there, service.ask("there", "close_account", account="nobody"))
    _run(there, service.ask("there-2", "transfer", **pay))
    _run(here, service.ask("here", "transfer", **pay))
    if _run(here, service.ask("old", "transfer", **pay), epoch=0):
        yield "a request of an older epoch is served"
    yield from _stored(service)


def _stored(service: Service) -> Iterator[str]:
    held = service.backend.partition(PARTITION)
    documents = sorted(held.documents.values(), key=lambda d: d.key)
    entries = [read_entry(d.body) for d in documents if d.key.startswith(LOG)]
    entities = [d for d in documents if d.key.startswith(ENTITY)]
    yield from problems_of(held.fence, entries, entities, [service.ledger], TENANT)
    applied = sum(entry.rejection is None and "transfer" in str(entry.events) for entry in entries)
    if applied != 5:
        yield f"{applied} transfers were carried out instead of 5"


def _run(writer, *asks, epoch: int = 1):
    try:
        return writer.process(TENANT, epoch, list(asks), NOW_MS + 1000)[0]
    except CellError:
        return []


def _code(answers) -> str:
    return getattr(answers[0], "code", "") if answers else "no answer"


def _seq(answers) -> list[int]:
    return [answer.entry.seq for answer in answers if hasattr(answer, "entry")] or [-1]


def test_the_service_as_it_is_gives_no_cause_for_complaint():
    assert list(complaints(Service())) == []


@pytest.mark.parametrize(("module", "old", "new"), MUTANTS.values(), ids=MUTANTS)
def test_each_planted_fault_is_noticed(module, old, new):
    assert list(complaints(Service(module, old, new))) != []
