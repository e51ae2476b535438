"""Reads what a request is and whose it is: one tenant, named once or alike everywhere.

In the order of trust: the verified credential, `X-Tenant-Id`, the path, the body. All that name a
tenant must agree (router.md); a body that names it twice is refused, never guessed at.
"""

import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

import msgspec

from cell_core.domain.canonical import parse
from cell_core.domain.errors import InvalidInput
from cell_core.domain.ids import is_id
from cell_core.domain.limits import BUNDLE_BYTES_MAX, BUNDLE_ENVELOPES_MAX, JSON_DEPTH_MAX
from cell_router.auth.principal import Principal
from cell_router.messages import EdgeRequest
from cell_router.problems import refused
from cell_router.wire_texts import read_peek, read_peeks

_COMMANDS: Final = frozenset({b"/process", b"/v1/commands"})
_BUNDLE: Final = b"/v1/bundle"
_TENANTS: Final = b"/v1/tenants/"
_DESCRIPTION: Final = b"/openapi.json"
_SEGMENTS: Final = re.compile(rb"(?:/[A-Za-z0-9][A-Za-z0-9._~-]{0,79})+")
_QUERY: Final = re.compile(rb"[A-Za-z0-9._~=&-]*")
_JSON: Final = b"application/json"


@dataclass(slots=True)
class Call:
    """What a client asks of one tenant's cell.

    Attributes:
        target: Path and query, as they are sent on.
        body: As it is sent on: with a `command_id` where the client sent none.
        minted: The `command_id` that the edge made, or "".
        domain, stream: Of a command, or of a bundle's first, whose stripe is that of all; "" for
            what only reads.
        shareable: Whether it may share a commit with other commands of its stripe.
    """

    tenant: str
    target: bytes
    body: bytes
    minted: str
    domain: str
    stream: str
    shareable: bool

    # Spelt out, as one is made for each request: what `dataclass` writes is never compiled.
    def __init__(
        self,
        tenant: str,
        target: bytes,
        body: bytes,
        minted: str = "",
        domain: str = "",
        stream: str = "",
        shareable: bool = False,  # noqa: FBT001, FBT002 - the field's order
    ) -> None:
        self.tenant = tenant
        self.target = target
        self.body = body
        self.minted = minted
        self.domain = domain
        self.stream = stream
        self.shareable = shareable

    @property
    def writes(self) -> bool:
        """Whether it may change something."""
        return bool(self.body)


def read_call(
    request: EdgeRequest, principal: Principal, new_id: Callable[[], str], bytes_max: int
) -> Call:
    """Return what `request` asks, for a tenant that `principal` may speak for.

    What `new_id` returns becomes the `command_id` of a command that has none.

    Raises:
        EdgeRefused: The answer to give.
    """
    path = request.path
    if path in _COMMANDS:
        return _command(request, principal, new_id, bytes_max)
    if path.startswith(_TENANTS) or path == _DESCRIPTION:
        return _reading(request, principal)
    if path == _BUNDLE:
        return _bundle(request, principal)
    raise refused("path_not_found")


def _command(
    request: EdgeRequest, principal: Principal, new_id: Callable[[], str], bytes_max: int
) -> Call:
    body = _checked_body(request, principal, bytes_max)
    try:
        peek = read_peek(body)
    except (msgspec.DecodeError, UnicodeDecodeError) as wrong:
        raise _not_an_envelope(wrong) from None
    # A second name, or one that hides behind an escape, is worth a strict reading.
    # (`in` would first try its left side as a number, and drop the exception.)
    if body.find(b"\\") >= 0 or body.count(b'"tenant_id"') > 1:
        _read_strictly(body, JSON_DEPTH_MAX)
    headers = request.headers
    tenant = agreed_tenant(principal, headers.get(b"x-tenant-id"), peek.tenant_id)
    minted = ""
    if not peek.command_id:
        minted = _id_of(headers.get(b"idempotency-key")) or new_id()
        body = _with_command_id(body, minted)
    # Fields that speak of one command cannot be said of several.
    alone = b"if-match" in headers or b"idempotency-key" in headers or request.query
    shareable = bool(peek.domain) and not alone
    return Call(tenant, _target(request), body, minted, peek.domain, peek.stream, shareable)


