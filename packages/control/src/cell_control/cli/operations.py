"""Operations: list, look, watch, abort."""

from typing import Annotated, Any

from typer import Option, Typer

from cell_control.cli.beginning import ended, show_operation
from cell_control.cli.command import command
from cell_control.cli.failures import Exit, Failed
from cell_control.cli.options import OperationName, Why, Yes
from cell_control.cli.output import date, table
from cell_control.cli.session import Session
from cell_control.cli.waiting import wait_for
from cell_control.domain.records import OperationStatus

app = Typer(no_args_is_help=True, help="Look at operations, watch and abort them.")


@command(app, "list")
def list_operations(
    session: Session,
    status: Annotated[OperationStatus | None, Option(help="Only these.")] = None,
    limit: Annotated[int, Option(min=1, help="So many at most.")] = 100,
    after: Annotated[str, Option(help="Those behind this id.")] = "",
) -> None:
    """List operations in the order of their ids."""
    rows: list[dict[str, Any]] = []
    go_on: str | None = after
    wanted = status.value if status else ""
    while go_on is not None and len(rows) < limit:
        page = session.control.operations(go_on, min(1000, limit - len(rows)), wanted)
        rows += page.json["operations"]
        go_on = page.value.after
    headings = ("operation", "kind", "status", "done#", "failed#", "began")
    shown = table(headings, map(_row, rows)) if rows else "No operations."
    session.out.show({"operations": rows, "after": go_on}, shown)
    if go_on is not None:
        session.out.note(f"More follow: --after {go_on}")


@command(app, "show")
def show(session: Session, operation: OperationName) -> None:
    """Show an operation, and what became of each tenant."""
    show_operation(session, operation)


@command(app, "watch")
def watch(
    session: Session,
    operation: OperationName,
    timeout_s: Annotated[float, Option(min=0, help="At most so long.")] = 3600.0,
) -> None:
    """Watch an operation until it ends; with --json, a line for each change."""
    found = wait_for(session, operation, timeout_s, lines=session.out.json)
    if not session.out.json:
        ended(session, operation)
    elif found.status is not OperationStatus.DONE or found.failed:
        raise Failed(
            f"Operation {operation} ended {found.status.value}.",
            exit_code=Exit.UNFINISHED,
            code="ended_with_failures",
            fields={"operation": operation, "status": found.status.value},
        )


@command(app, "abort")
def abort(
    session: Session, operation: OperationName, reason: Why = "", *, yes: Yes = False
) -> None:
    """Begin no more tenants, and roll back those under way that can be."""
    session.confirm(f"Abort {operation}?", yes=yes)
    found = session.control.abort(operation, reason)
    done = f"{found.value.finished} of {found.value.tenants} tenants were done"
    session.out.show(found.json, f"{operation} is {found.value.status.value}; {done}.")


def _row(raw: dict[str, Any]) -> tuple[object, ...]:
    done = f"{raw['finished']:,} of {raw['tenants']:,}"
    return (raw["id"], raw["kind"], raw["status"], done, raw["failed"], date(raw["began_ms"]))
