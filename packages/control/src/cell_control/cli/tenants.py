"""Tenants: create, look at, hold back, change what may be done with them."""

from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, Any, Final

from typer import Option, Typer

from cell_control.cli.command import command
from cell_control.cli.failures import Exit, Failed, usage
from cell_control.cli.options import TenantName, Waiting, Why, Yes
from cell_control.cli.output import date, pairs, table
from cell_control.cli.session import Session
from cell_control.domain.records import Tenant

if TYPE_CHECKING:
    from cell_control.cli.client import Answer

app = Typer(no_args_is_help=True, help="Create, show, move and hold back tenants.")
POLL_S: Final = 0.2
_PAGE: Final = 1000

CellOption = Annotated[str, Option("--cell", help="Only those with a place in this cell.")]


@dataclass(frozen=True, slots=True, kw_only=True)
class PolicyGiven:
    """What may be done with a tenant without asking."""

    allow: Annotated[
        list[str] | None, Option("--allow", help="A cell it may be in; may be repeated.")
    ] = None
    label: Annotated[
        list[str] | None, Option(help="What its cells must be labelled with; may be repeated.")
    ] = None
    ack: Annotated[
        str | None,
        Option(help="local; or refuse or degrade: what to do if the standby cannot have a write."),
    ] = None
    failover: Annotated[str | None, Option(help="AP or CP.")] = None
    priority: Annotated[int | None, Option(help="0 (first) to 9, of evacuations.")] = None
    freeze_budget_ms: Annotated[
        int | None, Option(help="What one planned move may stop its writes for.")
    ] = None

    def body(self) -> dict[str, Any]:
        """Return what was given."""
        given = {
            "allowed_cells": self.allow or None,
            "labels": self.label or None,
            "ack": self.ack,
            "failover": self.failover,
            "priority": self.priority,
            "freeze_budget_ms": self.freeze_budget_ms,
        }
        return {name: value for name, value in given.items() if value is not None}


@dataclass(frozen=True, slots=True, kw_only=True)
class Places:
    """Where a new tenant is to be."""

    home: Annotated[str, Option(help="Its home; left out, placement chooses.")] = ""
    standby: Annotated[str, Option(help="Its standby; left out, placement chooses.")] = ""
    no_standby: Annotated[bool, Option("--no-standby", help="Give it none.")] = False
    stripes: Annotated[int, Option(min=1, max=64, help="Shards, for good.")] = 1


@command(app, "create")
def create(
    session: Session,
    places: Places,
    policy: PolicyGiven,
    waiting: Waiting,
    tenant: Annotated[str, Option("--id", help="Its id; left out, it gets one.")] = "",
    reason: Why = "",
) -> None:
    """Create a tenant where it fits best."""
    if places.no_standby and places.standby:
        raise usage("--standby and --no-standby exclude each other.")
    body = {
        "id": tenant or session.around.new_id("t"),
        "stripes": places.stripes,
        "policy": policy.body(),
        "home": places.home or None,
        "standby": places.standby or not places.no_standby,
        "reason": reason,
    }
    created = session.control.create_tenant(body)
    found, without = created.value.tenant, created.value.without_standby
    document = created.json
    if waiting.wait:
        settled = _settled(session, found.id, waiting.timeout_s)
        found, document = settled.value, {**created.json, "tenant": settled.json}
    session.out.show(document, _sentence(found))
    for one in without:
        session.out.note(f"No standby: {one.text}")


@command(app, "show")
def show(session: Session, tenant: TenantName) -> None:
    """Show a tenant's record."""
    found = session.control.tenant(tenant)
    session.out.show(found.json, pairs(_facts(found.value)))


@command(app, "list")
def list_tenants(
    session: Session,
    cell: CellOption = "",
    limit: Annotated[int, Option(min=1, help="So many at most.")] = 100,
    after: Annotated[str, Option(help="Those behind this id.")] = "",
    *,
    everything: Annotated[bool, Option("--all", help="All of them.")] = False,
    lacking: Annotated[
        bool, Option("--without-standby", help="Only those that have no standby.")
    ] = False,
) -> None:
    """List tenants in the order of their ids."""
    rows: list[dict[str, Any]] = []
    wanted = 10**9 if everything else limit
    go_on: str | None = after
    while go_on is not None and len(rows) < wanted:
        size = _PAGE if lacking else min(_PAGE, wanted - len(rows))
        page = session.control.tenants(go_on, size, cell)
        rows += [one for one in page.json["tenants"] if not (lacking and one["standby"])]
        go_on = page.value.after
    if len(rows) > wanted:
        del rows[wanted:]
        go_on = rows[-1]["id"]
    headings = ("tenant", "home", "standby", "epoch#", "state", "held back")
    shown = table(headings, map(_row, rows)) if rows else "No tenants."
    session.out.show({"tenants": rows, "after": go_on}, shown)
    if go_on is not None:
        session.out.note(f"More follow: --after {go_on}, or --all")


@command(app, "explain")
def explain(session: Session, tenant: TenantName) -> None:
    """Say where a tenant is, since when, who decided that and why, and what happens next."""
    found = session.control.explain(tenant)
    rows = [
        (one.epoch, one.home, one.base.mode, one.base.source, one.by, date(one.at_ms))
        for one in found.value.lineage
    ]
    headings = ("epoch#", "home", "began as", "from", "by", "at")
    session.out.show(found.json, "\n".join(found.value.sentences), "", table(headings, rows))


