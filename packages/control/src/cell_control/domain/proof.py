"""What a verification found, as values that the API and the command line show. Pure."""

from dataclasses import dataclass, field
from typing import Literal, TypeAlias

from cell_control.domain.auditing import Counts, Finding

Depth: TypeAlias = Literal["positions", "digests", "behaviour"]
Verdict: TypeAlias = Literal["equal", "differs", "unproven"]
Part: TypeAlias = Literal["digest", "journal", "idempotency", "entities"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    """How far a verification is: `done` of `total` documents of one part, as far as is known."""

    cell: str
    stripe: int
    part: Part
    done: int
    total: int


@dataclass(frozen=True, slots=True, kw_only=True)
class StripeProof:
    """Up to where both sides of a stripe are the same journal.

    Attributes:
        seq, chain, digest: Of the last entry that both hold.
        home_seq, other_seq: Where each stood.
    """

    stripe: int
    seq: int
    chain: str
    digest: str
    home_seq: int
    other_seq: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Report:
    """What a verification found.

    Attributes:
        verdict: `unproven` if nothing differs but something could not be looked at.
        stripes: One for each stripe whose positions agree.
        notes: What could not be proved, and why.
        proof: The whole in a sentence.
    """

    tenant: str
    epoch: int
    home: str
    other: str
    depth: Depth
    verdict: Verdict
    findings: tuple[Finding, ...] = ()
    notes: tuple[str, ...] = ()
    stripes: tuple[StripeProof, ...] = ()
    counts: Counts = field(default_factory=Counts)
    proof: str = ""
