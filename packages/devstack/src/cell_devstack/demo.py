"""`make demo`: two cells on this machine, traffic against both, and proof at the end.

Prints URLs and a curl that works, a live view while commands run, and what an audit of both cells
found. Exit code 0 only if every check held.
"""

import argparse
import threading
import time
from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from rich.console import Console, Group
from rich.live import Live
from rich.panel import Panel
from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn
from rich.table import Table

from cell_devstack.audit import Finding, audit
from cell_devstack.grant_desk import GrantDesk
from cell_devstack.traffic import Traffic
from cell_devstack.world import AWS, AZURE, LocalCell, World, Zips

TENANTS: Final = {AWS: "T-100", AZURE: "T-200"}
_REFRESH_S: Final = 0.25
_PLAIN_REFRESH_S: Final = 1.0


@dataclass(frozen=True, slots=True)
class Resident:
    """A tenant at home in a cell, and the traffic it gets."""

    cell: LocalCell
    tenant: str
    epoch: int
    traffic: Traffic


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the demo; return the exit code."""
    options = _options(arguments)
    console = Console(highlight=False)
    with ExitStack() as stack:
        try:
            return _run(options, console, stack)
        except KeyboardInterrupt:
            console.print("\nStopped; everything that was started is being ended.")
            return 130


def _options(arguments: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="make demo", description=__doc__)
    parser.add_argument("--aws-zip", type=Path, required=True)
    parser.add_argument("--azure-zip", type=Path, required=True)
    parser.add_argument("--seconds", type=float, default=6.0, help="how long traffic runs")
    parser.add_argument("--threads", type=int, default=2, help="clients for each tenant")
    parser.add_argument("--seed", type=int, default=1, help="of the traffic")
    parser.add_argument("--keep", action="store_true", help="leave it running until Ctrl-C")
    return parser.parse_args(arguments)


def _run(options: argparse.Namespace, console: Console, stack: ExitStack) -> int:
    began = time.monotonic()
    with console.status("Starting two clouds: databases, function hosts, the zips ..."):
        world = stack.enter_context(World(Zips(options.aws_zip, options.azure_zip)))
        desk = stack.enter_context(GrantDesk(world.keys, world.cells))
        residents = [_settle(world.cells[cell], options) for cell in (AWS, AZURE)]
    console.print(f"Two cells are up after {time.monotonic() - began:.1f} s.\n")
    console.print(_addresses(residents))
    console.print()
    console.print(_curl(residents[0], desk), soft_wrap=True)
    console.print()
    elapsed_s = _drive(residents, options.seconds, console)
    with console.status("Auditing: every entry, every entity, every acknowledged command ..."):
        findings = [audit(r.cell.client, r.tenant, r.epoch, r.traffic.books) for r in residents]
    held = _report(residents, findings, elapsed_s, console)
    if options.keep:
        console.print("\nLeft running: try the curl above. Ctrl-C ends everything.")
        threading.Event().wait()
    return 0 if held else 1


def _settle(cell: LocalCell, options: argparse.Namespace) -> Resident:
    """Provision the cell's tenant and open its accounts."""
    tenant, epoch = TENANTS[cell.id], cell.ordinal
    cell.client.control("POST", f"/{tenant}/provision", {"role": "active", "epoch": epoch})
    traffic = Traffic(cell.client, tenant, epoch, threads=options.threads, seed=options.seed)
    traffic.prepare()
    return Resident(cell, tenant, epoch, traffic)


def _addresses(residents: Sequence[Resident]) -> Table:
    table = Table(box=None, pad_edge=False)
    for heading in ("tenant", "cell", "cloud", "address"):
        table.add_column(heading, no_wrap=True)
    for r in residents:
        table.add_row(r.tenant, r.cell.id, r.cell.cloud, f"{r.cell.base_url}/process")
    return table


def _curl(first: Resident, desk: GrantDesk) -> str:
    body = (
        f'{{"tenant_id":"{first.tenant}","domain":"ledger","command":"transfer",'
        '"command_id":"my-first","data":{"debit":"alice","credit":"bob","amount":"250"}}'
    )
    return (
        "A command of your own, from another terminal while this runs (make demo KEEP=1):\n\n"
        f"curl -s {first.cell.base_url}/process -H 'content-type: application/json' \\\n"
        f'  -H "authorization: Bearer $(curl -s {desk.url}/{first.cell.id}/{first.tenant}'
        f'/{first.epoch})" \\\n'
        f"  -d '{body}'"
    )


def _drive(residents: Sequence[Resident], seconds: float, console: Console) -> float:
    """Run the traffic with a live view; return how long it ran."""
    began = time.monotonic()
    for resident in residents:
        resident.traffic.start()
    try:
        _watch(residents, began, seconds, console)
    finally:
        for resident in residents:
            resident.traffic.stop()
    return time.monotonic() - began


def _watch(residents: Sequence[Resident], began: float, seconds: float, console: Console) -> None:
    progress = Progress(
        TextColumn("ledger traffic"), BarColumn(), TimeRemainingColumn(), console=console
    )
    task = progress.add_task("", total=seconds)
    if not console.is_terminal:
        while time.monotonic() - began < seconds:
            time.sleep(_PLAIN_REFRESH_S)
            shown = (f"{r.tenant} {r.traffic.books.commands} commands" for r in residents)
            console.print(f"  {time.monotonic() - began:4.1f} s  {', '.join(shown)}")
        return
    with Live(console=console, refresh_per_second=4) as live:
        while (elapsed := time.monotonic() - began) < seconds:
            progress.update(task, completed=elapsed)
            live.update(Panel(Group(_figures(residents, elapsed), progress), title="two clouds"))
            time.sleep(_REFRESH_S)


def _figures(residents: Sequence[Resident], elapsed_s: float) -> Table:
    table = Table(box=None, pad_edge=False, padding=(0, 2))
    for heading in ("tenant", "cloud", "commands", "commands/s", "p50 ms", "p99 ms", "sent again"):
        table.add_column(heading, justify="left" if heading in ("tenant", "cloud") else "right")
    for r in residents:
        books = r.traffic.books
        table.add_row(
            r.tenant,
            r.cell.cloud,
            str(books.commands),
            f"{books.commands / max(elapsed_s, 0.001):.0f}",
            f"{books.percentile_ms(0.5):.1f}",
            f"{books.percentile_ms(0.99):.1f}",
            str(sum(books.retried.values())),
        )
    return table


def _report(
    residents: Sequence[Resident],
    findings: Sequence[Finding],
    elapsed_s: float,
    console: Console,
) -> bool:
    console.print(_figures(residents, elapsed_s))
    console.print()
    held = True
    for resident, finding in zip(residents, findings, strict=True):
        failed = dict(resident.traffic.books.failed)
        good = not finding.problems and not failed and resident.traffic.books.commands > 0
        held = held and good
        mark = "[green]proved[/green]" if good else "[red]FAILED[/red]"
        console.print(
            f"{mark}  {finding.tenant} on {resident.cell.cloud}: {finding.entries} entries in one"
            f" unbroken chain to {finding.chain[:12]}, {finding.entities} entities equal to the"
            " fold of their events and to their digest, debits equal credits,"
            f" {len(resident.traffic.books.acknowledged)} acknowledged commands all there once."
        )
        for problem in finding.problems:
            console.print(f"        {problem}")
        if failed:
            console.print(f"        answers that nobody should get: {failed}")
    return held
