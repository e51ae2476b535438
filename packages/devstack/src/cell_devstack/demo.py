"""`make demo`: two cells, the edge, the control plane, the lake; traffic, live moves, and proof.

Prints URLs and a curl that works, a live view while commands run, and what an audit of both cells
found. Exit code 0 only if every check held. Clients know the edge's address and no cell's.
"""

import argparse
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import Any, Final

from rich.console import Console
from rich.live import Live

from cell_devstack.audit import Finding, audit
from cell_devstack.demo_lake import ask_lake, lake_line, lake_report
from cell_devstack.demo_view import (
    Moved,
    Resident,
    View,
    addresses,
    curl,
    move_line,
    tour_report,
    traffic_table,
)
from cell_devstack.edge_client import EdgeClient
from cell_devstack.local_control import ControlSettings
from cell_devstack.router_figures import REPORTED_WITHIN_S, figures
from cell_devstack.traffic import Traffic
from cell_devstack.world import World, Zips

TENANTS: Final = ("T-100", "T-101", "T-102", "T-103", "T-300")
TRAVELLER: Final = "T-300"
_MOVES_AFTER: Final = (0.25, 0.6)
_REFRESH_S: Final = 0.25
_PLAIN_REFRESH_S: Final = 1.0
_PROOF: Final = """\
An audit of each tenant at its home: the log is one unbroken chain, entities
are the fold of their events and add up to the digest, debits equal credits,
and each acknowledged command is there once. And of each standby: it holds the
same log and the same state.
"""
_MOVE_TIMEOUT_S: Final = 60.0


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
    with console.status("Starting two clouds, the edge and the control plane from the zips ..."):
        zips = Zips(options.aws_zip, options.azure_zip)
        world = stack.enter_context(World(zips, control=ControlSettings(), lake=True))
        residents = _settle(world, options)
    console.print(f"All of it is up after {time.monotonic() - began:.1f} s.\n")
    console.print(addresses(world, residents))
    console.print()
    console.print(curl(world, residents[0].tenant), soft_wrap=True)
    console.print()
    elapsed_s, tour = _drive(world, residents, options.seconds, console)
    with console.status("Auditing: every entry, every entity, every acknowledged command ..."):
        for resident in residents:
            resident.look(world)
        findings = [audit(r.cell.client, r.tenant, r.epoch, r.traffic.books) for r in residents]
        proofs = [world.control.verify(r.tenant) for r in residents]
        time.sleep(REPORTED_WITHIN_S)
    console.print(traffic_table(residents, elapsed_s))
    console.print()
    held = _report(residents, findings, proofs, console)
    held = _report_tour(world, residents[-1], tour, console) and held
    held = _report_lake(world, console) and held
    if options.keep:
        console.print("\nLeft running: try the curl above. Ctrl-C ends everything.")
        threading.Event().wait()
    return 0 if held else 1


def _settle(world: World, options: argparse.Namespace) -> list[Resident]:
    """Let placement find a home and a standby for each tenant; open accounts, through the edge."""
    client = EdgeClient(world.router.url, world.router.api_key)
    residents = []
    for tenant in TENANTS:
        world.control.ask("POST", "/tenants", {"id": tenant, "reason": "make demo"})
    world.control.settle(TENANTS)
    for tenant in TENANTS:
        traffic = Traffic(client, tenant, threads=options.threads, seed=options.seed)
        residents.append(Resident.at_home(world, tenant, traffic))
    for resident in residents:
        resident.traffic.prepare()
    return residents


class _Tour:
    """The live moves, there and back, on a thread of their own beside the view."""

    def __init__(self, world: World, traveller: Resident, at_s: Sequence[float]) -> None:
        self._world = world
        self._traveller = traveller
        self._at_s = at_s
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._run, name="tour")
        self.moved: list[Moved] = []
        self.error = ""

    def start(self) -> None:
        self._thread.start()

    def join(self, *, cancel: bool = False) -> None:
        if cancel:
            self._over.set()
        self._thread.join()

    def _run(self) -> None:
        began = time.monotonic()
        try:
            for at_s in self._at_s:
                if self._over.wait(max(0.0, began + at_s - time.monotonic())):
                    return
                self.moved.append(self._move(len(self.moved) + 1))
        except Exception as error:  # noqa: BLE001 - a thread's last line: the demo reports it
            self.error = f"{type(error).__name__}: {error}"

    def _move(self, number: int) -> Moved:
        control, tenant = self._world.control, self._traveller.tenant
        record = control.tenant(tenant)
        operation = f"demo-{number}"
        control.move(operation, [tenant], record["standby"], reason="make demo")
        control.operation(operation, patience_s=_MOVE_TIMEOUT_S)
        [member] = control.members(operation)
        if member["status"] != "done":
            raise RuntimeError(f"{tenant} did not move: {member['note']}")
        return Moved.read(member, source=record["home"])

    @property
    def said(self) -> str:
        """What the view tells of it."""
        return self.error or "\n".join(move_line(TRAVELLER, moved) for moved in self.moved)


