"""What a cell answers at which path: one list that dispatches requests and makes the OpenAPI."""

import base64
import binascii
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal, TypeAlias

from cell_core.domain.errors import InvalidInput, NotFound, Rejected
from cell_core.domain.fence import Fence
from cell_core.domain.ids import is_entity_id, is_id
from cell_core.domain.limits import PAGE_MAX, REQUEST_BYTES_MAX
from cell_core.schema import Strict
from cell_core.wire.grants import Grant
from cell_core.wire.message import Request

Scope: TypeAlias = Literal["open", "tenant", "control", "replicate"]

_LIMIT_DEFAULT = 100
_CURSOR_MAX = 400
_NUMBER = re.compile(r"[0-9]{1,16}")


@dataclass(frozen=True, slots=True, kw_only=True)
class Call:
    """A request on its way through the application, after the grant was verified.

    Attributes:
        names: Identifiers from the path.
        query: Parameters by name, each at most once.
        deadline_ms: Wall clock time at which the caller stops waiting.
    """

    request: Request
    names: Mapping[str, str]
    query: Mapping[str, str]
    grant: Grant | None
    deadline_ms: int

    def stripe(self) -> int:
        """Return the stripe that the path names."""
        text = self.names["stripe"]
        if not _NUMBER.fullmatch(text) or int(text) > 99:
            raise InvalidInput("invalid_path", at="stripe")
        return int(text)

    def limit(self) -> int:
        """Return the page size asked for, 1 to 1000."""
        text = self.query.get("limit", str(_LIMIT_DEFAULT))
        if not _NUMBER.fullmatch(text) or not 1 <= int(text) <= PAGE_MAX:
            raise InvalidInput("invalid_query", at="limit")
        return int(text)

    def after(self) -> str | None:
        """Return what the cursor points behind, or None for the first page."""
        text = self.query.get("after")
        if text is None:
            return None
        if len(text) > _CURSOR_MAX:
            raise InvalidInput("invalid_query", at="after")
        try:
            raw = base64.b64decode(text.encode() + b"=" * (-len(text) % 4), b"-_", validate=True)
            point = raw.decode("ascii")
        except (binascii.Error, UnicodeError):
            raise InvalidInput("invalid_query", at="after") from None
        if not point or not point.isprintable() or cursor(point) != text:
            raise InvalidInput("invalid_query", at="after")
        return point


def cursor(point: str) -> str:
    """Return the opaque text of a place between two documents."""
    return base64.urlsafe_b64encode(point.encode()).decode().rstrip("=")


@dataclass(frozen=True, slots=True)
class Reply:
    """What a handler answers: JSON, and the fence that the headers then show."""

    body: Any
    fence: Fence | None = None
    status: int = 200
    headers: Mapping[str, str] = field(default_factory=dict)
    facts: Mapping[str, str | int] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class Route:
    """One operation.

    Attributes:
        template: The path; `{name}` stands for one identifier.
        scope_too: Another scope whose grants are admitted as well, for the tenant that they name.
        codes: The errors it may answer, beside those that its scope and body imply.
        answer: Name of the model in `cell_core.schema` that describes a 200.
    """

    method: str
    template: str
    id: str
    summary: str
    handle: Callable[[Call], Reply]
    scope: Scope = "tenant"
    scope_too: Scope | None = None
    body: type[Strict] | None = None
    body_bytes_max: int = REQUEST_BYTES_MAX
    query: Sequence[str] = ()
    codes: Sequence[str] = ()
    answer: str = ""

    @property
    def parts(self) -> tuple[str, ...]:
        """The template's segments."""
        return tuple(self.template.strip("/").split("/"))


class Router:
    """Finds the route of a request."""

    def __init__(self, routes: Sequence[Route]) -> None:
        self._routes = [(route, route.parts) for route in routes]
        self._plain: dict[str, list[Route]] = {}
        for route in routes:
            if "{" not in route.template:
                self._plain.setdefault(route.template, []).append(route)

    def find(self, method: str, path: str) -> tuple[Route, dict[str, str]]:
        """Return the route and the identifiers in the path.

        Raises:
            NotFound: `path_not_found`.
            Rejected: `method_not_allowed`, with `allow`.
            InvalidInput: `invalid_path`; an identifier is malformed.
        """
        matches = [(route, dict[str, str]()) for route in self._plain.get(path, ())]
        if not matches:
            parts = tuple(path[1:].split("/")) if path.startswith("/") else ()
            found = ((route, _names(template, parts)) for route, template in self._routes)
            matches = [(route, names) for route, names in found if names is not None]
        if not matches:
            raise NotFound("path_not_found")
        for route, names in matches:
            if route.method == method:
                _check_names(names)
                return route, names
        raise Rejected("method_not_allowed", allow=sorted({r.method for r, _ in matches}))


def _names(template: tuple[str, ...], parts: tuple[str, ...]) -> dict[str, str] | None:
    if len(template) != len(parts):
        return None
    names: dict[str, str] = {}
    for expected, part in zip(template, parts, strict=True):
        if expected.startswith("{"):
            names[expected[1:-1]] = part
        elif expected != part:
            return None
    return names


def _check_names(names: Mapping[str, str]) -> None:
    for name, text in names.items():
        right = is_entity_id(text) if name == "entity" else is_id(text)
        if not right:
            raise InvalidInput("invalid_path", at=name)


def read_query(raw: str, allowed: Sequence[str]) -> dict[str, str]:
    """Return the parameters of a query string; all values that this API takes need no escaping.

    Raises:
        InvalidInput: `invalid_query`; one is unknown, repeated or malformed.
    """
    found: dict[str, str] = {}
    for part in raw.split("&") if raw else ():
        name, sign, value = part.partition("=")
        if name not in allowed or name in found or not sign:
            raise InvalidInput("invalid_query", at=name if name in allowed else "")
        found[name] = value
    return found
