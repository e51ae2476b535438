"""Cells: list, declare, change, prove, open and close them, and empty them."""

from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, Any

from typer import Argument, Option, Typer

from cell_control.cli.beginning import begin
from cell_control.cli.command import command
from cell_control.cli.failures import Failed, usage
from cell_control.cli.options import Beginning, CellName, Waiting, Why, Yes
from cell_control.cli.output import date, pairs, paragraphs, table
from cell_control.cli.session import Session
from cell_control.domain.records import Capacity, Cell, Lifecycle, Probe

if TYPE_CHECKING:
    from cell_control.server.pages import CellShown

app = Typer(no_args_is_help=True, help="Declare, prove, open and empty cells.")
_CLOSING = (Lifecycle.QUARANTINED, Lifecycle.RETIRED)

Url = Annotated[str | None, Option("--url", help="Where its API begins.")]


@dataclass(frozen=True, slots=True, kw_only=True)
class Declared:
    """What may be said of a cell, at first and later."""

    grant_header: Annotated[
        str | None, Option(help="authorization, or x-cell-grant where the cloud takes that.")
    ] = None
    label: Annotated[
        list[str] | None, Option(help="For residency rules, such as eu; may be repeated.")
    ] = None
    tenants: Annotated[
        int | None, Option(help="How many it takes, homes and standbys.", show_default="10000")
    ] = None
    bytes_max: Annotated[int | None, Option("--bytes", help="How much data it takes.")] = None
    commands_per_s: Annotated[int | None, Option(help="How many commands it takes.")] = None
    weight: Annotated[
        int | None, Option(help="Its share of new tenants, 1 to 1000.", show_default="100")
    ] = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Identity:
    """What a cell is for good."""

    ordinal: Annotated[int, Option(help="0 to 15, its own for good.")]
    cloud: Annotated[str, Option(help="Such as aws or azure.")]
    region: Annotated[str, Option(help="Such as eu-central-1.")]
    url: Annotated[str, Option("--url", help="Where its API begins.")]


def list_cells(session: Session) -> None:
    """List all cells, and how full they are."""
    found = session.control.cells()
    rows = [_row(one) for one in found.value.cells]
    headings = ("cell", "cloud", "region", "lifecycle", "homes#", "standbys#", "free#", "parity")
    empty = "No cells yet. Declare one with: cellctl cell add"
    session.out.show(found.json, table(headings, rows) if rows else empty)


@command(app, "show")
def show(session: Session, cell: CellName) -> None:
    """Show a cell, what is taken of it, and what its last parity probe found."""
    found = session.control.cell(cell)
    session.out.show(found.json, _details(found.value))


@command(app, "add")
def add(
    session: Session,
    cell: CellName,
    identity: Identity,
    declared: Declared,
    reason: Why = "",
    *,
    activate: Annotated[
        bool, Option("--activate", help="Probe it, and open it if it is well.")
    ] = False,
) -> None:
    """Declare a cell, or all of its declaration anew; it takes no tenants yet.

    Then `cell probe` proves it, and `cell lifecycle CELL active` opens it: --activate does both.
    """
    body = {
        "ordinal": identity.ordinal,
        "cloud": identity.cloud,
        "region": identity.region,
        "base_url": identity.url,
        "reason": reason,
        **_body(declared, Capacity(tenants=10_000)),
    }
    found = session.control.declare_cell(cell, body)
    if activate:
        session.out.note(f"{cell} is declared; probing it ...")
        _check_probe(session.control.probe_cell(cell, reason).value)
        found = session.control.change_lifecycle(cell, Lifecycle.ACTIVE.value, reason)
    session.out.show(found.json, _became(found.value))
    if not activate:
        session.out.note(f"Prove it next: cellctl cell probe {cell}")


@command(app, "set")
def change(
    session: Session, cell: CellName, declared: Declared, reason: Why = "", url: Url = None
) -> None:
    """Change some of a cell's declaration; another URL has to be probed again."""
    before = session.control.cell(cell).value.cell.capacity
    body = {"base_url": url, **_body(declared, before)}
    if all(value is None for value in body.values()):
        raise usage("Nothing is to change.", "Say what, such as --tenants 20000.")
    found = session.control.change_cell(cell, {**body, "reason": reason})
    session.out.show(found.json, _became(found.value))


