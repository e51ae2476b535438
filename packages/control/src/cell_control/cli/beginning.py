"""Begins an operation: says what it will do, asks, begins, waits, and says what it came to."""

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any, Final

from rich.console import RenderableType

from cell_control.cli.failures import Exit, Failed
from cell_control.cli.options import Beginning, Waiting
from cell_control.cli.output import date, lasting, pairs, paragraphs, table
from cell_control.cli.session import Session
from cell_control.cli.waiting import wait_for
from cell_control.domain.records import Member, Operation, OperationStatus

if TYPE_CHECKING:
    from cell_control.service.planning import Blast, Plan

MEMBERS_SHOWN_MAX: Final = 50


def begin(
    session: Session,
    kind: str,
    about: dict[str, Any],
    how: Beginning,
    waiting: Waiting,
    *,
    dangerous: bool = False,
) -> None:
    """Begin the operation that `about` and `how` describe, or only say what it would do.

    Raises:
        Failed: It was refused; or it ended with failures.
    """
    body = {
        "id": how.id or session.around.new_id(kind),
        "kind": kind,
        "parallel_max": how.parallel,
        "freeze_budget_ms": how.freeze_budget_ms,
        "reason": how.reason,
        **about,
    }
    if how.dry_run:
        _dry_run(session, body)
        return
    if dangerous and not how.yes:
        plan = session.control.begin({**body, "dry_run": True}).value.plan
        if plan is not None:
            session.out.note(f"{_sentence(kind, about)}: {_radius(plan.blast)}")
        session.confirm(f"{_sentence(kind, about)}: do it?", yes=False)
    begun = session.control.begin(body)
    operation = begun.value.operation
    assert operation is not None  # noqa: S101 - of all but dry runs
    if not waiting.wait:
        session.out.show(begun.json, f"Begun: {operation.id}")
        session.out.note(f"Watch it with: cellctl ops watch {operation.id}")
        return
    session.out.note(f"Begun: {operation.id}")
    wait_for(session, operation.id, waiting.timeout_s, lines=False)
    ended(session, operation.id)


def ended(session: Session, operation: str) -> None:
    """Show an operation that is over, and its members.

    Raises:
        Failed: Not all of it was done.
    """
    show_operation(session, operation)
    found = session.control.operation(operation).value
    if found.status is not OperationStatus.DONE or found.failed:
        raise Failed(
            f"Operation {operation} ended {found.status.value}: {found.finished} done, "
            f"{found.failed} failed of {found.tenants}.",
            f"See why with: cellctl ops show {operation}",
            exit_code=Exit.UNFINISHED,
            code="ended_with_failures",
            fields={"operation": operation, "status": found.status.value},
        )


def show_operation(session: Session, operation: str) -> None:
    """Show an operation and its members."""
    found = session.control.operation(operation)
    page = session.control.members(operation)
    document = {"operation": found.json, **page.json}
    shown = list(page.value.members)
    parts: list[RenderableType] = [pairs(_of(found.value))]
    if shown:
        parts.append(members_table(shown[:MEMBERS_SHOWN_MAX]))
    more = found.value.tenants - min(len(shown), MEMBERS_SHOWN_MAX)
    if more > 0:
        parts.append(f"and {more:,} more tenants; all of a page with --json")
    session.out.show(document, paragraphs(*parts))


def members_table(members: list[Member]) -> RenderableType:
    """Return members as a table, and notes below it."""
    rows = [
        (m.tenant, m.dest, m.status, lasting(m.freeze_ms) if m.freeze_ms else "",
         m.entries or "", m.tail or "", m.rollbacks or "")
        for m in members
    ]  # fmt: skip
    headings = ("tenant", "to", "status", "frozen#", "copied#", "in the freeze#", "rolled back#")
    notes = [(f"{m.tenant}:", m.note) for m in members if m.note]
    made = table(headings, rows)
    return paragraphs(made, pairs(notes)) if notes else made


def _dry_run(session: Session, body: dict[str, Any]) -> None:
    asked = session.control.begin({**body, "dry_run": True})
    plan = asked.value.plan
    assert plan is not None  # noqa: S101 - of a dry run
    session.out.show(asked.json, paragraphs(*_plan(plan)))
    if plan.against or (plan.members and not plan.blast.tenants):
        reasons = plan.against or plan.blast.reasons
        raise Failed(
            "It would be refused.",
            *(reason.text for reason in reasons),
            code="operation_refused" if plan.against else "nothing_fits",
        )


def _plan(plan: "Plan") -> Iterator[RenderableType]:
    blast = plan.blast
    yield pairs(
        [
            ("would go", f"{blast.tenants:,} of {len(plan.members):,} tenants"),
            ("to", _counts(blast.destinations)),
            ("by priority", _counts(blast.priorities)),
            ("data", "not known" if blast.bytes is None else f"{blast.bytes:,} bytes"),
            ("frozen", f"about {lasting(blast.freeze_ms)} in all, each tenant for itself"),
            ("takes", f"about {lasting(blast.duration_ms)}"),
            ("in the budget", f"{blast.within_budget:,} tenants"),
            ("not allowed", blast.refused or ""),
        ]
    )
    if plan.members:
        rows = [(m.tenant, m.dest, m.status, m.note) for m in plan.members[:MEMBERS_SHOWN_MAX]]
        yield table(("tenant", "to", "", "why not"), rows)
    if len(plan.members) > MEMBERS_SHOWN_MAX:
        yield f"and {len(plan.members) - MEMBERS_SHOWN_MAX:,} more; all with --json"


def _radius(blast: "Blast") -> str:
    return (
        f"{blast.tenants:,} tenants to {_counts(blast.destinations) or 'nowhere'}, frozen for "
        f"about {lasting(blast.freeze_ms)} in all, in about {lasting(blast.duration_ms)}"
    )


def _sentence(kind: str, about: dict[str, Any]) -> str:
    where = [f"from {about['source']}"] if about.get("source") else []
    where += [f"to {about['dest']}"] if about.get("dest") else []
    return " ".join([kind, *where])


def _counts(found: dict[Any, int]) -> str:
    return ", ".join(f"{name}: {count:,}" for name, count in found.items())


def _of(one: Operation) -> list[tuple[str, object]]:
    return [
        ("operation", one.id),
        ("kind", one.kind),
        ("status", one.status.value),
        ("from", one.source),
        ("to", one.dest),
        ("tenants", f"{one.finished:,} done, {one.failed:,} failed of {one.tenants:,}"),
        ("frozen in all", lasting(one.freeze_ms_total)),
        ("began", date(one.began_ms)),
        ("ended", date(one.ended_ms)),
        ("took", lasting(one.ended_ms - one.began_ms) if one.ended_ms else ""),
        ("by", one.by),
        ("reason", one.reason),
        ("note", one.note),
    ]
