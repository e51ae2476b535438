"""Moving tenants, and giving them standbys: each is an operation over the tenants named."""

from typing import Annotated

from typer import Option

from cell_control.cli import tenants as tenants_module
from cell_control.cli.beginning import begin
from cell_control.cli.command import command
from cell_control.cli.options import Beginning, TenantNames, Waiting
from cell_control.cli.session import Session

app = tenants_module.app

Dest = Annotated[str, Option("--to", help="The cell; left out, placement chooses for each.")]


@command(app, "move")
def move(
    session: Session, tenants: TenantNames, how: Beginning, waiting: Waiting, dest: Dest = ""
) -> None:
    """Move tenants to another cell, live: their clients notice nothing."""
    begin(session, "move", {"tenants": tenants, "dest": dest or None}, how, waiting)


@command(app, "standby")
def standby(
    session: Session, tenants: TenantNames, how: Beginning, waiting: Waiting, dest: Dest = ""
) -> None:
    """Give tenants a standby in another cell."""
    begin(session, "standby", {"tenants": tenants, "dest": dest or None}, how, waiting)