@command(app, "probe")
def probe(session: Session, cell: CellName, reason: Why = "") -> None:
    """Run the parity probe against a cell: does it answer as every cell has to?"""
    session.out.note(f"Probing {cell} ...")
    found = session.control.probe_cell(cell, reason)
    session.out.show(found.json, _probe_text(found.value))
    _check_probe(found.value)


@command(app, "lifecycle")
def lifecycle(
    session: Session,
    cell: CellName,
    to: Annotated[Lifecycle, Argument(help="What it is to become.")],
    reason: Why = "",
    *,
    yes: Yes = False,
) -> None:
    """Open a cell, close it to new tenants, quarantine or retire it."""
    if to in _CLOSING:
        session.confirm(f"{cell} becomes {to.value}: do it?", yes=yes)
    found = session.control.change_lifecycle(cell, to.value, reason)
    session.out.show(found.json, _became(found.value))


@command(app, "drain")
def drain(
    session: Session,
    cell: CellName,
    how: Beginning,
    waiting: Waiting,
    dest: Annotated[str, Option("--to", help="Where to; left out, placement chooses.")] = "",
) -> None:
    """Move every tenant out of a cell, live, by priority; it gets no new ones."""
    about = {"source": cell, "dest": dest or None}
    begin(session, "drain", about, how, waiting, dangerous=True)


@command(app, "failback")
def failback(
    session: Session,
    cell: CellName,
    how: Beginning,
    waiting: Waiting,
    source: Annotated[str, Option("--from", help="Only those that are in this cell now.")] = "",
) -> None:
    """Move the tenants that came from a cell back to it."""
    about = {"dest": cell, "source": source or None}
    begin(session, "failback", about, how, waiting, dangerous=True)


def _body(declared: Declared, capacity: Capacity) -> dict[str, Any]:
    sizes = {
        "tenants": declared.tenants,
        "bytes": declared.bytes_max,
        "commands_per_s": declared.commands_per_s,
    }
    given = {name: value for name, value in sizes.items() if value is not None}
    before = {name: getattr(capacity, name) for name in sizes}
    return {
        "grant_header": declared.grant_header,
        "labels": declared.label or None,
        "capacity": {**before, **given} if given else None,
        "weight": declared.weight,
    }


def _row(one: "CellShown") -> tuple[object, ...]:
    cell, usage_ = one.cell, one.usage
    return (
        cell.id,
        cell.cloud,
        cell.region,
        cell.lifecycle.value,
        usage_.homes,
        usage_.standbys,
        one.free,
        _parity(cell.probe),
    )


def _parity(found: Probe | None) -> str:
    if found is None:
        return "never probed"
    return f"{len(found.problems)} problems" if found.problems else "well"


def _details(one: "CellShown") -> Any:  # noqa: ANN401 - what Rich shows
    cell, capacity = one.cell, one.cell.capacity
    facts = pairs(
        [
            ("cell", cell.id),
            ("lifecycle", cell.lifecycle.value),
            ("cloud", f"{cell.cloud}, {cell.region}"),
            ("ordinal", cell.ordinal),
            ("url", cell.base_url),
            ("grants in", cell.grant_header),
            ("labels", cell.labels),
            ("weight", cell.weight),
            ("homes", one.usage.homes),
            ("standbys", one.usage.standbys),
            ("free", f"{one.free:,} of {capacity.tenants:,} tenants"),
            ("takes", f"{capacity.bytes:,} bytes, {capacity.commands_per_s:,} commands/s"),
        ]
    )
    return paragraphs(facts, _probe_text(cell))


def _probe_text(cell: Cell) -> str:
    found = cell.probe
    if found is None:
        return f"Never probed: cellctl cell probe {cell.id}"
    about = f"Probed {date(found.at_ms)} for contract {found.contract}"
    return "\n".join([f"{about}: {_parity(found)}.", *(f"  {one}" for one in found.problems)])


def _check_probe(cell: Cell) -> None:
    found = cell.probe
    if found is not None and found.problems:
        raise Failed(
            f"{cell.id} does not answer as every cell has to: {'; '.join(found.problems[:5])}.",
            "Is its URL right? Deploy the release that the other cells have, then probe it again.",
            code="probe_failing",
            fields={"cell": cell.id, "problems": list(found.problems)},
        )


def _became(cell: Cell) -> str:
    return f"{cell.id} is {cell.lifecycle.value} at {cell.base_url}; parity: {_parity(cell.probe)}."