def _drive(
    world: World, residents: Sequence[Resident], seconds: float, console: Console
) -> tuple[float, _Tour]:
    """Run the traffic with a live view and the moves in it; return how long it ran."""
    began = time.monotonic()
    tour = _Tour(world, residents[-1], [seconds * share for share in _MOVES_AFTER])
    for resident in residents:
        resident.traffic.start()
    tour.start()
    try:
        _watch(View(residents, seconds, console), lambda: _said(world, tour), seconds, console)
        tour.join()
    finally:
        tour.join(cancel=True)
        for resident in residents:
            resident.traffic.stop()
    return time.monotonic() - began, tour


def _said(world: World, tour: _Tour) -> str:
    totals = world.control.ask("GET", "/replication")["totals"]
    lag = f"standbys are at most {totals['entries_max']} entries behind their homes"
    return "\n".join(filter(None, [lag, tour.said]))


def _watch(view: View, said: Callable[[], str], seconds: float, console: Console) -> None:
    began, told = time.monotonic(), set[str]()
    if not console.is_terminal:
        while time.monotonic() - began < seconds:
            time.sleep(_PLAIN_REFRESH_S)
            console.print(view.line(time.monotonic() - began), soft_wrap=True)
            lag, *news = said().splitlines()
            console.print(f"          {lag}", soft_wrap=True)
            for line in [line for line in news if line not in told]:
                told.add(line)
                console.print(f"          {line}", soft_wrap=True)
        return
    with Live(console=console, refresh_per_second=4) as live:
        while (elapsed := time.monotonic() - began) < seconds:
            live.update(view.panel(elapsed, said()))
            time.sleep(_REFRESH_S)


def _report(
    residents: Sequence[Resident],
    findings: Sequence[Finding],
    proofs: Sequence[Mapping[str, Any]],
    console: Console,
) -> bool:
    console.print(_PROOF)
    held = True
    for resident, finding, proof in zip(residents, findings, proofs, strict=True):
        books, report = resident.traffic.books, proof["report"] or {}
        same = report.get("verdict") == "equal"
        good = not finding.problems and not books.failed and books.commands > 0 and same
        held = held and good
        console.print(
            f"{_mark(good=good)}  {finding.tenant} on {resident.cell.cloud}: {finding.entries}"
            f" entries to {finding.chain[:12]}, {len(books.acknowledged)} acknowledged"
        )
        for problem in finding.problems:
            console.print(f"        {problem}")
        if books.failed:
            console.print(f"        answers that nobody should get: {dict(books.failed)}")
        if not same:
            console.print(f"        its standby: {report.get('proof', proof['status'])}")
    return held


def _report_tour(world: World, traveller: Resident, tour: _Tour, console: Console) -> bool:
    if len(tour.moved) < len(_MOVES_AFTER):
        console.print(f"{_mark(good=False)}  {traveller.tenant} did not move: {tour.error}")
        return False
    books = traveller.traffic.books
    # Nobody may notice the moves: each request of this tenant was answered as if there were none.
    good = not books.retried and not books.failed and {"aws", "azure"} <= books.served.keys()
    text = tour_report(traveller, tour.moved, figures(world.router))
    console.print(f"{_mark(good=good)}  {text}")
    return good


def _report_lake(world: World, console: Console) -> bool:
    with console.status("Asking the lake, once it has all that both cells have written ..."):
        found = ask_lake(world.lake, TENANTS)
    console.print()
    console.print(lake_report(found))
    console.print()
    console.print(f"{_mark(good=found.holds)}  {lake_line(found)}")
    return found.holds


def _mark(*, good: bool) -> str:
    return "[green]proved[/green]" if good else "[red]FAILED[/red]"
