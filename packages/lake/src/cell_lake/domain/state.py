"""What a relay remembers, in the cell's own store: one intent a shard, one cursor a stripe.

All of a shard is in one partition, and every write to it replaces the intent as it was read, so
the intent's version is the shard's fence: whoever read it before the cursors knows that they still
hold when its write succeeds. Refuses texts that this code did not write.
"""

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any, Final, TypeVar

from cell_core.domain.canonical import canonical
from cell_core.domain.documents import Batch, Document, Put
from cell_core.domain.errors import InvariantBroken
from cell_core.domain.fence import GENESIS, Fence
from cell_lake.domain.rows import Dead
from cell_lake.domain.shards import Stripe, partition_of_shard

Held = TypeVar("Held")

INTENT: Final = "INTENT"
CURSOR: Final = "CURSOR:"
DEAD: Final = "DEAD:"


@dataclass(frozen=True, slots=True, kw_only=True)
class Cursor:
    """The last entry of a journal that was dealt with; nothing at or before it is published again.

    `chain` is empty behind an entry that could not be read. (epoch, seq) only grows, also where a
    journal was cut back: what follows the cut has a larger epoch than all that was cut off.
    """

    epoch: int = 0
    seq: int = 0
    chain: str = GENESIS

    def is_before(self, epoch: int, seq: int) -> bool:
        """Say whether an entry of `epoch` at `seq` has yet to be dealt with."""
        return (self.epoch, self.seq) < (epoch, seq)

    def is_at(self, fence: Fence) -> bool:
        """Say whether there is nothing in the journal of `fence` that was not dealt with."""
        return self.seq == fence.seq and self.chain in ("", fence.chain)


START: Final = Cursor()


@dataclass(frozen=True, slots=True, kw_only=True)
class Range:
    """Entries of one stripe, behind `start` up to `end`, and those of them that are dead."""

    stripe: Stripe
    start: Cursor
    end: Cursor
    dead: tuple[Dead, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Intent:
    """What append number `n` of a shard holds; `is_open` until the cursors are behind it.

    Each n is appended exactly once, an empty one too. So the table's version is n - 1 or n while
    the intent is open, and n when it is not; any other is a sign of lost state.
    """

    n: int
    is_open: bool
    ranges: tuple[Range, ...] = ()


def cursor_key(stripe: Stripe) -> str:
    """Return the key of a stripe's cursor; ids hold no colon."""
    return f"{CURSOR}{stripe.tenant}:{stripe.number:02d}"


def stripe_of_cursor(key: str) -> Stripe:
    """Return the stripe whose cursor has that key."""
    tenant, _, number = key.removeprefix(CURSOR).partition(":")
    return Stripe(tenant, int(number))


def dead_key(stripe: Stripe, dead: Dead) -> str:
    """Return the key of a dead letter."""
    return f"{DEAD}{stripe.tenant}:{stripe.number:02d}:{dead.epoch:020d}:{dead.seq:020d}"


def read_cursor(document: Document | None) -> Cursor:
    """Return the cursor that `document` holds; the start if there is none.

    Raises:
        InvariantBroken: This code did not write it.
    """
    if document is None:
        return START
    return _read(document, _cursor)


def read_intent(document: Document) -> Intent:
    """Return the intent that `document` holds.

    Raises:
        InvariantBroken: This code did not write it.
    """
    return _read(document, _intent)


def next_intent(
    shard: int, held: Document | None, intent: Intent, cursors: Sequence[Put] = ()
) -> Batch:
    """Return the write that puts `intent` in place of what was read, with what belongs to it."""
    body = canonical({"n": intent.n, "open": intent.is_open, "ranges": _ranges(intent.ranges)})
    version = 1 if held is None else held.version + 1
    write = Put(Document(INTENT, version, body), held)
    return Batch(partition=partition_of_shard(shard), fence=None, writes=(write, *cursors))


def closed(
    shard: int, held: Document | None, intent: Intent, documents: Mapping[str, Document]
) -> Batch:
    """Return the write that ends `intent`: cursors go to the ends, dead letters are laid down.

    `documents` are the cursors and dead letters that there are, read after `held` was.
    """
    puts = [put for part in intent.ranges for put in _after(part, documents)]
    return next_intent(shard, held, Intent(n=intent.n, is_open=False), puts)


def keys_of(ranges: Sequence[Range]) -> list[str]:
    """Return the keys of what is written when an intent with `ranges` ends."""
    cursors = [cursor_key(part.stripe) for part in ranges]
    return cursors + [dead_key(part.stripe, dead) for part in ranges for dead in part.dead]


def _after(part: Range, documents: Mapping[str, Document]) -> list[Put]:
    held = documents.get(cursor_key(part.stripe))
    version = 1 if held is None else held.version + 1
    puts = [Put(Document(cursor_key(part.stripe), version, canonical(asdict(part.end))), held)]
    for dead in part.dead:
        key = dead_key(part.stripe, dead)
        if key not in documents:
            puts.append(Put(Document(key, 1, canonical(asdict(dead)))))
    return puts


def _ranges(ranges: Sequence[Range]) -> list[Any]:
    return [
        {
            "tenant": part.stripe.tenant,
            "stripe": part.stripe.number,
            "start": asdict(part.start),
            "end": asdict(part.end),
            "dead": [asdict(dead) for dead in part.dead],
        }
        for part in ranges
    ]


def _intent(raw: Any) -> Intent:  # noqa: ANN401 - JSON
    return Intent(
        n=int(raw["n"]),
        is_open=bool(raw["open"]),
        ranges=tuple(
            Range(
                stripe=Stripe(str(part["tenant"]), int(part["stripe"])),
                start=_cursor(part["start"]),
                end=_cursor(part["end"]),
                dead=tuple(Dead(**dead) for dead in part["dead"]),
            )
            for part in raw["ranges"]
        ),
    )


def _cursor(raw: Any) -> Cursor:  # noqa: ANN401 - JSON
    return Cursor(epoch=int(raw["epoch"]), seq=int(raw["seq"]), chain=str(raw["chain"]))


def _read(document: Document, parse: Callable[[Any], Held]) -> Held:
    try:
        return parse(json.loads(document.body))
    except (KeyError, TypeError, ValueError):
        raise InvariantBroken(problem="not a relay's state", key=document.key) from None