@command(app, "lag")
def lag(session: Session, tenant: TenantName) -> None:
    """Say how far a tenant's standby is behind, as its cells say now."""
    found = session.control.lag(tenant)
    rows = [(one.cell, one.stripe, one.entries) for one in found.value.lags]
    shown: list[Any] = [table(("follower", "stripe#", "entries behind#"), rows)] if rows else []
    shown += [f"{cell} does not answer, or holds nothing of it." for cell in found.value.unknown]
    session.out.show(found.json, *(shown or [f"{tenant} has no follower."]))
    if found.value.unknown:
        raise Failed(
            "Not every cell could be asked.",
            "See how they are with: cellctl doctor",
            exit_code=Exit.UNAVAILABLE,
            code="cells_unknown",
            fields={"cells": list(found.value.unknown)},
        )


@command(app, "pin")
def pin(session: Session, tenant: TenantName, reason: Why = "") -> None:
    """Keep a tenant where it is at home, whatever is drained."""
    _change(session, tenant, "pin", {"reason": reason}, "It stays where it is.")


@command(app, "unpin")
def unpin(session: Session, tenant: TenantName, reason: Why = "") -> None:
    """Let a tenant be moved again."""
    _change(session, tenant, "unpin", {"reason": reason}, "It may be moved.")


@command(app, "quarantine")
def quarantine(session: Session, tenant: TenantName, reason: Why = "", *, yes: Yes = False) -> None:
    """Let the edge refuse all requests of a tenant."""
    session.confirm(f"Refuse every request of {tenant}?", yes=yes)
    text = f"Its requests are refused until: cellctl tenant release {tenant}"
    _change(session, tenant, "quarantine", {"reason": reason}, text)


@command(app, "release")
def release(session: Session, tenant: TenantName, reason: Why = "") -> None:
    """Serve a tenant again, and copy it again if an alarm had stopped that."""
    _change(session, tenant, "release", {"reason": reason}, "It is served, and copied.")


@command(app, "policy")
def policy(session: Session, tenant: TenantName, given: PolicyGiven, reason: Why = "") -> None:
    """Show what may be done with a tenant, or change it."""
    body = given.body()
    if not body:
        found = session.control.tenant(tenant)
        session.out.show(found.json["policy"], pairs(_policy(found.value)))
        return
    changed = session.control.change_tenant(tenant, "policy", {"policy": body, "reason": reason})
    session.out.show(changed.json, pairs(_policy(changed.value)))


def _change(session: Session, tenant: str, change: str, body: dict[str, Any], text: str) -> None:
    found = session.control.change_tenant(tenant, change, body)
    session.out.show(found.json, f"{_sentence(found.value)} {text}")


def _settled(session: Session, tenant: str, timeout_s: float) -> "Answer[Tenant]":
    around = session.around
    deadline_s = around.now_s() + timeout_s
    while True:
        found = session.control.tenant(tenant)
        if found.value.settled and found.value.move is None:
            return found
        if around.now_s() >= deadline_s:
            raise Failed(
                f"{tenant} is created, and its cells are not ready yet.",
                f"See why with: cellctl tenant explain {tenant}",
                exit_code=Exit.UNAVAILABLE,
                code="not_settled",
                fields={"tenant": tenant},
            )
        around.sleep(POLL_S)


def _row(raw: dict[str, Any]) -> tuple[object, ...]:
    held = [f"pinned to {raw['pin']}" if raw["pin"] else "", raw["alarm"]]
    held += ["in quarantine" if raw["blocked"] else ""]
    state = raw["state"] if raw["settled"] or raw["move"] else f"{raw['state']}, not settled"
    shown = ", ".join(filter(None, held))
    return (raw["id"], raw["home"], raw["standby"], raw["epoch"], state, shown)


def _sentence(found: Tenant) -> str:
    standby = f", standby in {found.standby}" if found.standby else ", without a standby"
    return f"{found.id} is at home in {found.home}{standby}, at epoch {found.epoch}."


def _facts(found: Tenant) -> list[tuple[str, object]]:
    move, leaving = found.move, found.leaving
    return [
        ("tenant", found.id),
        ("home", found.home),
        ("standby", found.standby or "none"),
        ("epoch", found.epoch),
        ("began as", found.base.mode),
        ("since", date(found.since_ms)),
        ("decided by", found.decided_by),
        ("reason", found.reason),
        ("state", found.state.value),
        ("settled", found.settled),
        ("stripes", found.stripes),
        ("moving", f"{move.kind} to {move.dest} for {move.operation}" if move else ""),
        ("leaving", f"{leaving.cell} after {date(leaving.drop_after_ms)}" if leaving else ""),
        ("group", found.group),
        ("pinned to", found.pin),
        ("in quarantine", found.blocked or ""),
        ("alarm", found.alarm),
        *_policy(found),
    ]


def _policy(found: Tenant) -> list[tuple[str, object]]:
    allowed = found.policy
    return [
        ("allowed in", ", ".join(allowed.allowed_cells) or "every cell"),
        ("asks for labels", allowed.labels),
        ("acknowledged", allowed.ack),
        ("failover", allowed.failover),
        ("priority", allowed.priority),
        ("freeze budget", f"{allowed.freeze_budget_ms} ms"),
    ]