def _bundle(request: EdgeRequest, principal: Principal) -> Call:
    body = _checked_body(request, principal, BUNDLE_BYTES_MAX)
    try:
        envelopes = read_peeks(body).envelopes
    except (msgspec.DecodeError, UnicodeDecodeError) as wrong:
        raise _not_an_envelope(wrong) from None
    if not 1 <= len(envelopes) <= BUNDLE_ENVELOPES_MAX:
        raise refused("invalid_envelope", problem=f"1 to {BUNDLE_ENVELOPES_MAX} envelopes")
    if body.find(b"\\") >= 0 or body.count(b'"tenant_id"') != len(envelopes):
        _read_strictly(body, JSON_DEPTH_MAX + 2)
    names = {envelope.tenant_id for envelope in envelopes}
    if len(names) != 1 or "" in names:
        raise refused("tenant_forbidden")
    tenant = agreed_tenant(principal, request.headers.get(b"x-tenant-id"), names.pop())
    # Envelopes without an id are answered 400 one by one, by the cell.
    first = envelopes[0]
    return Call(tenant, _target(request), body, "", first.domain, first.stream)


def _reading(request: EdgeRequest, principal: Principal) -> Call:
    if request.method != b"GET":
        raise refused("method_not_allowed", headers=((b"allow", b"GET"),))
    if not principal.may("read"):
        raise refused("scope_missing")
    if _SEGMENTS.fullmatch(request.path) is None:
        raise refused("invalid_path")
    named = (
        request.path[len(_TENANTS) :].partition(b"/")[0] if request.path != _DESCRIPTION else b""
    )
    tenant = agreed_tenant(principal, request.headers.get(b"x-tenant-id"), named.decode())
    return Call(tenant, _target(request), b"")


def _checked_body(request: EdgeRequest, principal: Principal, bytes_max: int) -> bytes:
    if request.method != b"POST":
        raise refused("method_not_allowed", headers=((b"allow", b"POST"),))
    if not principal.may("write"):
        raise refused("scope_missing")
    media_type = request.headers.get(b"content-type", b"")
    if media_type != _JSON and media_type.partition(b";")[0].strip().lower() != _JSON:
        raise refused("unsupported_media_type")
    if len(request.body) > bytes_max:
        raise refused("payload_too_large", limit_bytes=bytes_max)
    return request.body


def _target(request: EdgeRequest) -> bytes:
    if not request.query:
        return request.path
    if _QUERY.fullmatch(request.query) is None:
        raise refused("invalid_path", at="query")
    return request.path + b"?" + request.query


def agreed_tenant(principal: Principal, header: bytes | None, named: str) -> str:
    """Return the one tenant that everything names which names any.

    Raises:
        EdgeRefused: `tenant_missing`, or `tenant_forbidden` where two differ or the credential
            does not cover it: an unknown tenant and a foreign one look alike.
    """
    tenant = named or principal.tenant or ""
    if header is not None:
        in_header = header.decode("latin-1")
        if tenant and in_header != tenant:
            raise refused("tenant_forbidden")
        tenant = in_header
    if not tenant:
        raise refused("tenant_missing")
    if not principal.may_name(tenant):
        raise refused("tenant_forbidden")
    if principal.tenants is None and not is_id(tenant):
        raise refused("invalid_envelope", problem="tenant_id is not an identifier")
    return tenant


def _with_command_id(body: bytes, command_id: str) -> bytes:
    """Return the JSON object `body` with a first member `command_id`."""
    start = body.index(b"{") + 1
    rest = body[start:].lstrip(b" \t\r\n")
    comma = b"" if rest.startswith(b"}") else b","
    return b'{"command_id":"%s"%s%s' % (command_id.encode(), comma, rest)


def _id_of(value: bytes | None) -> str:
    text = "" if value is None else value.decode("latin-1")
    return text if is_id(text) else ""


def _read_strictly(body: bytes, depth_max: int) -> None:
    try:
        parse(body, depth_max)
    except InvalidInput as invalid:
        raise refused("invalid_json", **invalid.fields) from None


def _not_an_envelope(wrong: Exception) -> Exception:
    if isinstance(wrong, msgspec.ValidationError):
        return refused("invalid_envelope", problem="tenant_id and command_id are texts")
    return refused("invalid_json", problem="not JSON")
