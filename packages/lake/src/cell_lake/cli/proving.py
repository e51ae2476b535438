"""`cellctl lake audit`: the lake against the fences of the tenants' homes.

Says what is missing and what to do. Refuses to call a lake complete of which a home did not answer.
"""

import argparse
import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from typing import TYPE_CHECKING, Final
from uuid import uuid4

from cell_lake.audit import Audit, FencePosition, audit
from cell_lake.cli.around import Around
from cell_lake.cli.places import add_options, connected, lineage_of
from cell_lake.domain.shards import Stripe
from cell_lake.fences_source import read_fences, read_tenants
from cell_lake.lineage_source import read_lineage

if TYPE_CHECKING:
    import duckdb

SHOWN_MAX: Final = 20
INCOMPLETE: Final = 6
"""cellctl's exit code for what ended and is not all well."""

_WAYS: Final = {
    "missing": "the relay is behind, and its sweep finds it in a minute; if not, look at its log,"
    " and if rows are gone: cellctl lake backfill TENANT",
    "gap": "rows are gone: cellctl lake backfill TENANT writes them from the journal again",
    "torn": "events of an entry are gone: cellctl lake backfill TENANT",
    "duplicate": "two writers with one name: is a relay running on a restored table?",
    "diverged": "the home's journal is another one: was the cell restored from a backup?",
    "ahead": "written since the fences were read, or the home was restored: audit again",
    "unknown": "no tenant of this control plane has that stripe: was it dropped, or erased?",
}


def add_to(commands: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Add these commands."""
    proved = commands.add_parser(
        "audit", help="compare the lake with the cells", description="Exit code 0: complete."
    )
    proved.add_argument("tenants", nargs="*", metavar="TENANT", help="all, if none is named")
    add_options(proved)
    proved.set_defaults(command=prove)
    told = commands.add_parser(
        "lineage", help="bring the registry's lineage into the lake; for a schedule"
    )
    add_options(told)
    told.set_defaults(command=export)


def prove(options: argparse.Namespace, around: Around) -> int:
    """Audit; return 0 if the lake holds exactly what the cells have written."""
    tenants = options.tenants or list(read_tenants(around.ask))
    # The lake is proved as of the fences that were read before it was opened.
    fences = read_fences(around.ask, tenants)
    with connected(options, around) as connection:
        later = read_fences(around.ask, tenants)
        _as_of(connection, fences.known, later.known)
        if options.tenants:
            _only(connection, options.tenants)
        found = audit(connection, fences.known)
    holds = found.is_complete and not fences.dark
    if around.json:
        around.out.write(json.dumps(_document(found, fences.dark, holds=holds)) + "\n")
    else:
        around.out.write(_text(found, fences.dark, holds=holds) + "\n")
    return 0 if holds else INCOMPLETE


def export(options: argparse.Namespace, around: Around) -> int:
    """Append the lineage that each lake lacks."""
    records, rev = read_lineage(around.ask)
    rows = sum(table.export(records, rev) for table in lineage_of(options, around))
    if around.json:
        around.out.write(json.dumps({"rows": rows, "rev": rev}) + "\n")
    else:
        around.out.write(f"{rows} rows of lineage are new; the registry is at {rev}.\n")
    return 0


def _as_of(
    connection: "duckdb.DuckDBPyConnection",
    before: Mapping[Stripe, FencePosition],
    after: Mapping[Stripe, FencePosition],
) -> None:
    """Hide what was written after `before`, in stripes that had written it by `after`."""
    connection.execute(
        "CREATE TABLE fences (tenant_id VARCHAR, stripe INT, low BIGINT, high BIGINT)"
    )
    rows = [
        [stripe.tenant, stripe.number, fence.seq, after.get(stripe, fence).seq]
        for stripe, fence in before.items()
    ]
    if rows:
        connection.executemany("INSERT INTO fences VALUES (?, ?, ?, ?)", rows)
    _narrow(
        connection,
        """
        SELECT e.* FROM {wider} AS e
        WHERE NOT EXISTS (
            SELECT 1 FROM fences AS f WHERE f.tenant_id = e.tenant_id AND f.stripe = e.stripe
              AND e.seq > f.low AND e.seq <= f.high
        )
        """,
    )


def _only(connection: "duckdb.DuckDBPyConnection", tenants: Sequence[str]) -> None:
    """Hide the rows of other tenants."""
    connection.execute("CREATE TABLE wanted (tenant_id VARCHAR)")
    connection.executemany("INSERT INTO wanted VALUES (?)", [[tenant] for tenant in tenants])
    _narrow(connection, "SELECT * FROM {wider} WHERE tenant_id IN (FROM wanted)")


def _narrow(connection: "duckdb.DuckDBPyConnection", sql: str) -> None:
    """Put another view in the place of `events`; those above it see less from then on."""
    wider = f"events_{uuid4().hex}"
    connection.execute(f"ALTER VIEW events RENAME TO {wider}")
    connection.execute(f"CREATE VIEW events AS {sql.format(wider=wider)}")


def _document(found: Audit, dark: tuple[str, ...], *, holds: bool) -> dict[str, object]:
    findings = [
        {
            "kind": each.kind,
            "tenant": each.stripe.tenant,
            "stripe": each.stripe.number,
            "first_seq": each.first_seq,
            "last_seq": each.last_seq,
        }
        for each in found.findings
    ]
    return {**asdict(found), "findings": findings, "dark": list(dark), "complete": holds}


def _text(found: Audit, dark: tuple[str, ...], *, holds: bool) -> str:
    lines = [
        "complete" if holds else "NOT COMPLETE",
        f"  rows {found.rows:,}, different keys {found.keys:,}",
        f"  entries {found.seqs:,}, sum of the fences' positions {found.positions:,}",
        f"  orphaned {found.orphaned:,}, dead letters {found.dead:,}",
        f"  from command to row: p99 {found.lag_p99_ms:,} ms, longest {found.lag_max_ms:,} ms",
    ]
    lines += [f"  the home of {tenant} did not answer" for tenant in dark[:SHOWN_MAX]]
    for each in found.findings[:SHOWN_MAX]:
        where = f"{each.stripe.partition} {each.first_seq} to {each.last_seq}"
        lines.append(f"  {each.kind}: {where}")
    if len(found.findings) > SHOWN_MAX:
        lines.append(f"  and {len(found.findings) - SHOWN_MAX} more: --json lists them")
    for kind in dict.fromkeys(each.kind for each in found.findings):
        lines.append(f"try, for {kind}: {_WAYS[kind]}")
    return "\n".join(lines)
