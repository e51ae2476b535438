"""Says whether what came of a case is one of its right outcomes, and if not, why."""

import json
from typing import Final

from tests.router.framing.case import Answered, Case, Forwarded, Outcome, Refused, Silent
from tests.router.framing.client import Got
from tests.router.framing.strict import Reply, Seen
from tests.router.framing.upstream import Upstream

PROBLEM: Final = b"application/problem+json"
FORBIDDEN: Final = (b"forged", b"FORGED")
"""Every value that a case forges holds this word; no head at the upstream may."""


def awaited(case: Case) -> int:
    """Return how many answers to wait for; more than can come: until the edge closes."""
    counts = [_answers(outcome) for outcome in case.outcomes]
    return max(counts)


def faults(case: Case, got: Got, upstream: Upstream) -> list[str]:
    """Return what is wrong with what came of `case`; empty if nothing is."""
    found = [*upstream.ambiguities, *_forged(upstream.seen())]
    found += [f"cut at the upstream: {raw[:80]!r}" for raw in upstream.cut]
    whys = [_mismatch(outcome, got, upstream.seen()) for outcome in case.outcomes]
    if all(whys):
        found += [f"not {outcome}: {why}" for outcome, why in zip(case.outcomes, whys, strict=True)]
    return found


def _answers(outcome: Outcome) -> int:
    match outcome:
        case Forwarded(requests, then_refused, closes):
            return len(requests) + bool(then_refused or closes)
        case Silent():
            return 99
        case Answered(_, then_refused):
            return 1 + bool(then_refused)
        case _:
            return 1


def _mismatch(outcome: Outcome, got: Got, seen: list[Seen]) -> str:
    """Return why this is not `outcome`, or nothing."""
    match outcome:
        case Refused(statuses):
            return _none(seen) or _problems(got.replies, 1, statuses) or _ended(got)
        case Answered(statuses, then_refused):
            first, rest = got.replies[:1], got.replies[1:]
            if then_refused and (why := _problems(rest, 1, then_refused) or _ended(got)):
                return why
            first = first if then_refused else got.replies
            return _none(seen) or _problems(first, 1, statuses) or _clean(got)
        case Silent():
            return _none(seen) or _problems(got.replies, 0, (400, 408)) or _shut(got)
        case Forwarded():
            return _forwarded(outcome, got, seen)


def _forwarded(outcome: Forwarded, got: Got, seen: list[Seen]) -> str:
    requests = outcome.requests
    if tuple(seen) != requests:
        return f"the upstream saw {seen}"
    first, rest = got.replies[: len(requests)], got.replies[len(requests) :]
    if len(first) < len(requests):
        return f"answers {[reply.status for reply in first]}"
    wrong = [
        f"{seen} got {reply}"
        for seen, reply in zip(requests, first, strict=True)
        if not _is_of(reply, seen)
    ]
    if wrong:
        return wrong[0]
    if outcome.then_refused:
        return _problems(rest, 1, outcome.then_refused) or _ended(got)
    if outcome.closes and not rest:
        return _ended(got)
    return f"more answers: {[reply.status for reply in rest]}" if rest else _clean(got)


def _is_of(reply: Reply, seen: Seen) -> bool:
    if reply.status != 200:
        return False
    if seen.method == "HEAD":
        return not reply.body
    asked = json.loads(reply.body)
    return (asked["method"], asked["target"], asked["body"].encode("latin-1")) == (
        seen.method,
        seen.target,
        seen.body,
    )


def _problems(replies: list[Reply], least: int, statuses: tuple[int, ...]) -> str:
    if not least <= len(replies) <= 1:
        return f"answers {[reply.status for reply in replies]}"
    for reply in replies:
        if reply.status not in statuses:
            return f"status {reply.status}, {reply.body[:200]!r}"
        if reply.value(b"content-type") != PROBLEM or not json.loads(reply.body)["code"]:
            return f"no problem: {reply}"
    return ""


def _none(seen: list[Seen]) -> str:
    return f"the upstream saw {seen}" if seen else ""


def _ended(got: Got) -> str:
    """Return what is wrong with the end of a connection that was refused."""
    if got.replies[-1].value(b"connection") != b"close":
        return "no Connection: close"
    return _shut(got)


def _shut(got: Got) -> str:
    return _clean(got) if got.closed else "the connection stays open"


def _clean(got: Got) -> str:
    return f"bytes behind the answer: {got.rest[:80]!r}" if got.rest else ""


def _forged(seen: list[Seen]) -> list[str]:
    heads = [(request, b"\n".join(n + b": " + v for n, v in request.fields)) for request in seen]
    return [
        f"a forged field was passed on: {head!r}"
        for request, head in heads
        if any(word in head or word in request.target.encode() for word in FORBIDDEN)
    ]
