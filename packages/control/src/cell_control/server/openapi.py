"""OpenAPI 3.1 from the rows and models that serve: nothing in it is written down twice."""

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Any, Final

from pydantic import TypeAdapter

from cell_control.server.gate import adapter
from cell_control.server.problems import STATUSES
from cell_control.server.routing import Route
from cell_core.domain.canonical import canonical
from cell_core.domain.ids import ID_PATTERN
from cell_core.wire.message import JSON, PROBLEM

if TYPE_CHECKING:
    from pydantic.json_schema import JsonSchemaMode

_REF: Final = "#/components/schemas/{model}"
_ALWAYS: Final = ("invalid_query", "internal")
_TOKEN: Final = ("credential_missing", "credential_invalid", "role_refused")
_BODY: Final = ("invalid_json", "invalid_data", "payload_too_large", "unsupported_media_type")
_REGISTRY: Final = ("registry_unavailable", "overloaded", "recovering")
_CHANGING: Final = ("outcome_unknown", "contention")

PROBLEM_SCHEMA: Final[dict[str, Any]] = {
    "type": "object",
    "required": ["type", "title", "status", "code", "request_id"],
    "properties": {
        "type": {"type": "string"},
        "title": {"type": "string"},
        "status": {"type": "integer"},
        "code": {"type": "string"},
        "request_id": {"type": "string"},
        "detail": {"type": "string"},
        "reasons": {"type": "array", "items": {"type": "object"}},
    },
    "additionalProperties": True,
}


def openapi(routes: Sequence[Route]) -> bytes:
    """Return the description of `routes` as JSON."""
    refs, schemas = _schemas(routes)
    paths: dict[str, dict[str, Any]] = {}
    for route in routes:
        paths.setdefault(route.path, {})[route.method.lower()] = _operation(route, refs)
    described = {
        "openapi": "3.1.0",
        "info": {
            "title": "Multicloud Cells: the control plane",
            "version": "1",
            "description": "Errors are RFC 9457 problems; `code` is stable, texts are not.",
        },
        "paths": paths,
        "components": {
            "schemas": {**schemas, "Problem": PROBLEM_SCHEMA},
            "securitySchemes": {"token": {"type": "http", "scheme": "bearer"}},
        },
    }
    return canonical(described).encode()


def _schemas(routes: Sequence[Route]) -> tuple[dict[Any, Any], dict[str, Any]]:
    answers = dict.fromkeys(route.answer for route in routes if route.answer is not None)
    bodies = dict.fromkeys(route.body for route in routes if route.body is not None)
    asked: list[tuple[Any, JsonSchemaMode, TypeAdapter[Any]]] = [
        *((answer, "serialization", adapter(answer)) for answer in answers),
        *((body, "validation", TypeAdapter(body)) for body in bodies),
    ]
    found, definitions = TypeAdapter.json_schemas(asked, ref_template=_REF)
    return {key: schema for (key, _mode), schema in found.items()}, definitions.get("$defs", {})


def _operation(route: Route, refs: dict[Any, Any]) -> dict[str, Any]:
    operation: dict[str, Any] = {
        "operationId": route.id,
        "summary": route.summary,
        "parameters": [*map(_in_path, _names(route.path)), *_in_query(route)],
        "responses": {**_answers(route, refs), **_errors(route)},
    }
    if route.roles is not None:
        operation["security"] = [{"token": []}]
        operation["x-roles"] = sorted(route.roles)
    if route.body is not None:
        content = {JSON: {"schema": refs[route.body]}}
        operation["requestBody"] = {"required": True, "content": content}
    return operation


def _answers(route: Route, refs: dict[Any, Any]) -> dict[str, Any]:
    if route.answer is None:
        content: dict[str, Any] = {"*/*": {"schema": {"type": "string"}}}
    else:
        content = {JSON: {"schema": refs[route.answer]}}
    return {
        str(status): {"description": "OK", **({} if status == 304 else {"content": content})}
        for status in route.statuses
    }


def _errors(route: Route) -> dict[str, Any]:
    by_status: dict[int, list[str]] = {}
    for code in codes_of(route):
        by_status.setdefault(_status(code), []).append(code)
    return {
        str(status): {
            "description": ", ".join(codes),
            "content": {PROBLEM: {"schema": {"$ref": _REF.format(model="Problem")}}},
        }
        for status, codes in sorted(by_status.items())
    }


def codes_of(route: Route) -> tuple[str, ...]:
    """Return every code that `route` may answer."""
    return (
        *_ALWAYS,
        *(_TOKEN if route.roles is not None else ()),
        *(("invalid_path",) if "{" in route.path else ()),
        *(_BODY if route.body is not None else ()),
        *(_REGISTRY if route.roles is not None else ()),
        *(_CHANGING if route.writes else ()),
        *route.codes,
    )


def _status(code: str) -> int:
    listed = STATUSES.get(code)
    if listed is not None:
        return listed
    return 404 if code.endswith("_not_found") else 409


def _names(path: str) -> Iterable[str]:
    return [part[1:-1] for part in path.split("/") if part.startswith("{")]


def _in_path(name: str) -> dict[str, Any]:
    return {
        "name": name,
        "in": "path",
        "required": True,
        "schema": {"type": "string", "pattern": ID_PATTERN},
    }


def _in_query(route: Route) -> list[dict[str, Any]]:
    schema = route.query.model_json_schema()
    required = schema.get("required", ())
    return [
        {"name": name, "in": "query", "required": name in required, "schema": found}
        for name, found in schema.get("properties", {}).items()
    ]
