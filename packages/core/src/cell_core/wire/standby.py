"""How a home asks a tenant's standby to take its entries, and what the standby's answer means.

The edge names the standby in the request; a cell keeps no other cell's address. Pure: sends
nothing. Refuses to guess at an answer that it cannot read: then the entries may be held or not.
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final, TypeAlias

from cell_core.domain.canonical import canonical, parse
from cell_core.domain.errors import InvalidInput
from cell_core.domain.ids import EPOCH_MAX, is_hash, is_id
from cell_core.domain.limits import INTEGER_MAX
from cell_core.wire.grant_text import is_token
from cell_core.wire.message import (
    AUTHORIZATION,
    CELL,
    CONTENT_TYPE,
    DEADLINE,
    EPOCH,
    GRANT,
    JSON,
    REQUEST_ID,
    STANDBY,
    STANDBY_ELSE,
    STANDBY_GRANT,
    STANDBY_GRANT_HEADER,
    TENANT,
    Request,
    Response,
)

URL_MAX: Final = 1024
_NAMES = (STANDBY, STANDBY_GRANT, STANDBY_GRANT_HEADER, STANDBY_ELSE)
_REST = r"(:[0-9]{1,5})?(/[A-Za-z0-9][A-Za-z0-9._~-]{0,63}){0,8}/?"
# The last label of a name is no number, so that no address passes for one.
_URL = re.compile(rf"https://([A-Za-z0-9-]{{1,63}}\.){{1,20}}[A-Za-z][A-Za-z0-9-]{{0,62}}{_REST}")
_LOCAL_URL = re.compile(rf"https?://([A-Za-z0-9.-]{{1,253}}|\[[0-9a-f:.]{{2,45}}\]){_REST}")
_WAITING: Final = ("contention", "throttled", "outcome_unknown")


@dataclass(frozen=True, slots=True, kw_only=True)
class Standby:
    """The standby that is to hold an entry before its command is answered.

    Attributes:
        base_url: Where its paths begin, without a slash at the end.
        grant: A grant of scope `replicate`, which this cell only passes on.
        grant_header: In which header it goes there.
        degrade: Whether to answer also if the standby does not take the entry.
    """

    base_url: str
    grant: str = field(repr=False)
    grant_header: str
    degrade: bool


def is_cell_url(url: str, *, local: bool) -> bool:
    """Say whether `url` may be where a cell's paths begin.

    It has no user, query or fragment, and outside the `local` world HTTPS and a name, no address.
    """
    return len(url) <= URL_MAX and (_LOCAL_URL if local else _URL).fullmatch(url) is not None


def standby_of(headers: Mapping[str, str]) -> Standby | None:
    """Return the standby that a request names, or None if it names none.

    Whether its URL may be followed is the link's to say.

    Raises:
        InvalidInput: The headers are not all there, or one is not what it should be.
    """
    given = {name: headers[name] for name in _NAMES if name in headers}
    if not given:
        return None
    right = {
        STANDBY: STANDBY in given,
        STANDBY_GRANT: is_token(given.get(STANDBY_GRANT, "")),
        STANDBY_GRANT_HEADER: given.get(STANDBY_GRANT_HEADER) in (AUTHORIZATION, GRANT),
        STANDBY_ELSE: given.get(STANDBY_ELSE) in ("refuse", "degrade"),
    }
    for name, is_right in right.items():
        if not is_right:
            raise InvalidInput(problem="a standby is named wrongly", at=name)
    return Standby(
        base_url=given[STANDBY].rstrip("/"),
        grant=given[STANDBY_GRANT],
        grant_header=given[STANDBY_GRANT_HEADER],
        degrade=given[STANDBY_ELSE] == "degrade",
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class Push:
    """Consecutive entries of one stripe, as a home at `epoch` sends them."""

    tenant: str
    stripe: int
    epoch: int
    bodies: Sequence[str]
    request_id: str = ""


def apply_request(push: Push, to: Standby, *, timeout_ms: int) -> Request:
    """Return the request that gives `push` to the standby; its path begins below the base URL."""
    bearer = f"Bearer {to.grant}" if to.grant_header == AUTHORIZATION else to.grant
    headers = {
        CONTENT_TYPE: JSON,
        to.grant_header: bearer,
        TENANT: push.tenant,
        EPOCH: str(push.epoch),
        DEADLINE: str(timeout_ms),
    }
    if push.request_id:
        headers[REQUEST_ID] = push.request_id
    return Request(
        method="POST",
        path=f"/v1/control/tenants/{push.tenant}/stripes/{push.stripe}/apply",
        headers=headers,
        body=canonical({"epoch": push.epoch, "entries": list(push.bodies)}).encode(),
    )


@dataclass(frozen=True, slots=True)
class Held:
    """The standby holds everything up to here."""

    seq: int
    chain: str


@dataclass(frozen=True, slots=True)
class Missing:
    """Entries behind `have` are missing there."""

    have: int


@dataclass(frozen=True, slots=True)
class Superseded:
    """The standby's fence is at `epoch`; `home` is where the tenant lives, if it is known."""

    epoch: int
    home: str


@dataclass(frozen=True, slots=True)
class Declined:
    """It will not take them; sending them again cannot help."""

    code: str


@dataclass(frozen=True, slots=True)
class Unsure:
    """They may have been taken or not; send them again."""

    code: str


Verdict: TypeAlias = Held | Missing | Superseded | Declined | Unsure


def read_verdict(answer: Response) -> Verdict:
    """Return what a standby's answer means; what cannot be read is `Unsure`."""
    try:
        body = parse(answer.body)
    except InvalidInput:
        body = None
    if not isinstance(body, dict):
        return Unsure("unreadable")
    code = body.get("code")
    if answer.status == 200:
        return _held(body.get("fence"))
    if answer.status == 429 or answer.status >= 500 or code in _WAITING:
        return Unsure(_shown(code, answer.status))
    if code == "gap" and _is_count(body.get("have"), INTEGER_MAX):
        return Missing(body["have"])
    fence = body.get("fence")
    if code == "fence_refused" and isinstance(fence, dict):
        return _superseded(fence, answer.headers.get(CELL, ""))
    return Declined(_shown(code, answer.status))


def _held(fence: Any) -> Held | Unsure:  # noqa: ANN401 - JSON
    if not isinstance(fence, dict) or fence.get("role") != "standby":
        return Unsure("unreadable")
    if not _is_count(fence.get("seq"), INTEGER_MAX) or not is_hash(fence.get("chain")):
        return Unsure("unreadable")
    return Held(fence["seq"], fence["chain"])


def _superseded(fence: Mapping[str, Any], cell: str) -> Superseded | Declined:
    epoch, hint = fence.get("epoch"), fence.get("home_hint")
    if type(epoch) is not int or not 0 <= epoch <= EPOCH_MAX:
        return Declined("fence_refused")
    home = cell if fence.get("role") == "active" else hint
    return Superseded(epoch, home if isinstance(home, str) and is_id(home) else "")


def _is_count(value: object, most: int) -> bool:
    return type(value) is int and 0 <= value <= most


def _shown(code: object, status: int) -> str:
    """Return a code for the log; a text that another cell made up is not one."""
    return code if isinstance(code, str) and is_id(code) else f"status_{status}"
