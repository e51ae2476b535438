"""From a fence, what was read and what is asked: one atomic batch and an answer for each. Pure.

This is group commit (protocol.md 4): commands that arrive together become one transaction, each
with its own journal entry and its own answer, exactly as if they had been run one by one.
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import TypeAlias

from cell_core.domain.canonical import sent_bytes
from cell_core.domain.decider import Body, Command, Context, Decider, Outcome, Rejection, execute
from cell_core.domain.digest import add
from cell_core.domain.documents import (
    Advance,
    Batch,
    Document,
    Put,
    entity_key,
    idempotency_key,
    log_key,
)
from cell_core.domain.errors import CellError, Rejected, VersionMismatch
from cell_core.domain.fence import Fence, Guard, Role
from cell_core.domain.journal import Entry, fits, has_large_event, write_entry
from cell_core.domain.limits import COMMIT_BYTES_MAX, OPERATIONS_MAX


@dataclass(frozen=True, slots=True, kw_only=True)
class Ask:
    """One validated envelope: commands of one stream under one id, all or nothing.

    Attributes:
        entities: The ids of the entities it touches, by the keys of their documents.
    """

    decider: Decider
    stream: str
    command_id: str
    commands: tuple[Command, ...]
    fingerprint: str
    expected_version: int | None = None
    trace: str = ""
    entities: Mapping[str, str] = field(init=False)

    def __post_init__(self) -> None:
        touched = (e for command in self.commands for e in self.decider.touches(command))
        found = {entity_key(self.decider.name, self.stream, e): e for e in touched}
        object.__setattr__(self, "entities", found)

    def needs(self) -> list[str]:
        """Return the keys of the documents that must be read before deciding."""
        return [idempotency_key(self.command_id), *self.entities]


@dataclass(frozen=True, slots=True)
class Answered:
    """The journal entry that answers an ask; `replayed` if it is an earlier one."""

    entry: Entry
    replayed: bool = False


@dataclass(frozen=True, slots=True)
class Earlier:
    """The ask was answered at `seq`; the entry has yet to be read."""

    seq: int


Answer: TypeAlias = Answered | Earlier | CellError


@dataclass(slots=True)
class Plan:
    """What to write, and what to answer once it is written.

    `answers` covers the first asks; those behind them did not fit and need another round.
    """

    tenant: str
    start: Fence
    fence: Fence
    documents: dict[str, Document]
    answers: list[Answer] = field(default_factory=list)
    entries: list[Entry] = field(default_factory=list)
    changed: dict[str, Document] = field(default_factory=dict)
    bytes_written: int = 0

    def batch(self, partition: str) -> Batch:
        """Return the atomic write of this plan's entries; call it only if there are any."""
        writes = [Put(document) for e in self.entries for document in _records(e)]
        writes += [Put(new, self.documents.get(key)) for key, new in self.changed.items()]
        guard = Guard(role=Role.ACTIVE, epoch=self.start.epoch, seq=self.start.seq)
        sets: dict[str, str | int] = {
            "seq": self.fence.seq,
            "chain": self.fence.chain,
            "digest": self.fence.digest,
        }
        # The chain covers partition, epoch, seq and content, so equal tokens mean equal batches.
        token = self.fence.chain[:36]
        return Batch(
            partition=partition, fence=Advance(guard, sets), writes=tuple(writes), token=token
        )


def plan(
    tenant: str,
    fence: Fence,
    documents: Mapping[str, Document],
    asks: Sequence[Ask],
    time_ms: int,
) -> Plan:
    """Decide `asks` in order on the state in `documents`, read after `fence`'s position was known.

    Raises:
        InvariantBroken: A domain is wrong; nothing may be written.
    """
    made = Plan(tenant, fence, fence, dict(documents))
    for ask in asks:
        answer = _known(made, ask) or _decide(made, ask, time_ms)
        if answer is None:
            break
        made.answers.append(answer)
    return made


def _known(made: Plan, ask: Ask) -> Answer | None:
    """Return the answer that is already settled without deciding anything."""
    for entry in made.entries:
        if entry.command_id == ask.command_id:
            return _replay(ask, entry.fingerprint, Answered(entry, replayed=True))
    record = made.documents.get(idempotency_key(ask.command_id))
    if record is not None:
        print_before = json.loads(record.body)["fingerprint"]
        return _replay(ask, print_before, Earlier(record.version))
    if ask.expected_version not in (None, made.fence.seq):
        return VersionMismatch(expected=ask.expected_version, found=made.fence.seq)
    return None


