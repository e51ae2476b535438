"""What the client gets: the cell's answer with the edge's fields, or the edge's own word."""

from typing import Final

from cell_router.decide import Failure, Next, Where, code_of
from cell_router.exchange import Exchange
from cell_router.messages import CellAnswer, Reply
from cell_router.problems import problem
from cell_router.registry import Route
from cell_router.tenancy import Call

EXPLAIN: Final = b"x-route-explain"
STANDBY: Final = "standby"
LOCAL: Final = "local"
UNSAID: Final = "unsaid"

NOWHERE: Final = {
    Where.ASK: "tenant_not_found",
    Where.UNKNOWN: "tenant_not_found",
    Where.BLOCKED: "tenant_blocked",
    Where.NO_REGISTRY: "registry_unavailable",
    Where.NO_CELL: "registry_unavailable",
}
"""Why a request goes nowhere, by `decide`."""

_GIVEN_UP: Final = {
    Next.AGAIN: "cell_unavailable",
    Next.BEHIND: "epoch_behind",
    Next.HOLD: "frozen",
    Next.INVALID: "upstream_invalid",
    Next.MOVING: "tenant_moving",
    Next.REFUSED: "cell_refused",
    Next.TIMEOUT: "outcome_unknown",
    Next.UNAVAILABLE: "overloaded",
}

_NOT_SENT: Final = {
    Failure.CLOSED: "cell_unavailable",
    Failure.NO_STANDBY: "standby_unavailable",
    Failure.STANDBY_UNTOLD: "standby_unavailable",
}
"""What to tell, whatever the verdict, of what was not sent."""

NOT_SERVED: Final = frozenset({"frozen", "standby_unavailable"})
"""Codes of those that were held in vain."""


def delivered(x: Exchange, answer: CellAnswer) -> Reply:
    """Return the cell's answer as the client gets it."""
    call, status = x.call, answer.status
    if status == 200 and call.domain:
        x.position = position_of(call, x.route, answer)
    x.code = shown_code(answer)
    if answer.lines:
        lines, named = answer.lines + x.cell.lines, []
    else:
        lines, named = b"", [*answer.headers.items(), *x.cell.shown]
    if x.route.standby is not None:
        x.ack = ack_of(call, x.route, answer)
        if x.ack == LOCAL and not answer.ack:
            named.append((b"x-cell-ack", b"local"))
    if call.minted:
        named.append((b"x-command-id", call.minted.encode()))
    return Reply(status, named, answer.body, x.code, answer.stream, lines)


def shown_code(answer: CellAnswer) -> str:
    """Return what log and metrics call the answer: "" for a success."""
    return "" if answer.status < 400 else code_of(answer) or "uncoded"


def ack_of(call: Call, route: Route, answer: CellAnswer) -> str:
    """Return who has a write whose tenant asks for more than its home.

    `standby` or `local`, `unsaid` if the cell has not said, and "" for whatever is no write.
    """
    if route.standby is None or not call.writes:
        return ""
    if answer.ack:
        return STANDBY if answer.ack == b"standby" else LOCAL
    if answer.status >= 400 or not answer.position[1]:
        return ""  # Nothing was written: nothing that was asked could be read.
    return LOCAL if route.standby.cell is None else UNSAID


def position_of(call: Call, route: Route, answer: CellAnswer) -> tuple[int, int, int] | None:
    """Return stripe, epoch and seq that the answer to a command acknowledges, if it says so."""
    epoch, seq = answer.position
    if not (epoch.isdigit() and seq.isdigit()):
        return None
    return route.stripe_of(call.domain, call.stream), int(epoch), int(seq)


def given_up(x: Exchange, verdict: Next, outcome: CellAnswer | Failure, now: float) -> Reply:
    """Return the reply for a request that is not tried again after `outcome`."""
    if verdict is Next.AGAIN and isinstance(outcome, CellAnswer) and code_of(outcome):
        return delivered(x, outcome)  # The cell's own word for it.
    code = _GIVEN_UP[verdict]
    if isinstance(outcome, Failure):
        code = _NOT_SENT.get(outcome, code)
    if outcome is Failure.INVALID:
        code = "upstream_invalid"
    elif x.in_doubt or code == "outcome_unknown":
        # Whatever was last: an earlier attempt may have been executed.
        code = "outcome_unknown" if x.request.method == b"POST" else "cell_timeout"
    x.code = code
    return problem(code, retry_after_s=max(1, int(x.cell.breaker.until - now) + 1))


def explained(x: Exchange, *, rev: int, age_ms: int) -> bytes:
    """Return why the request went where it went, for callers with the right to know."""
    if not x.attempts:
        return f"rev={rev}; age_ms={age_ms}".encode()
    return (
        f"tenant={x.route.tenant}; epoch={x.route.epoch}; reason={x.route.reason};"
        f" rev={rev}; age_ms={age_ms}; attempts={x.attempts}; hops={x.attempt.hops};"
        f" bundled={x.bundled}"
    ).encode()
