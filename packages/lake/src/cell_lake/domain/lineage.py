"""Which events are a tenant's history: those that no later epoch left behind (protocol.md 6).

An event of epoch e at seq s is canonical if and only if s is at most the base seq of every later
epoch. Refuses to guess: an epoch whose base is not known leaves nothing behind.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class LineageRecord:
    """One epoch of a tenant, as the registry has it.

    Attributes:
        rev: Of the registry, at which the record became what it is; grows with each change.
        bases: The last (seq, chain) of each stripe before this epoch; empty where not known.
    """

    tenant: str
    epoch: int
    rev: int
    home: str
    mode: str
    source: str
    source_epoch: int
    bases: tuple[tuple[int, str], ...]
    time_ms: int
    decided_by: str


@dataclass(frozen=True, slots=True, kw_only=True)
class LineageRow:
    """One epoch of one stripe; (tenant_id, epoch, stripe) at the largest `rev` holds."""

    tenant_id: str
    epoch: int
    stripe: int
    rev: int
    home: str
    mode: str
    source: str
    source_epoch: int
    base_seq: int | None
    base_chain: str | None
    time_ms: int
    decided_by: str


def rows_of_lineage(record: LineageRecord) -> list[LineageRow]:
    """Return a row for each stripe whose base is known, or one without a base."""
    bases: Sequence[tuple[int | None, str | None]] = record.bases or ((None, None),)
    return [
        LineageRow(
            tenant_id=record.tenant,
            epoch=record.epoch,
            stripe=stripe,
            rev=record.rev,
            home=record.home,
            mode=record.mode,
            source=record.source,
            source_epoch=record.source_epoch,
            base_seq=seq,
            base_chain=chain,
            time_ms=record.time_ms,
            decided_by=record.decided_by,
        )
        for stripe, (seq, chain) in enumerate(bases)
    ]


def is_canonical(epoch: int, seq: int, stripe: int, lineage: Iterable[LineageRecord]) -> bool:
    """Say whether an event is in the history that `lineage`, one tenant's, tells."""
    return all(
        seq <= record.bases[stripe][0]
        for record in lineage
        if record.epoch > epoch and stripe < len(record.bases)
    )
