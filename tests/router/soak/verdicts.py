"""Is an answer that is no success one that the edge or the cell documents?"""

import msgspec

from cell_core.app.problems import PROBLEMS as CELL_PROBLEMS
from cell_router.problems import PROBLEMS as EDGE_PROBLEMS

MUST_WAIT = {429, 503, 504}
MAY_FAIL = {409, 502, *MUST_WAIT}
"""Whoever asks for what there is, and may, gets no other failure."""

NEVER_FROM_A_CELL = {"grant_missing", "grant_invalid", "grant_scope", "grant_tenant", "moved"}
"""Codes that are between the edge and a cell: a client must not see them."""

_STATUSES = {code: {row[0]} for code, row in EDGE_PROBLEMS.items()}
for _code, _problem in CELL_PROBLEMS.items():
    _STATUSES.setdefault(_code, set()).add(_problem.status)
_decode = msgspec.json.decode


def fault_in(answer):
    """Return what is wrong with a failure, or "" if it is documented; and its code."""
    kind = answer.headers.get(b"content-type", b"")
    if kind != b"application/problem+json":
        return f"{answer.status} without a problem", ""
    try:
        code = _decode(answer.body)["code"]
    except (msgspec.DecodeError, KeyError, TypeError):
        return f"{answer.status} with a body that is no problem", ""
    if answer.status not in _STATUSES.get(code, ()):
        return f"{answer.status} {code} is in no table", code
    if code in NEVER_FROM_A_CELL or answer.status not in MAY_FAIL:
        return f"{answer.status} {code} reached a client", code
    retry_after = answer.headers.get(b"retry-after", b"")
    if answer.status in MUST_WAIT and not (retry_after.isdigit() and int(retry_after) >= 1):
        return f"{answer.status} {code} without Retry-After", code
    return "", code
