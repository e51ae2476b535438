"""Arguments and options that several commands share."""

from dataclasses import dataclass
from typing import Annotated, TypeAlias

from typer import Argument, Option

CellName: TypeAlias = Annotated[str, Argument(metavar="CELL", help="A cell's name.")]
TenantName: TypeAlias = Annotated[str, Argument(metavar="TENANT", help="A tenant's id.")]
TenantNames: TypeAlias = Annotated[list[str], Argument(metavar="TENANT...", help="Tenants' ids.")]
OperationName: TypeAlias = Annotated[str, Argument(metavar="ID", help="An operation's id.")]
Why: TypeAlias = Annotated[str, Option("--reason", "-r", help="Why; kept in the audit.")]
Yes: TypeAlias = Annotated[bool, Option("--yes", "-y", help="Ask nothing.")]


@dataclass(frozen=True, slots=True, kw_only=True)
class Waiting:
    """Whether to see to the end of it."""

    wait: Annotated[bool, Option(help="Wait until it is over, with progress.")] = True
    timeout_s: Annotated[
        float, Option(min=0, help="Wait at most so long; the operation goes on by itself.")
    ] = 3600.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Beginning:
    """How an operation is begun."""

    id: Annotated[
        str, Option("--id", help="Of the operation: the same id again is the same operation.")
    ] = ""
    parallel: Annotated[int, Option(min=1, max=64, help="Tenants under way at a time.")] = 4
    freeze_budget_ms: Annotated[
        int, Option(min=0, help="Begin no more tenants once so much was frozen; 0 for no limit.")
    ] = 0
    reason: Why = ""
    dry_run: Annotated[bool, Option("--dry-run", help="Only say what it would do.")] = False
    yes: Yes = False
