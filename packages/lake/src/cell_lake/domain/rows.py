"""Rows of the lake: one for each event of a journal entry, or one that says why there is none.

So each seq of a journal has at least one row, and completeness can be counted. Refuses entries
whose values a table cannot hold; those get a row that says so (`dead_row`).
"""

from dataclasses import dataclass
from typing import Final, Literal, TypeAlias

from cell_core.domain.canonical import canonical
from cell_core.domain.errors import InvalidInput
from cell_core.domain.journal import Entry
from cell_lake.domain.shards import Origin, Stripe

TIME_MS_MAX: Final = 253_402_300_799_999
"""The end of the year 9999: later times cannot be read by most engines."""

Outcome: TypeAlias = Literal["applied", "rejected", "dead"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """One row; (tenant_id, stripe, epoch, seq, index) is its key.

    Attributes:
        index: Of the event within its entry; 0 also where there is none.
        events: How many events the entry has, so that a missing one is noticed.
        outcome: `dead` if the entry could not be read as one; then what it said is not known.
        code: Of the rejection, or the reason why the entry is dead; else empty.
        type, data: Of the event, `data` as canonical JSON text; None where there is none.
        time_ms: When the command was decided; None if the entry is dead.
        chain: The journal's chain after the entry; empty if it could not be read.
    """

    tenant_id: str
    domain: str | None
    stream: str | None
    stripe: int
    seq: int
    index: int
    epoch: int
    events: int
    outcome: Outcome
    code: str
    type: str | None
    time_ms: int | None
    ingest_time_ms: int
    cell: str
    cloud: str
    command_id: str | None
    traceparent: str
    data: str | None
    chain: str


def rows_of(entry: Entry, stripe: Stripe, origin: Origin, now_ms: int) -> tuple[Row, ...]:
    """Return the rows of `entry`, at least one.

    Raises:
        InvalidInput: `invalid_data`; a table cannot hold it.
    """
    if entry.time_ms > TIME_MS_MAX:
        raise InvalidInput("invalid_data", problem="time is out of range")
    rejected = entry.rejection is not None
    events: list[tuple[str | None, str | None]] = [
        (event.type, canonical(event.data)) for event in entry.events
    ]
    return tuple(
        Row(
            tenant_id=stripe.tenant,
            domain=entry.domain,
            stream=entry.stream,
            stripe=stripe.number,
            seq=entry.seq,
            index=index,
            epoch=entry.epoch,
            events=len(events),
            outcome="rejected" if rejected else "applied",
            code=entry.rejection.code if entry.rejection else "",
            type=kind,
            time_ms=entry.time_ms,
            ingest_time_ms=now_ms,
            cell=origin.cell,
            cloud=origin.cloud,
            command_id=entry.command_id,
            traceparent=entry.trace,
            data=data,
            chain=entry.chain,
        )
        for index, (kind, data) in enumerate(events or [(None, None)])
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class Dead:
    """A journal entry that cannot become rows, where it stands, and why in a word."""

    seq: int
    epoch: int
    reason: str


def dead_row(dead: Dead, stripe: Stripe, origin: Origin, now_ms: int, chain: str) -> Row:
    """Return the row that stands in a dead entry's place, so that its seq is accounted for."""
    return Row(
        tenant_id=stripe.tenant,
        domain=None,
        stream=None,
        stripe=stripe.number,
        seq=dead.seq,
        index=0,
        epoch=dead.epoch,
        events=0,
        outcome="dead",
        code=dead.reason,
        type=None,
        time_ms=None,
        ingest_time_ms=now_ms,
        cell=origin.cell,
        cloud=origin.cloud,
        command_id=None,
        traceparent="",
        data=None,
        chain=chain,
    )
