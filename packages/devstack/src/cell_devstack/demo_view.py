"""What the demo shows: tables, the live view, the curl. It decides nothing."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final, Self

from rich.console import Console, Group, RenderableType
from rich.panel import Panel
from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn
from rich.table import Table

from cell_devstack.router_figures import Figures
from cell_devstack.traffic import Traffic
from cell_devstack.world import LocalCell, World

API_KEY: Final = "CELL_API_KEY"
_HEADINGS: Final = ("tenant", "served by", "commands", "/s", "p50 ms", "p99 ms", "again")


@dataclass(slots=True)
class Resident:
    """A tenant, where it lives, and the traffic it gets.

    Attributes:
        cell, epoch: Its home as it is now; the demo's clients never learn it.
    """

    tenant: str
    cell: LocalCell
    epoch: int
    traffic: Traffic

    @classmethod
    def at_home(cls, world: World, tenant: str, traffic: Traffic) -> Self:
        """Return `tenant` where the control plane says that it is."""
        record = world.control.tenant(tenant)
        return cls(tenant, world.cells[record["home"]], record["epoch"], traffic)

    def look(self, world: World) -> None:
        """See where it is now."""
        record = world.control.tenant(self.tenant)
        self.cell, self.epoch = world.cells[record["home"]], record["epoch"]

    @property
    def served(self) -> str:
        """Which cloud gave how many answers."""
        served = sorted(self.traffic.books.served.items())
        return ", ".join(f"{cloud or 'edge'} {count}" for cloud, count in served)


@dataclass(frozen=True, slots=True, kw_only=True)
class Moved:
    """What one move came to, as the control plane reports it.

    Attributes:
        entries: The journal entries that it copied.
        tail: Those of them that were copied while the tenant was frozen.
        freeze_ms: From the request to freeze until the new home was active.
    """

    source: str
    dest: str
    entries: int
    tail: int
    freeze_ms: int

    @classmethod
    def read(cls, member: Mapping[str, Any], *, source: str) -> Self:
        """Return what a member of an operation says."""
        figures = {name: member[name] for name in ("dest", "entries", "tail", "freeze_ms")}
        return cls(source=source, **figures)


class View:
    """The live view while traffic runs."""

    def __init__(self, residents: Sequence[Resident], seconds: float, console: Console) -> None:
        self._residents = residents
        self._progress = Progress(
            TextColumn("ledger traffic"), BarColumn(), TimeRemainingColumn(), console=console
        )
        self._task = self._progress.add_task("", total=seconds)

    def panel(self, elapsed_s: float, said: str) -> RenderableType:
        """Return what a terminal shows after `elapsed_s`."""
        self._progress.update(self._task, completed=elapsed_s)
        shown = Group(traffic_table(self._residents, elapsed_s), said, self._progress)
        return Panel(shown, title="one edge, two clouds", expand=False)

    def line(self, elapsed_s: float) -> str:
        """Return what a log gets instead."""
        shown = (f"{r.tenant} {r.traffic.books.commands} commands" for r in self._residents)
        return f"  {elapsed_s:4.1f} s  {', '.join(shown)}"


def traffic_table(residents: Sequence[Resident], elapsed_s: float) -> Table:
    """Return each tenant's traffic so far."""
    table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0))
    for heading in _HEADINGS:
        justify = "left" if heading in _HEADINGS[:2] else "right"
        table.add_column(heading, justify=justify, no_wrap=True)  # type: ignore[arg-type]  # one of two
    for resident in residents:
        books = resident.traffic.books
        table.add_row(
            resident.tenant,
            resident.served,
            str(books.commands),
            f"{books.commands / max(elapsed_s, 0.001):.0f}",
            f"{books.percentile_ms(0.5):.1f}",
            f"{books.percentile_ms(0.99):.1f}",
            str(books.retried.total()),
        )
    return table


def addresses(world: World, residents: Sequence[Resident]) -> RenderableType:
    """Return where everything is; only the first line is for clients."""
    table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0), show_header=False)
    table.add_row("edge router", world.router.url, "all that a client knows")
    table.add_row("its operators", f"{world.router.admin_url}/metrics", "/routes/T-100, /snapshot")
    table.add_row("control plane", world.control.url, "its API: /openapi.json")
    for cell in world.cells.values():
        tenants = ", ".join(r.tenant for r in residents if r.cell is cell)
        table.add_row(cell.id, cell.base_url, f"{cell.cloud}: home of {tenants}")
    return table


def curl(world: World, tenant: str) -> str:
    """Return commands that a reader can paste."""
    body = (
        f'{{"tenant_id":"{tenant}","domain":"ledger","command":"transfer",'
        '"command_id":"my-first","data":{"debit":"alice","credit":"bob","amount":"250"}}'
    )
    return (
        "A command of your own, from another terminal while this runs (make demo KEEP=1):\n\n"
        f"export {API_KEY}={world.router.api_key}\n"
        f"curl -si {world.router.url}/process -H 'content-type: application/json' \\\n"
        f"     -H \"x-api-key: ${API_KEY}\" -d '{body}'"
    )


def move_line(tenant: str, moved: Moved) -> str:
    """Return what a move came to, while it is news."""
    return (
        f"{tenant} moved from {moved.source} to {moved.dest} in its traffic:"
        f" frozen for {moved.freeze_ms} ms"
    )


def tour_report(resident: Resident, moves: Sequence[Moved], counted: Figures) -> str:
    """Return what the moves did to the clients."""
    books = resident.traffic.books
    failed = books.retried.total() + books.failed.total()
    lines = [f"{resident.tenant} moved live, {len(moves)} times:"]
    lines += [
        f"        {moved.source} to {moved.dest}: frozen for {moved.freeze_ms} ms, in which"
        f" {moved.tail} entries followed"
        for moved in moves
    ]
    lines += [
        f"        the edge held {counted.holds} requests and followed {counted.hops} answers 421;",
    ]
    longest_ms = books.longest_s * 1000
    lines.append(f"        the longest request took {longest_ms:.0f} ms; failed requests: {failed}")
    return "\n".join(lines)
