"""`make demo`: an edge router before two cells, traffic through it, a live move, and proof.

Prints URLs and a curl that works, a live view while commands run, and what an audit of both cells
found. Exit code 0 only if every check held. Clients know the edge's address and no cell's.
"""

import argparse
import threading
import time
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import Final

from rich.console import Console
from rich.live import Live

from cell_devstack.audit import Finding, audit
from cell_devstack.demo_view import (
    Resident,
    View,
    addresses,
    curl,
    move_line,
    move_report,
    traffic_table,
)
from cell_devstack.edge_client import EdgeClient
from cell_devstack.hand_move import HandMove, Moved
from cell_devstack.local_router import RouterSettings
from cell_devstack.router_figures import REPORTED_WITHIN_S, figures
from cell_devstack.traffic import Traffic
from cell_devstack.world import AWS, AZURE, World, Zips

TENANTS: Final = {"T-100": AWS, "T-101": AWS, "T-200": AZURE, "T-201": AZURE, "T-300": AWS}
TRAVELLER: Final = "T-300"
_MOVES_AFTER: Final = 0.4
_REFRESH_S: Final = 0.25
_PLAIN_REFRESH_S: Final = 1.0
_PROOF: Final = """\
An audit of each tenant at its home: the log is one unbroken chain, entities
are the fold of their events and add up to the digest, debits equal credits,
and each acknowledged command is there once.
"""
# A feed this slow lets answers of the old home be the first to tell the edge of the move.
_ROUTER: Final = RouterSettings(poll_s=1.0)


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
    parser.add_argument("--seconds", type=float, default=10.0, help="how long traffic runs")
    parser.add_argument("--threads", type=int, default=2, help="clients for each tenant")
    parser.add_argument("--seed", type=int, default=1, help="of the traffic")
    parser.add_argument("--keep", action="store_true", help="leave it running until Ctrl-C")
    return parser.parse_args(arguments)


def _run(options: argparse.Namespace, console: Console, stack: ExitStack) -> int:
    began = time.monotonic()
    with console.status("Starting two clouds and the edge: databases, hosts, the zips, router ..."):
        world = stack.enter_context(World(Zips(options.aws_zip, options.azure_zip), router=_ROUTER))
        residents = _settle(world, options)
    console.print(f"Two cells and the edge are up after {time.monotonic() - began:.1f} s.\n")
    console.print(addresses(world, residents))
    console.print()
    console.print(curl(world, residents[0].tenant), soft_wrap=True)
    console.print()
    elapsed_s, move = _drive(world, residents, options.seconds, console)
    with console.status("Auditing: every entry, every entity, every acknowledged command ..."):
        findings = [audit(r.cell.client, r.tenant, r.epoch, r.traffic.books) for r in residents]
        time.sleep(REPORTED_WITHIN_S)
    console.print(traffic_table(residents, elapsed_s))
    console.print()
    held = _report(residents, findings, console)
    held = _report_move(world, residents[-1], move, console) and held
    if options.keep:
        console.print("\nLeft running: try the curl above. Ctrl-C ends everything.")
        threading.Event().wait()
    return 0 if held else 1


def _settle(world: World, options: argparse.Namespace) -> list[Resident]:
    """Provision every tenant at its home and open its accounts, through the edge."""
    client = EdgeClient(world.router.url, world.router.api_key)
    residents = []
    for tenant, home in TENANTS.items():
        epoch = world.provision(tenant, home)
        traffic = Traffic(client, tenant, threads=options.threads, seed=options.seed)
        residents.append(Resident(tenant, world.cells[home], epoch, traffic))
    world.registry.settle()
    for resident in residents:
        resident.traffic.prepare()
    return residents


class _Move:
    """The live move, on a thread of its own beside the view."""

    def __init__(self, world: World, traveller: Resident) -> None:
        self._world = world
        self._traveller = traveller
        self._thread = threading.Thread(target=self._run, name="move")
        self.moved: Moved | None = None
        self.error = ""

    def start(self) -> None:
        self._thread.start()

    def join(self) -> None:
        self._thread.join()

    def _run(self) -> None:
        traveller, cells = self._traveller, self._world.cells
        mover = HandMove(
            traveller.tenant,
            cells[AWS],
            cells[AZURE],
            epoch=traveller.epoch,
            publish=lambda epoch: self._world.registry.assign(traveller.tenant, epoch),
        )
        try:
            self.moved = mover.run()
        except Exception as error:  # noqa: BLE001 - a thread's last line: the demo reports it
            self.error = f"{type(error).__name__}: {error}"
        else:
            traveller.cell, traveller.epoch = cells[AZURE], self.moved.epoch

    @property
    def said(self) -> str:
        """What the view tells of it."""
        moved = self.moved
        return move_line(self._traveller.tenant, moved) if moved else self.error


def _drive(
    world: World, residents: Sequence[Resident], seconds: float, console: Console
) -> tuple[float, _Move]:
    """Run the traffic with a live view and the move in the middle; return how long it ran."""
    began = time.monotonic()
    move = _Move(world, residents[-1])
    for resident in residents:
        resident.traffic.start()
    moving = threading.Timer(seconds * _MOVES_AFTER, move.start)
    moving.start()
    try:
        _watch(View(residents, seconds, console), lambda: move.said, seconds, console)
        moving.join()
        move.join()
    finally:
        moving.cancel()
        for resident in residents:
            resident.traffic.stop()
    return time.monotonic() - began, move


def _watch(view: View, said: Callable[[], str], seconds: float, console: Console) -> None:
    began, told = time.monotonic(), ""
    if not console.is_terminal:
        while time.monotonic() - began < seconds:
            time.sleep(_PLAIN_REFRESH_S)
            console.print(view.line(time.monotonic() - began), soft_wrap=True)
            if said() != told:
                console.print(f"          {(told := said())}", soft_wrap=True)
        return
    with Live(console=console, refresh_per_second=4) as live:
        while (elapsed := time.monotonic() - began) < seconds:
            live.update(view.panel(elapsed, said()))
            time.sleep(_REFRESH_S)


def _report(residents: Sequence[Resident], findings: Sequence[Finding], console: Console) -> bool:
    console.print(_PROOF)
    held = True
    for resident, finding in zip(residents, findings, strict=True):
        books = resident.traffic.books
        good = not finding.problems and not books.failed and books.commands > 0
        held = held and good
        console.print(
            f"{_mark(good=good)}  {finding.tenant} on {resident.cell.cloud}: {finding.entries}"
            f" entries to {finding.chain[:12]}, {len(books.acknowledged)} acknowledged"
        )
        for problem in finding.problems:
            console.print(f"        {problem}")
        if books.failed:
            console.print(f"        answers that nobody should get: {dict(books.failed)}")
    return held


def _report_move(world: World, traveller: Resident, move: _Move, console: Console) -> bool:
    if move.moved is None:
        console.print(f"{_mark(good=False)}  {traveller.tenant} did not move: {move.error}")
        return False
    books = traveller.traffic.books
    # Nobody may notice the move: every request of this tenant was answered as if there were none.
    good = not books.retried and not books.failed and {"aws", "azure"} <= books.served.keys()
    text = move_report(traveller, move.moved, figures(world.router))
    console.print(f"{_mark(good=good)}  {text}")
    return good


def _mark(*, good: bool) -> str:
    return "[green]proved[/green]" if good else "[red]FAILED[/red]"
