"""Proves that standbys hold what their homes hold: one tenant, or all of them.

Keeps as many verifications under way as the control plane takes. Refuses to say `equal` of what
could not be looked at.
"""

from collections import Counter, deque
from collections.abc import Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, Any, Final

from rich.console import RenderableType
from typer import Argument, Option, Typer

from cell_control.cli.command import command
from cell_control.cli.failures import Exit, Failed, usage
from cell_control.cli.output import pairs, paragraphs, table
from cell_control.cli.session import Session

if TYPE_CHECKING:
    from cell_control.cli.client import Answer
    from cell_control.domain.proof import Depth, Report
    from cell_control.server.verifications import Verification

POLL_S: Final = 0.2
AT_A_TIME: Final = 4
"""What one process of the control plane takes."""

TRIES_MAX: Final = 100
KEPT_MAX: Final = 1000
FINDINGS_SHOWN_MAX: Final = 20


@dataclass(frozen=True, slots=True, kw_only=True)
class Depths:
    """How thoroughly to look."""

    positions: Annotated[
        bool, Option("--positions", help="Only where journals stand: one request a cell.")
    ] = False
    deep: Annotated[
        bool, Option("--deep", help="Run every journal again, and compare every document.")
    ] = False
    other: Annotated[str, Option(help="The cell to compare with, if not the standby.")] = ""

    @property
    def depth(self) -> "Depth":
        """Which of the three; raises `Failed` for two."""
        if self.positions and self.deep:
            raise usage("--positions and --deep exclude each other.")
        return "positions" if self.positions else "behaviour" if self.deep else "digests"


def add_to(app: Typer) -> None:
    """Add this command to `app`."""
    command(app, "verify")(verify)


def verify(
    session: Session,
    depths: Depths,
    tenant: Annotated[str, Argument(metavar="[TENANT]", help="A tenant's id.")] = "",
    *,
    everything: Annotated[bool, Option("--all", help="Every tenant that has a standby.")] = False,
) -> None:
    """Prove that a tenant's standby holds what its home holds: positions and digests.

    Exit code 6 if something differs or could not be proved.
    """
    if bool(tenant) == everything:
        raise usage("Name a tenant, or say --all.")
    if everything:
        _all(session, depths)
        return
    found = _over(session, session.control.verify(tenant, depths.depth, depths.other))
    report = found.value.report
    session.out.show(found.json, *_shown(report))
    verdict = report.verdict if report else "broken"
    if verdict != "equal":
        raise _unproven(f"{tenant}: {_VERDICTS[verdict]}", {"tenant": tenant, "verdict": verdict})


_VERDICTS: Final = {
    "differs": "its cells do not hold the same.",
    "unproven": "nothing differs, and not all of it could be looked at.",
    "broken": "the verification broke; the control plane's log says where.",
}


def _all(session: Session, depths: Depths) -> None:
    counts, kept = Counter[str](), list[Any]()
    todo = deque(_with_standby(session, depths, counts))
    total, running = len(todo), deque["Answer[Verification]"]()
    while todo or running:
        while todo and len(running) < AT_A_TIME:
            begun = _begun(session, todo[0], depths, is_first=not running)
            if begun is None:
                break
            todo.popleft()
            running.append(begun)
        found = _over(session, running.popleft())
        report = found.value.report
        verdict = report.verdict if report else "broken"
        counts[verdict] += 1
        if verdict != "equal" and len(kept) < KEPT_MAX:
            kept.append(found.json)
            session.out.note(f"{found.value.tenant}: {_VERDICTS[verdict]}")
        if counts.total() % 100 == 0 or not (todo or running):
            session.out.note(f"{total - len(todo) - len(running):,} of {total:,} verified")
    names = ("equal", "differs", "unproven", "broken", "without_standby")
    document = {"depth": depths.depth, **{n: counts[n] for n in names}, "not_equal": kept}
    session.out.show(document, pairs((n.replace("_", " "), f"{counts[n]:,}") for n in names))
    bad = counts["differs"] + counts["unproven"] + counts["broken"]
    if bad:
        raise _unproven(f"{bad:,} of {total:,} tenants could not be proved.", {"not_equal": bad})


def _with_standby(session: Session, depths: Depths, counts: Counter[str]) -> Iterable[str]:
    for tenant in session.control.each_tenant():
        if tenant.standby or depths.other:
            yield tenant.id
        else:
            counts["without_standby"] += 1


def _begun(
    session: Session, tenant: str, depths: Depths, *, is_first: bool
) -> "Answer[Verification] | None":
    """Begin one, or return None if as many run as may and some of them are ours."""
    for _ in range(TRIES_MAX):
        try:
            return session.control.verify(tenant, depths.depth, depths.other)
        except Failed as failed:
            if failed.code != "overloaded":
                raise
        if not is_first:
            return None
        session.around.sleep(POLL_S)
    raise Failed(
        "Others keep the control plane busy with verifications.",
        "Try again later.",
        exit_code=Exit.UNAVAILABLE,
        code="overloaded",
    )


def _over(session: Session, begun: "Answer[Verification]") -> "Answer[Verification]":
    found, said = begun, None
    while found.value.status == "running":
        step = found.value.step
        if step is not None and (step.cell, step.stripe, step.part) != said:
            said = (step.cell, step.stripe, step.part)
            of = f"{step.done:,} of {step.total:,}"
            session.out.note(f"{begun.value.tenant}: {step.part} of {step.cell}, {of}")
        session.around.sleep(POLL_S)
        found = session.control.verification(begun.value.id)
    return found


def _shown(report: "Report | None") -> list[RenderableType]:
    if report is None:
        return ["The verification broke."]
    facts = pairs(
        [
            ("tenant", report.tenant),
            ("verdict", report.verdict),
            ("compared", f"{report.home} with {report.other}, by {report.depth}"),
            ("epoch", report.epoch),
            ("proof", report.proof),
            ("looked at", _counts(report)),
            *(("note", note) for note in report.notes),
        ]
    )
    parts: list[RenderableType] = [facts]
    if report.stripes:
        headings = ("stripe#", "same up to#", "home at#", "other at#", "chain", "digest")
        rows = [
            (s.stripe, s.seq, s.home_seq, s.other_seq, s.chain[:12], s.digest[:12])
            for s in report.stripes
        ]
        parts.append(table(headings, rows))
    if report.findings:
        shown = report.findings[:FINDINGS_SHOWN_MAX]
        parts.append(
            table(
                ("finding", "cell", "stripe#", "subject"),
                [(f.code, f.cell, f.stripe, f.subject) for f in shown],
            )
        )
    return [paragraphs(*parts)]


def _counts(report: "Report") -> str:
    counts = report.counts
    named = (("entries", counts.entries), ("events", counts.events), ("entities", counts.entities),
             ("answers kept", counts.records), ("newer", counts.newer))  # fmt: skip
    return ", ".join(f"{count:,} {name}" for name, count in named if count)


def _unproven(what: str, fields: dict[str, Any]) -> Failed:
    return Failed(
        what,
        "See the tenant with: cellctl tenant explain T; what differs with: cellctl verify T --deep",
        exit_code=Exit.UNFINISHED,
        code="not_equal",
        fields=fields,
    )
