"""What of a stripe's journal goes into a flush: this cell's entries as rows, the others passed by.

A journal is followed by its chain, so that one which was cut back and written anew is noticed.
Refuses to judge what it cannot read: such an entry is dead and its place is kept. One that newer
code wrote is not dead; reading stops before it.
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

from cell_core.domain.documents import LOG, Document
from cell_core.domain.errors import Conflict, InvalidInput
from cell_core.domain.ids import EPOCH_MAX, owner
from cell_core.domain.journal import VERSION, Entry, read_entry
from cell_lake.domain.limits import DEAD_MAX
from cell_lake.domain.rows import Dead, Row, dead_row, rows_of
from cell_lake.domain.shards import Origin, Stripe
from cell_lake.domain.state import START, Cursor, Range

NEWER: Final = "newer"
"""Why a stripe is stuck: its cell writes entries that this relay does not know yet."""


END: Final = Cursor(epoch=2**63, seq=2**63)
"""Behind every entry."""


class JournalCut(Conflict):
    """The journal does not go on where the cursor stands; find the place again."""

    code = "journal_cut"


@dataclass(slots=True)
class Room:
    """What is left of a flush; shared by the stripes that go into it."""

    rows: int
    bytes: int
    dead: int
    is_untouched: bool = True

    @property
    def is_used_up(self) -> bool:
        """Whether nothing more fits."""
        return min(self.rows, self.bytes, self.dead) <= 0

    def takes(self, rows: int, size: int, dead: int) -> bool:
        """Give so much of it away if it is there; the first entry gets what it needs."""
        fits = self.rows >= rows and self.bytes >= size and self.dead >= dead
        if not fits and not self.is_untouched:
            return False
        self.is_untouched = False
        self.rows, self.bytes, self.dead = self.rows - rows, self.bytes - size, self.dead - dead
        return True


@dataclass(slots=True, kw_only=True)
class Reading:
    """The entries of one stripe from `start` on, as far as they were taken.

    Attributes:
        until: The last entry that is wanted. What replaced one that was cut off has a larger epoch.
        known: The epochs of dead entries, by seq, as an intent has them.
        end: The last entry taken.
        is_full: Whether more follows that was not taken.
        is_moved: Whether `start` is not where the cursor stands, because the journal was cut back.
        stuck: Why nothing more can be taken, or empty.
    """

    stripe: Stripe
    start: Cursor
    origin: Origin
    now_ms: int
    room: Room
    until: Cursor = END
    known: Mapping[int, int] = field(default_factory=dict)
    end: Cursor = field(init=False)
    rows: list[Row] = field(default_factory=list)
    dead: list[Dead] = field(default_factory=list)
    entries: int = 0
    is_full: bool = False
    is_moved: bool = False
    stuck: str = ""

    def __post_init__(self) -> None:
        self.end = self.start

    def take(self, documents: Sequence[Document]) -> None:
        """Take what follows, as long as there is room.

        Raises:
            JournalCut: The first of all does not follow `start`. Later on reading only stops.
        """
        for place, document in enumerate(documents):
            if self.is_full or _seq(document) > self.until.seq:
                return
            entry = _entry(self.stripe, document)
            if not self._follows(document, entry):
                if not self.entries:
                    raise JournalCut(seq=_seq(document))
                self.is_full = True
                return
            self._take(document, entry, documents[place + 1 : place + 1 + DEAD_MAX])

    def range(self) -> Range:
        """Return what was taken."""
        return Range(stripe=self.stripe, start=self.start, end=self.end, dead=tuple(self.dead))

    def _follows(self, document: Document, entry: Entry | str) -> bool:
        seq = _seq(document)
        if self.end == START and seq > 1:
            # What is older was written elsewhere before this cell had the tenant.
            self.start = self.end = Cursor(seq=seq - 1, chain="")
        if isinstance(entry, Entry):
            prev_chain = entry.prev_chain
        else:
            prev_chain = _peek(document.body).get("prev_chain", self.end.chain)
        return seq == self.end.seq + 1 and self.end.chain in ("", prev_chain)

    def _take(self, document: Document, entry: Entry | str, later: Sequence[Document]) -> None:
        if entry == NEWER:
            self.is_full, self.stuck = True, NEWER
            return
        if isinstance(entry, Entry):
            end = Cursor(epoch=entry.epoch, seq=entry.seq, chain=entry.chain)
        else:
            # Its chain is not known: the text may not be the one that was written.
            epoch = self._epoch_of_dead(document, later)
            end = Cursor(epoch=epoch, seq=_seq(document), chain="")
        if end.epoch > self.until.epoch:
            self.is_full = True
            return
        rows, dead = self._rows(entry, end)
        if not self.room.takes(len(rows), len(document.body), len(dead)):
            self.is_full = True
            return
        self.rows += rows
        self.dead += dead
        self.entries += 1
        self.end = end

    def _rows(self, entry: Entry | str, end: Cursor) -> tuple[list[Row], list[Dead]]:
        if owner(end.epoch) != self.origin.ordinal:
            return [], []
        if isinstance(entry, Entry):
            try:
                return list(rows_of(entry, self.stripe, self.origin, self.now_ms)), []
            except InvalidInput:
                entry = "out_of_range"
        dead = Dead(seq=end.seq, epoch=end.epoch, reason=entry)
        return [dead_row(dead, self.stripe, self.origin, self.now_ms, end.chain)], [dead]

    def _epoch_of_dead(self, document: Document, later: Sequence[Document]) -> int:
        """Return at which epoch an entry was written that cannot be read.

        That is what it says, if it can be, for epochs only grow along a journal; else what the
        next one says that can be read; else that of the one before it, or the cell's own.
        """
        seq = _seq(document)
        if seq in self.known:
            return self.known[seq]
        for said in (_peek(one.body).get("epoch") for one in (document, *later)):
            if type(said) is int and self.end.epoch <= said <= EPOCH_MAX:
                return said
        return self.end.epoch or self.origin.ordinal


def behind(cursor: Cursor, documents: Sequence[Document]) -> Sequence[Document]:
    """Return what follows `cursor` of a journal's `documents`, which begin with its own entry.

    Raises:
        JournalCut: They do not.
    """
    if cursor.seq == 0:
        return documents
    if not documents or not _stands(cursor, documents[0]):
        raise JournalCut(seq=cursor.seq)
    return documents[1:]


def is_ahead(cursor: Cursor, document: Document) -> bool:
    """Say whether `cursor` is before the entry in `document`.

    One that does not say its epoch is taken to be of the cursor's.
    """
    epoch = _peek(document.body).get("epoch")
    return cursor.is_before(epoch if type(epoch) is int else cursor.epoch, _seq(document))


def before(cursor: Cursor, document: Document) -> Cursor:
    """Return the place right before `document`, from which reading goes on."""
    prev_chain = _peek(document.body).get("prev_chain")
    chain = prev_chain if isinstance(prev_chain, str) else ""
    return Cursor(epoch=cursor.epoch, seq=_seq(document) - 1, chain=chain)


def _stands(cursor: Cursor, document: Document) -> bool:
    """Say whether `document` is the entry at which `cursor` stands, as far as can be seen."""
    if _seq(document) != cursor.seq:
        return False
    try:
        return cursor.chain in ("", read_entry(document.body).chain)
    except InvalidInput:
        return True  # The entry behind it tells.


def _entry(stripe: Stripe, document: Document) -> Entry | str:
    """Return the entry, or why there is none in a word."""
    try:
        entry = read_entry(document.body)
    except InvalidInput:
        version = _peek(document.body).get("v")
        return NEWER if type(version) is int and version > VERSION else "unreadable"
    if (entry.tenant, entry.seq) != (stripe.tenant, _seq(document)):
        return "misplaced"
    return entry


def _seq(document: Document) -> int:
    return int(document.key.removeprefix(LOG))


def _peek(body: str) -> dict[str, Any]:
    """Return what a text says without believing it; empty if it is no JSON object."""
    try:
        raw = json.loads(body)
    except (ValueError, RecursionError):
        return {}
    return raw if isinstance(raw, dict) else {}
