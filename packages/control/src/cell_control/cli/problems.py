"""What a refusal of the control plane means to people: what happened, what to try, which exit code.

Pure. Refuses to show an answer that is no problem of ours: a proxy's page helps nobody.
"""

import json
from collections.abc import Iterator, Mapping
from typing import Any, Final

from cell_control.cli.failures import Exit, Failed

REASONS_SHOWN_MAX: Final = 20

_EXITS: Final[Mapping[int, Exit]] = {
    400: Exit.USAGE,
    404: Exit.NOT_FOUND,
    409: Exit.CONFLICT,
    413: Exit.USAGE,
    415: Exit.USAGE,
    422: Exit.USAGE,
    429: Exit.UNAVAILABLE,
    502: Exit.UNAVAILABLE,
    503: Exit.UNAVAILABLE,
    504: Exit.UNAVAILABLE,
}
_WHAT: Final[Mapping[str, str]] = {
    "credential_missing": "The control plane asks for a token.",
    "credential_invalid": "The control plane does not take this token.",
    "role_refused": "This token's role does not allow that.",
    "id_taken": "The id is taken by another request.",
    "contention": "Others changed the same at the same time, and won.",
    "operation_over": "The operation is over already.",
    "no_cell_fits": "No cell fits.",
    "nothing_fits": "None of the tenants may go.",
    "operation_refused": "A rule that no operation passes forbids it.",
    "pin_violated": "It cannot be pinned there.",
    "policy_violated": "Where the tenant is now violates that policy.",
    "lifecycle_refused": "The cell may not become that now.",
    "cell_refused": "The cell may not be declared so.",
    "key_refused": "The key may not be changed so now.",
    "no_standby": "There is no second cell to compare with.",
    "recovering": "The registry is being compared with the cells after a restore.",
    "overloaded": "Too many ask at once.",
    "registry_unavailable": "The control plane cannot reach its registry; nothing was changed.",
    "registry_empty": "The registry holds nothing yet.",
    "outcome_unknown": "The registry did not answer: it may have been done, or not.",
    "stopping": "This process of the control plane is stopping.",
    "changes_gone": "The registry does not remember that far back.",
    "internal": "The control plane has a bug.",
    "record_broken": "The registry holds a record that cannot be read.",
    "path_not_found": "The control plane does not know this request.",
}
_WAYS: Final[Mapping[str, str]] = {
    "credential_missing": "Keep one with: cellctl login --server URL",
    "credential_invalid": "It was mistyped, revoked or has expired: ask for another one.",
    "id_taken": "Leave --id out, or look at what has it.",
    "contention": "Look again, then repeat the command.",
    "operation_over": "Look at it with: cellctl ops show ID",
    "no_standby": "Give it a standby with: cellctl tenant standby T, or name a cell with --other.",
    "recovering": "Wait for it, and look at it with: cellctl registry recover",
    "overloaded": "Repeat it in a few seconds.",
    "registry_unavailable": "Look at the registry's database, then repeat it.",
    "registry_empty": "Declare a cell first, with: cellctl cell add",
    "outcome_unknown": "Look whether it was done, then decide.",
    "stopping": "Repeat it: another process answers.",
    "internal": "Its log has the request id that is shown here.",
    "record_broken": "Its log names the record.",
    "path_not_found": "Its version differs from cellctl's: use the same release of both.",
    "cell_not_found": "See which there are with: cellctl cells",
    "tenant_not_found": "See which there are with: cellctl tenant list",
    "operation_not_found": "See which there are with: cellctl ops list",
}
_NAMED: Final[Mapping[str, str]] = {
    "tenant": "tenant",
    "cell": "cell",
    "operation": "operation",
    "kid": "key",
    "purpose": "key that signs for",
    "verification": "verification",
}
_PROBLEMS: Final[Mapping[str, str]] = {
    "literal_error": "not one of the words that it takes",
    "enum": "not one of the words that it takes",
    "string_pattern_mismatch": "not of the form that it takes",
    "string_too_long": "too long",
    "too_long": "too many",
    "greater_than_equal": "too small",
    "less_than_equal": "too large",
    "less_than": "too large",
    "missing": "missing",
    "extra_forbidden": "not known to this control plane",
}


def failed_of(status: int, body: bytes) -> Failed:
    """Return what a refusal with this status and body comes to."""
    problem = _problem(body)
    if problem is None:
        return Failed(
            f"The server answered {status}, and not as a control plane does.",
            "Is --server the control plane's address? Something between may have answered.",
            exit_code=_EXITS.get(status, Exit.UNAVAILABLE if status >= 500 else Exit.FAILED),
            code="not_a_control_plane",
            fields={"status": status},
        )
    code = str(problem["code"])
    reasons = _reasons(problem)
    named = next((f"{of} {problem[name]}" for name, of in _NAMED.items() if name in problem), "")
    ways = reasons[:REASONS_SHOWN_MAX]
    if len(reasons) > REASONS_SHOWN_MAX:
        ways.append(f"(and {len(reasons) - REASONS_SHOWN_MAX} more reasons)")
    if code in _WAYS:
        ways.append(_WAYS[code])
    return Failed(
        _what(code, problem, named),
        *ways,
        exit_code=_exit(status, code, is_rule=bool(reasons)),
        code=code,
        fields={k: v for k, v in problem.items() if k not in ("type", "title", "code", "detail")},
    )


def refused(code: str, fields: Mapping[str, Any], status: int = 409) -> Failed:
    """Return what a refusal that was raised in this process comes to."""
    return failed_of(status, json.dumps({**fields, "code": code}).encode())


def _problem(body: bytes) -> dict[str, Any] | None:
    try:
        found = json.loads(body)
    except (ValueError, RecursionError):
        return None
    return found if isinstance(found, dict) and isinstance(found.get("code"), str) else None


def _what(code: str, problem: Mapping[str, Any], named: str) -> str:
    if code.endswith("_not_found") and code != "path_not_found":
        return f"There is no {named}." if named else f"There is no such {code[:-10]}."
    what = _WHAT.get(code) or str(problem.get("detail") or problem.get("title") or code)
    if code == "role_refused" and isinstance(problem.get("roles"), list):
        what = f"{what} It takes one of: {', '.join(map(str, problem['roles']))}."
    if "at" in problem and "problem" in problem:
        what = f"{_places(problem)}."
    if code in ("id_taken", "operation_over") and named:
        what = f"{what[:-1]}: {named}."
    if code in ("internal", "record_broken") and "request_id" in problem:
        what = f"{what[:-1]} (request {problem['request_id']})."
    return what


def _places(problem: Mapping[str, Any]) -> str:
    errors = problem.get("errors") or [problem]
    found = [f"{e['at'] or 'the request'}: {_words(e['problem'])}" for e in errors[:5]]
    return "Refused: " + "; ".join(found)


def _words(problem: object) -> str:
    return _PROBLEMS.get(str(problem), str(problem).replace("_", " "))


def _reasons(problem: Mapping[str, Any]) -> list[str]:
    # Several members may be refused for the same reason: it is said once.
    return list(dict.fromkeys(_texts(problem.get("reasons"))))


def _texts(found: object) -> Iterator[str]:
    if isinstance(found, list):
        for one in found:
            if isinstance(one, dict) and isinstance(one.get("text"), str):
                yield one["text"]


def _exit(status: int, code: str, *, is_rule: bool) -> Exit:
    if is_rule:
        return Exit.FAILED
    if code == "path_not_found":
        return Exit.FAILED
    return _EXITS.get(status, Exit.FAILED)
