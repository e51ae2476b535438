"""Prove one stripe of one cell from its own documents, a page at a time. Pure.

The journal is run through the domains again: every entry must continue the one before it, its
events must give the entities that it says, its digest must be their sum. What is stored must then
be exactly what the journal leaves behind. A journal keeps no command's data, so what can be run
again are events; answers are kept in entries, and equal chains make them equal.
Reports findings rather than raising: whoever looks wants all of them, up to a limit.
"""

from array import array
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from hashlib import blake2b
from typing import Final

from cell_core.domain.canonical import canonical, parse
from cell_core.domain.decider import Body, Decider, fold
from cell_core.domain.digest import term
from cell_core.domain.documents import Document, entity_key
from cell_core.domain.errors import CellError
from cell_core.domain.fence import GENESIS, Fence
from cell_core.domain.journal import Entry, read_entry

FINDINGS_MAX: Final = 100
_MODULUS: Final = 2**256


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """Something that is not as it has to be.

    Attributes:
        code: Stable, such as `entry_missing`.
        subject: The seq or the key it is about; never a value.
    """

    code: str
    cell: str
    stripe: int
    subject: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Counts:
    """What was looked at.

    Attributes:
        events: Run through the domains again.
        newer: Documents written after the position that is proved; of these, entities are compared
            with the entries that wrote them.
    """

    entries: int = 0
    events: int = 0
    entities: int = 0
    records: int = 0
    newer: int = 0

    def __add__(self, other: "Counts") -> "Counts":
        """Return both together."""
        return Counts(
            entries=self.entries + other.entries,
            events=self.events + other.events,
            entities=self.entities + other.entities,
            records=self.records + other.records,
            newer=self.newer + other.newer,
        )


@dataclass(slots=True)
class _Left:
    """What the journal leaves of an entity."""

    version: int
    term: int
    seen: bool = False


