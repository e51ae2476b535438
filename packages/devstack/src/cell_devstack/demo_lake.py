"""The end of the demo: one question to both clouds at once, and the proof that nothing is missing.

Refuses to wait for ever: a lake that does not catch up has failed.
"""

import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

from rich.console import Group, RenderableType
from rich.table import Table

from cell_devstack.local_lake import LocalLake
from cell_lake.audit import Audit, audit
from cell_lake.fences_source import read_fences
from cell_lake.query import connect
from cell_lake.settings import EVENTS_TABLE, LINEAGE_TABLE, table_url

PATIENCE_S: Final = 30.0
_POLL_S: Final = 0.5

QUERY: Final = """\
SELECT tenant_id, cloud, count(*) AS rows,
       count(DISTINCT (stripe, seq)) AS entries
FROM events_canonical GROUP BY ALL ORDER BY ALL"""
_BALANCES: Final = """
SELECT tenant_id, count(*), sum(credits_posted), sum(balance)
FROM ledger_balances GROUP BY tenant_id ORDER BY tenant_id"""


@dataclass(frozen=True, slots=True, kw_only=True)
class LakeFound:
    """What the lake answered once it had caught up, or when patience ended.

    Attributes:
        rows: tenant, cloud, rows, entries.
        balances: tenant, accounts, money moved, and the sum of all balances, which is nothing.
    """

    audit: Audit
    rows: Sequence[tuple[Any, ...]]
    balances: Sequence[tuple[Any, ...]]
    caught_up_s: float

    @property
    def holds(self) -> bool:
        """Whether all is there, once, from both clouds, and no money came or went."""
        clouds = {cloud for _, cloud, _, _ in self.rows}
        even = bool(self.balances) and all(total == 0 for *_, total in self.balances)
        return self.audit.is_complete and even and clouds == {"aws", "azure"}


def ask_lake(
    lake: LocalLake, tenants: Sequence[str], *, patience_s: float = PATIENCE_S
) -> LakeFound:
    """Wait until all that `tenants` have written is in the lake, then ask it."""
    began = time.monotonic()
    while True:
        found = _asked(lake, tenants, began)
        if found.audit.is_complete or time.monotonic() - began > patience_s:
            return found
        time.sleep(_POLL_S)


def lake_report(found: LakeFound) -> RenderableType:
    """Return the query, and what it found."""
    table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0))
    for heading in ("tenant", "cloud", "rows", "entries"):
        table.add_column(heading, justify="right" if heading in {"rows", "entries"} else "left")
    for row in found.rows:
        table.add_row(*(f"{cell:,}" if isinstance(cell, int) else str(cell) for cell in row))
    money = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0))
    for heading in ("tenant", "accounts", "money moved", "sum of balances"):
        money.add_column(heading, justify="left" if heading == "tenant" else "right")
    for row in found.balances:
        money.add_row(*(str(cell) for cell in row))
    return Group("One question to both clouds:\n", f"[dim]{QUERY}[/dim]\n", table, "", money)


def lake_line(found: LakeFound) -> str:
    """Return what was proved of the lake, or what is wrong with it."""
    told = found.audit
    text = (
        f"the lake: {told.rows:,} rows, {told.keys:,} different keys;"
        f" {told.seqs:,} entries of {told.positions:,}\n"
        f"        {len(told.findings)} gaps, duplicates or others; it had all of it after"
        f" {found.caught_up_s:.1f} s;\n"
        f"        from a command to its row: p99 {told.lag_p99_ms / 1000:.1f} s,"
        f" longest {told.lag_max_ms / 1000:.1f} s"
    )
    for finding in told.findings[:5]:
        where = f"{finding.stripe.partition} {finding.first_seq} to {finding.last_seq}"
        text += f"\n        {finding.kind}: {where}"
    return text


def _asked(lake: LocalLake, tenants: Sequence[str], began: float) -> LakeFound:
    fences = read_fences(lake.ask, tenants)
    lake.export_lineage()
    with connect(table_url(lake.url, EVENTS_TABLE), table_url(lake.url, LINEAGE_TABLE)) as duck:
        return LakeFound(
            audit=audit(duck, fences.known),
            rows=duck.execute(QUERY).fetchall(),
            balances=duck.execute(_BALANCES).fetchall(),
            caught_up_s=time.monotonic() - began,
        )
