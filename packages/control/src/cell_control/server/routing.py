"""What is answered at which path, for whom: rows of one table that serve and make the OpenAPI.

Refuses a query or a body that its model does not describe, before a handler sees it.
"""

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Final, TypeVar

from pydantic import BaseModel, ConfigDict, ValidationError

from cell_control.errors import Invalid
from cell_control.server.roles import Principal, Roles
from cell_core.domain.canonical import parse
from cell_core.domain.errors import InvalidInput
from cell_core.domain.ids import is_id

BODY_BYTES_MAX: Final = 64 * 1024
ERRORS_SHOWN_MAX: Final = 10
_QUERY_BYTES_MAX: Final = 2048


class Body(BaseModel):
    """A request's JSON: closed, and strict about types."""

    model_config = ConfigDict(
        frozen=True, strict=True, extra="forbid", hide_input_in_errors=True, allow_inf_nan=False
    )


class Query(BaseModel):
    """A request's query: closed; texts that are numbers are read as such."""

    model_config = ConfigDict(
        frozen=True, extra="forbid", hide_input_in_errors=True, allow_inf_nan=False
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class Call:
    """A request that was admitted.

    Attributes:
        names: Identifiers from the path.
        headers: Names in lower case.
        principal: Who asks; None where a route is open to everyone.
    """

    names: Mapping[str, str]
    headers: Mapping[str, str]
    query: Query
    body: Body | None
    principal: Principal | None

    @property
    def by(self) -> str:
        """Whom an audit names."""
        if self.principal is None:
            raise TypeError("an open route changes nothing")
        return self.principal.name


@dataclass(frozen=True, slots=True)
class Reply:
    """What a handler answers: a value of the route's answer type, or bytes of `kind`."""

    value: Any = None
    status: int = 200
    headers: Mapping[str, str] = field(default_factory=dict)
    raw: bytes | None = None
    kind: str = "application/json"


Handler = Callable[[Call], Awaitable[Reply]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Route:
    """One operation.

    Attributes:
        path: `{name}` stands for one identifier.
        roles: Who may; None for everyone, without a token.
        answer: A type that pydantic can write as JSON; None for bytes.
        codes: The errors it may answer beside those that its parts imply.
        statuses: What success may look like.
    """

    method: str
    path: str
    id: str
    summary: str
    handle: Handler
    roles: Roles | None
    query: type[Query] = Query
    body: type[Body] | None = None
    answer: Any = None
    codes: tuple[str, ...] = ()
    statuses: tuple[int, ...] = (200,)

    @property
    def writes(self) -> bool:
        """Whether it changes something."""
        return self.method not in {"GET", "HEAD"}


_Model = TypeVar("_Model", bound=BaseModel)
_Sent = TypeVar("_Sent", bound=Body)
_Asked = TypeVar("_Asked", bound=Query)


def sent(call: Call, model: type[_Sent]) -> _Sent:
    """Return the body of a call to a route whose body is a `model`."""
    assert isinstance(call.body, model)  # noqa: S101 - the route's row says so
    return call.body


def asked(call: Call, model: type[_Asked]) -> _Asked:
    """Return the query of a call to a route whose query is a `model`."""
    assert isinstance(call.query, model)  # noqa: S101 - the route's row says so
    return call.query


def read_names(names: Mapping[str, str]) -> Mapping[str, str]:
    """Return the identifiers of a path.

    Raises:
        Invalid: `invalid_path`: one is none.
    """
    for name, text in names.items():
        if not is_id(text):
            raise Invalid("invalid_path", at=name, problem="not an identifier")
    return names


def read_query(model: type[_Asked], pairs: list[tuple[str, str]], raw_bytes: int) -> _Asked:
    """Return the query that `pairs` are.

    Raises:
        Invalid: `invalid_query`.
    """
    found = dict(pairs)
    if raw_bytes > _QUERY_BYTES_MAX or len(found) < len(pairs):
        raise Invalid("invalid_query", at="", problem="too long, or a name is given twice")
    return _validated(model, found, "invalid_query")


def read_body(model: type[_Sent], raw: bytes) -> _Sent:
    """Return the body that `raw` holds.

    Raises:
        Invalid: `invalid_json` or `invalid_data`.
    """
    try:
        value = parse(raw)
    except InvalidInput as wrong:
        raise Invalid("invalid_json", at="", problem=str(wrong.fields["problem"])) from None
    if not isinstance(value, dict):
        raise Invalid("invalid_data", at="", problem="not an object")
    return _validated(model, value, "invalid_data")


def _validated(model: type[_Model], value: Any, code: str) -> _Model:  # noqa: ANN401 - untrusted
    try:
        return model.model_validate(value)
    except ValidationError as wrong:
        errors = wrong.errors(include_url=False, include_input=False, include_context=False)
        found = [{"at": _place(e["loc"]), "problem": e["type"]} for e in errors[:ERRORS_SHOWN_MAX]]
        raise Invalid(code, **found[0], errors=found) from None


def _place(loc: tuple[int | str, ...]) -> str:
    # A name that is not in the model is the caller's text: bounded, and never more than a place.
    return ".".join(str(part)[:64] for part in loc)
