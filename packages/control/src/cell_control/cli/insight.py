"""What is asked over all tenants: headroom, replication, status, audit."""

from typing import TYPE_CHECKING, Annotated, Any

from typer import Option, Typer

from cell_control.cli.command import command
from cell_control.cli.durations import ms_of
from cell_control.cli.failures import Failed
from cell_control.cli.output import date, lasting, pairs, paragraphs, printable, table
from cell_control.cli.session import Session

if TYPE_CHECKING:
    from cell_control.domain.headroom import Absorption
    from cell_control.domain.records import Audit
    from cell_control.server.pages import AuditShown


def add_to(app: Typer) -> None:
    """Add these commands to `app`."""
    for name, function in _COMMANDS.items():
        command(app, name)(function)


def headroom(session: Session) -> None:
    """Say whether each cloud and cell could be lost now: who would take its tenants.

    Exit code 1 if losing one of them would leave tenants without a home.
    """
    found = session.control.headroom()
    losses = [*found.value.clouds, *found.value.cells]
    headings = ("if lost", "priority#", "tenants#", "standby ready#", "fits#", "does not fit#")
    rows = [
        (loss.lost, level.priority, level.tenants, level.ready, level.room, level.stuck)
        for loss in losses
        for level in loss.levels
    ]
    shown = table(headings, rows) if rows else "No tenants: nothing could be lost."
    session.out.show(found.json, shown)
    for cloud in found.value.clouds:
        if waiting := sum(level.tenants - level.ready for level in cloud.levels):
            session.out.note(
                f"{waiting:,} tenants in {cloud.lost} have no standby that could take over: they "
                "can leave only while it answers. "
                "See cellctl tenant list --without-standby, cellctl tenant standby"
            )
    stuck = [_stuck(loss) for loss in losses if any(level.stuck for level in loss.levels)]
    if stuck:
        raise Failed(
            "Some tenants would have no home.",
            *stuck,
            code="no_headroom",
            fields={"lost": [loss.lost for loss in losses if any(x.stuck for x in loss.levels)]},
        )


def replication(
    session: Session,
    worst: Annotated[int, Option(min=0, max=100, help="How many tenants to name.")] = 10,
) -> None:
    """Say how far standbys are behind, and which most."""
    found = session.control.replication(worst)
    totals = found.value.totals
    summary = pairs(
        [
            ("tenants behind", f"{totals.tenants:,}"),
            ("entries behind", f"{totals.entries:,} in all, {totals.entries_max:,} at most"),
            ("longest behind", lasting(totals.longest_ms)),
            ("exact", totals.forgotten == 0),
        ]
    )
    rows = [(one.tenant, one.entries, date(one.since_ms)) for one in found.value.worst]
    parts = [summary, table(("tenant", "entries behind#", "since"), rows)] if rows else [summary]
    session.out.show(found.json, paragraphs(*parts))


def status(session: Session) -> None:
    """Say where the control plane's process that answers stands."""
    found = session.control.status()
    one = found.value
    facts = [
        ("server", session.place.server),
        ("named by", session.place.origin),
        ("process", one.process),
        ("ready", one.ready),
        ("waits for", one.missing),
        ("registry at rev", one.rev),
        *((f"publishing to {name}", result) for name, result in sorted(one.targets.items())),
        *((name, f"{value:g}") for name, value in sorted(one.gauges.items())),
    ]
    session.out.show({"server": session.place.server, **found.json}, pairs(facts))


def audit(
    session: Session,
    since: Annotated[str, Option(help="How far back, such as 30m, 12h or 7d.")] = "24h",
    subject: Annotated[str, Option(help="Only of this tenant, cell or operation.")] = "",
    by: Annotated[str, Option("--by", help="Only by this one.")] = "",
    action: Annotated[str, Option(help="Only actions that begin so, such as tenant.")] = "",
    limit: Annotated[int, Option(min=1, help="The newest so many.")] = 100,
) -> None:
    """Say who changed what, when and why."""
    after = f"{max(0, session.around.now_ms() - ms_of(since)):015d}"
    found: list[Any] = []
    kept: list[AuditShown] = []
    for one in session.control.each_audit(after):
        audited = one.value.audit
        is_meant = subject in ("", audited.subject) and by in ("", audited.by)
        if is_meant and audited.action.startswith(action):
            found, kept = [*found, one.json][-limit:], [*kept, one.value][-limit:]
    lines = [_line(one.audit) for one in kept]
    session.out.show({"audits": found}, *(lines or [f"Nothing in the last {since}."]))


_COMMANDS = {
    "headroom": headroom,
    "replication": replication,
    "status": status,
    "audit": audit,
}


def _stuck(loss: "Absorption") -> str:
    count = sum(level.stuck for level in loss.levels)
    why = ", ".join(f"{code.replace('_', ' ')}: {many:,}" for code, many in loss.why.items())
    samples = ", ".join(loss.samples[:3])
    return (
        f"Without {loss.lost}, {count:,} tenants fit nowhere ({why}; such as {samples}): "
        "add a cell, raise a cell's capacity, or change their policy."
    )


def _line(found: "Audit") -> str:
    details = " ".join(f"{name}={value}" for name, value in found.details if value)
    why = f'"{found.reason}"' if found.reason else ""
    parts = (date(found.at_ms), found.by, found.action, found.subject, why, details)
    return printable("  ".join(filter(None, parts)))
