"""Prove the lake complete: against where the cells' fences stand, gaps, duplicates, totals, lag.

A journal is complete in the lake if its canonical rows end at the fence's seq and chain, and no
seq before it is missing. Refuses to repair: see `flows.backfill`.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

from cell_lake.domain.shards import Stripe

if TYPE_CHECKING:
    import duckdb

FINDINGS_MAX = 1000
"""Findings listed of each kind; the totals count all."""


@dataclass(frozen=True, slots=True, kw_only=True)
class FencePosition:
    """Where the home's fence of a stripe stands."""

    seq: int
    chain: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """Something that should not be; `kind` is stable.

    Attributes:
        kind: `missing` (entries behind the last row), `gap`, `duplicate`, `torn` (an entry without
            all of its events), `diverged` (another chain at the fence), `ahead` (more than the
            fence has), or `unknown` (a stripe of which no fence was given).
    """

    kind: str
    stripe: Stripe
    first_seq: int = 0
    last_seq: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Audit:
    """What was counted and found.

    Attributes:
        seqs: Distinct (stripe, seq) of canonical rows; equals `positions` if all is there.
        positions: The sum of the fences' seqs.
        lag_p99_ms: Between a command and its row, over the canonical rows.
    """

    rows: int
    keys: int
    seqs: int
    positions: int
    orphaned: int
    dead: int
    lag_p99_ms: int
    lag_max_ms: int
    findings: tuple[Finding, ...]

    @property
    def is_complete(self) -> bool:
        """Whether the lake holds exactly what the cells have written."""
        return self.rows == self.keys and self.seqs == self.positions and not self.findings


def audit(connection: "duckdb.DuckDBPyConnection", fences: Mapping[Stripe, FencePosition]) -> Audit:
    """Compare the lake behind `connection` (of `query.connect`) with `fences`.

    Fences must be as old as the lake or older: what is written meanwhile is `ahead` at worst if
    they are read first and `missing` at worst if they are read last.
    """
    rows, keys, dead = _one(
        connection,
        """
        SELECT count(*), count(DISTINCT (tenant_id, stripe, epoch, seq, index)),
               count(*) FILTER (outcome = 'dead')
        FROM events
        """,
    )
    [orphaned] = _one(connection, "SELECT count(*) FROM events_orphaned")
    p99, most = _one(
        connection,
        """
        SELECT coalesce(quantile_cont(lag, 0.99), 0), coalesce(max(lag), 0)
        FROM (SELECT epoch_ms(ingest_time) - epoch_ms(time) AS lag FROM events_canonical
              WHERE time IS NOT NULL)
        """,
    )
    ends = _ends(connection)
    findings = [*_inner_findings(connection), *_end_findings(ends, fences)]
    return Audit(
        rows=rows,
        keys=keys,
        seqs=sum(end.seqs for end in ends.values()),
        positions=sum(fence.seq for fence in fences.values()),
        orphaned=orphaned,
        dead=dead,
        lag_p99_ms=int(p99),
        lag_max_ms=int(most),
        findings=tuple(findings),
    )


@dataclass(frozen=True, slots=True)
class _End:
    """How far a stripe's canonical rows go."""

    seq: int
    chain: str
    seqs: int


def _ends(connection: "duckdb.DuckDBPyConnection") -> dict[Stripe, _End]:
    found = connection.execute(
        """
        SELECT tenant_id, stripe, max(seq), arg_max(chain, (seq, index)), count(DISTINCT seq)
        FROM events_canonical GROUP BY tenant_id, stripe
        """
    ).fetchall()
    return {Stripe(tenant, stripe): _End(*rest) for tenant, stripe, *rest in found}


def _inner_findings(connection: "duckdb.DuckDBPyConnection") -> Iterable[Finding]:
    """Yield what is wrong between a stripe's first row and its last."""
    for kind, sql in {
        "gap": "SELECT tenant_id, stripe, first_seq, last_seq FROM lake_gaps",
        "duplicate": """
            SELECT tenant_id, stripe, seq, seq FROM events
            GROUP BY tenant_id, stripe, epoch, seq, index HAVING count(*) > 1
        """,
        "torn": """
            SELECT tenant_id, stripe, seq, seq FROM events
            GROUP BY tenant_id, stripe, epoch, seq
            HAVING count(DISTINCT index) <> greatest(max(events), 1)
        """,
    }.items():
        found = connection.execute(f"{sql} ORDER BY ALL LIMIT {FINDINGS_MAX}").fetchall()
        for tenant, stripe, first, last in found:
            yield Finding(kind=kind, stripe=Stripe(tenant, stripe), first_seq=first, last_seq=last)


def _end_findings(
    ends: Mapping[Stripe, _End], fences: Mapping[Stripe, FencePosition]
) -> Iterable[Finding]:
    """Yield what is wrong behind a stripe's last row."""
    for stripe in sorted({*ends, *fences}):
        end, fence = ends.get(stripe, _End(0, "", 0)), fences.get(stripe)
        if fence is None:
            yield Finding(kind="unknown", stripe=stripe, last_seq=end.seq)
        elif end.seq < fence.seq:
            yield Finding(kind="missing", stripe=stripe, first_seq=end.seq + 1, last_seq=fence.seq)
        elif end.seq > fence.seq:
            yield Finding(kind="ahead", stripe=stripe, first_seq=fence.seq + 1, last_seq=end.seq)
        elif end.seq and end.chain not in ("", fence.chain):
            yield Finding(kind="diverged", stripe=stripe, first_seq=end.seq, last_seq=end.seq)


def _one(connection: "duckdb.DuckDBPyConnection", sql: str) -> tuple[int, ...]:
    found = connection.execute(sql).fetchone()
    return tuple(found) if found else ()