def _replay(ask: Ask, print_before: str, earlier: Answered | Earlier) -> Answer:
    if print_before != ask.fingerprint:
        return Rejected("command_id_reused", command_id=ask.command_id)
    return earlier


def _decide(made: Plan, ask: Ask, time_ms: int) -> Answer | None:
    """Decide `ask` and add it to the plan; None if the batch is full."""
    context = Context(
        tenant=made.tenant,
        stream=ask.stream,
        command_id=ask.command_id,
        time_ms=time_ms,
        seq=made.fence.seq + 1,
    )
    outcome = execute(ask.decider, _state(made, ask), ask.commands, context)
    entry, changed = _entry(made, ask, context, outcome)
    too_large = _too_large(entry, changed)
    if too_large:
        # It depends on the state, so it is journaled like a domain's own no.
        outcome = Outcome((), {}, {}, Rejection(too_large, len(ask.commands) - 1, {}))
        entry, changed = _entry(made, ask, context, outcome)
    if made.entries and not _room(made, entry, changed):
        return None
    made.entries.append(entry)
    made.changed.update(changed)
    made.bytes_written += _bytes(entry, changed)
    made.fence = replace(made.fence, seq=entry.seq, chain=entry.chain, digest=entry.digest)
    return Answered(entry)


def _state(made: Plan, ask: Ask) -> dict[str, Body]:
    state: dict[str, Body] = {}
    for key, entity in ask.entities.items():
        document = made.changed.get(key) or made.documents.get(key)
        if document is not None and not document.deleted:
            state[entity] = json.loads(document.body)
    return state


def _entry(
    made: Plan, ask: Ask, context: Context, outcome: Outcome
) -> tuple[Entry, dict[str, Document]]:
    digest, changed = made.fence.digest, {}
    for entity, text in outcome.changes.items():
        key = entity_key(ask.decider.name, ask.stream, entity)
        new = Document(key, context.seq, text or "", deleted=text is None)
        old = made.changed.get(key) or made.documents.get(key)
        digest = add(digest, made.tenant, old=old, new=new)
        changed[key] = new
    entry = write_entry(
        made.fence,
        context,
        domain=ask.decider.name,
        print_of_request=ask.fingerprint,
        outcome=outcome,
        digest=digest,
        trace=ask.trace,
    )
    return entry, changed


def _too_large(entry: Entry, changed: Mapping[str, Document]) -> str | None:
    """Return the code for what no batch can hold, even alone."""
    if has_large_event(entry):
        return "event_too_large"
    alone = 3 + len(changed) <= OPERATIONS_MAX and _bytes(entry, changed) <= COMMIT_BYTES_MAX
    return None if alone and fits(entry) else "batch_too_large"


def _room(made: Plan, entry: Entry, changed: Mapping[str, Document]) -> bool:
    operations = 3 + 2 * len(made.entries) + len(made.changed.keys() | changed.keys())
    total = made.bytes_written + _bytes(entry, changed)
    return operations <= OPERATIONS_MAX and total <= COMMIT_BYTES_MAX


def _bytes(entry: Entry, changed: Mapping[str, Document]) -> int:
    return sent_bytes(entry.body) + sum(sent_bytes(d.body) + 400 for d in changed.values()) + 800


def _records(entry: Entry) -> tuple[Document, Document]:
    return log_document(entry), idempotency_document(entry)


def log_document(entry: Entry) -> Document:
    """Return the document in which `entry` is kept."""
    return Document(log_key(entry.seq), entry.seq, entry.body)


def entity_documents(entry: Entry) -> dict[str, Document]:
    """Return the entities as `entry` left them, tombstones included, by key."""
    keys = {entity_key(entry.domain, entry.stream, e): text for e, text in entry.changes.items()}
    return {
        key: Document(key, entry.seq, text or "", deleted=text is None)
        for key, text in keys.items()
    }


def idempotency_document(entry: Entry) -> Document:
    """Return the document that says that `entry` answered its command."""
    body = f'{{"fingerprint":"{entry.fingerprint}"}}'
    return Document(idempotency_key(entry.command_id), entry.seq, body)