@dataclass(slots=True, kw_only=True)
class StripeAudit:
    """Give it the journal in order, then idempotency records and entities in any order.

    If the stripe is written to meanwhile, the journal up to `newest` follows as its `tail`; then
    `finish`. Holds the stripe's entities and 8 bytes an entry in memory.

    Attributes:
        end: The fence that is proved; records written after it are not compared.
        newest: The last change of an entity that was taken in.
    """

    cell: str
    tenant: str
    stripe: int
    end: Fence
    domains: Mapping[str, Decider]
    findings: list[Finding] = field(default_factory=list)
    newest: int = 0
    _at: int = 0
    _chain: str = GENESIS
    _digest: int = 0
    _events: int = 0
    _newer: int = 0
    _records: int = 0
    _prints: "array[int]" = field(default_factory=lambda: array("Q"))
    _ahead: dict[str, tuple[int, int]] = field(default_factory=dict)
    _left: dict[str, _Left] = field(default_factory=dict)
    _states: dict[tuple[str, str], dict[str, Body]] = field(default_factory=dict)
    _strange: set[str] = field(default_factory=set)

    @property
    def seq(self) -> int:
        """The last entry taken in."""
        return self._at

    def journal(self, documents: Iterable[Document]) -> None:
        """Take in the next journal entries."""
        for document in documents:
            if document.version > self.end.seq:
                return
            try:
                entry = read_entry(document.body)
            except CellError:
                self._find("entry_broken", str(document.version))
                continue
            self._entry(document, entry)

    def tail(self, documents: Iterable[Document]) -> None:
        """Take in entries after `end` that wrote entities which were taken in."""
        for document in documents:
            try:
                entry = read_entry(document.body)
            except CellError:
                self._find("entry_broken", str(document.version))
                continue
            for name, text in entry.changes.items():
                key = entity_key(entry.domain, entry.stream, name)
                version, found = self._ahead.get(key, (0, 0))
                if version == entry.seq:
                    del self._ahead[key]
                    if found != term(self.tenant, _changed(key, entry.seq, text)):
                        self._find("entity_altered", key)

    def records(self, documents: Iterable[Document]) -> None:
        """Take in idempotency records; the journal has to be complete."""
        for document in documents:
            if document.version > self.end.seq:
                self._newer += 1
                continue
            place = document.version - 1
            right = 0 <= place < len(self._prints) and self._prints[place] == _print(
                document.key.partition(":")[2], _fingerprint(document.body)
            )
            if not right:
                self._find("record_wrong", document.key)
                continue
            self._records += 1
            self._prints[place] = 0

    def entities(self, documents: Iterable[Document]) -> None:
        """Take in entities, tombstones included; the journal has to be complete."""
        for document in documents:
            left = self._left.get(document.key)
            if left is not None:
                left.seen = True
            if document.version > self.end.seq:
                self._newer += 1
                self.newest = max(self.newest, document.version)
                self._ahead[document.key] = (document.version, term(self.tenant, document))
            elif left is None:
                self._find("entity_unknown", document.key)
            elif document.version != left.version:
                self._find("entity_stale", document.key)
            elif term(self.tenant, document) != left.term:
                self._find("entity_altered", document.key)

    def finish(self) -> Counts:
        """Note what is missing; return what was looked at."""
        if (self._at, self._chain) != (self.end.seq, self.end.chain):
            self._find("journal_short", str(self._at))
        elif f"{self._digest:064x}" != self.end.digest:
            self._find("digest_wrong", str(self._at))
        for key, left in self._left.items():
            if not left.seen:
                self._find("entity_missing", key)
        for key in self._ahead:
            self._find("entity_unknown", key)
        for place, mark in enumerate(self._prints):
            if mark:
                self._find("record_missing", str(place + 1))
        return Counts(
            entries=len(self._prints),
            events=self._events,
            entities=len(self._left),
            records=self._records,
            newer=self._newer,
        )

    def _entry(self, document: Document, entry: Entry) -> None:
        for missing in range(self._at + 1, min(entry.seq, self._at + FINDINGS_MAX)):
            self._find("entry_missing", str(missing))
        if entry.seq != document.version or entry.tenant != self.tenant or entry.seq <= self._at:
            self._find("entry_misplaced", str(document.version))
            return
        if entry.seq == self._at + 1 and entry.prev_chain != self._chain:
            self._find("chain_broken", str(entry.seq))
        self._prints.extend([0] * (entry.seq - self._at - 1))
        self._prints.append(_print(entry.command_id, entry.fingerprint))
        self._at, self._chain = entry.seq, entry.chain
        self._replay(entry)
        self._add(entry)

    def _replay(self, entry: Entry) -> None:
        """Run the entry's events again and compare what they change."""
        decider = self.domains.get(entry.domain)
        if decider is None:
            if entry.domain not in self._strange:
                self._strange.add(entry.domain)
                self._find("domain_unknown", entry.domain)
            return
        state = self._states.setdefault((entry.domain, entry.stream), {})
        try:
            fold(decider, entry.events, onto=state)
        except (CellError, KeyError, TypeError, ValueError):
            self._find("event_broken", str(entry.seq))
            return
        self._events += len(entry.events)
        folded = {key: state.get(key) for key in entry.changes}
        texts = {k: None if body is None else canonical(body) for k, body in folded.items()}
        if texts != dict(entry.changes) or (entry.rejection is not None and entry.events):
            self._find("replay_differs", str(entry.seq))

    def _add(self, entry: Entry) -> None:
        """Add the entry's changes to the digest and compare it with the entry's."""
        for name, text in entry.changes.items():
            key = entity_key(entry.domain, entry.stream, name)
            old = self._left.get(key)
            self._left[key] = _Left(entry.seq, term(self.tenant, _changed(key, entry.seq, text)))
            self._digest += self._left[key].term - (old.term if old else 0)
        self._digest %= _MODULUS
        if f"{self._digest:064x}" != entry.digest:
            self._find("digest_wrong", str(entry.seq))
            # Say it once, and not of every entry behind this one.
            self._digest = int(entry.digest, 16)

    def _find(self, code: str, subject: str) -> None:
        if len(self.findings) < FINDINGS_MAX:
            self.findings.append(
                Finding(code=code, cell=self.cell, stripe=self.stripe, subject=subject)
            )


def by_name(domains: Sequence[Decider]) -> dict[str, Decider]:
    """Return `domains` by their names."""
    return {domain.name: domain for domain in domains}


def _changed(key: str, seq: int, text: str | None) -> Document:
    return Document(key, seq, text or "", deleted=text is None)


def _print(command_id: str, fingerprint: str) -> int:
    text = f"{command_id}\n{fingerprint}".encode()
    # Never 0, which marks a record that was seen.
    return int.from_bytes(blake2b(text, digest_size=8).digest(), "big") | 1


def _fingerprint(body: str) -> str:
    try:
        return str(parse(body.encode())["fingerprint"])
    except (CellError, KeyError, TypeError):
        return ""
