"""OpenAPI 3.1 from the routes and models that serve: nothing in it is written down twice."""

from collections.abc import Sequence
from typing import Any

from pydantic.json_schema import models_json_schema

from cell_core.app.answers import MODELS
from cell_core.app.problems import PROBLEMS, encode
from cell_core.app.routes import Route
from cell_core.domain.decider import Decider
from cell_core.domain.ids import ENTITY_PATTERN, ID_PATTERN
from cell_core.domain.limits import PAGE_MAX
from cell_core.schema import Envelope
from cell_core.wire.message import JSON, PROBLEM

_REF = "#/components/schemas/{model}"
# A deadline that is no number and a body that is too long are refused on every path.
_ALWAYS = ("invalid_query", "invalid_envelope", "payload_too_large", "overloaded", "internal")
_STORE = ("tenant_not_found", "moved", "frozen", "epoch_behind", "throttled", "store_unavailable")
_GRANT = ("grant_missing", "grant_invalid", "grant_expired", "grant_scope", "grant_tenant")
_BODY = ("invalid_json", "unsupported_media_type")
_SENT_BACK = {
    "tenant": "$response.body#/tenant_id",
    "domain": "$response.body#/domain",
    "stream": "$response.body#/stream",
}


def openapi(routes: Sequence[Route], domains: Sequence[Decider]) -> bytes:
    """Return the description of `routes` as JSON."""
    statuses = {code: problem.status for code, problem in PROBLEMS.items()}
    for domain in domains:
        statuses |= domain.rejections
    paths: dict[str, dict[str, Any]] = {}
    for route in routes:
        paths.setdefault(route.template, {})[route.method.lower()] = _operation(
            route, domains, statuses
        )
    return encode(
        {
            "openapi": "3.1.0",
            "info": {
                "title": "Multicloud Cells: a cell",
                "version": "1",
                "description": "The same on every cloud. Errors are RFC 9457 problems; "
                "`code` is stable, texts are not.",
            },
            "paths": paths,
            "components": {
                "schemas": _schemas(routes, domains),
                "securitySchemes": {
                    "grant": {"type": "http", "scheme": "bearer", "bearerFormat": "JWT"}
                },
            },
        }
    )


def _operation(
    route: Route, domains: Sequence[Decider], statuses: dict[str, int]
) -> dict[str, Any]:
    operation: dict[str, Any] = {
        "operationId": route.id,
        "summary": route.summary,
        "parameters": [*map(_in_path, _path_names(route)), *map(_in_query, route.query)],
        "responses": {"200": _answer(route), **_errors(route, statuses)},
    }
    if route.scope != "open":
        operation["security"] = [{"grant": []}]
    if route.body is not None:
        schema = _envelopes(domains) if route.body is Envelope else _ref(route.body.__name__)
        operation["requestBody"] = {"required": True, "content": {JSON: {"schema": schema}}}
    return operation


def _path_names(route: Route) -> list[str]:
    return [part[1:-1] for part in route.parts if part.startswith("{")]


def _in_path(name: str) -> dict[str, Any]:
    pattern = ENTITY_PATTERN if name == "entity" else ID_PATTERN
    schema: dict[str, Any] = {"type": "string", "pattern": pattern}
    if name == "stripe":
        schema = {"type": "integer", "minimum": 0, "maximum": 99}
    return {"name": name, "in": "path", "required": True, "schema": schema}


def _in_query(name: str) -> dict[str, Any]:
    schema: dict[str, Any] = {"type": "string", "pattern": "^[A-Za-z0-9_-]{1,400}$"}
    if name == "limit":
        schema = {"type": "integer", "minimum": 1, "maximum": PAGE_MAX, "default": 100}
    return {"name": name, "in": "query", "required": False, "schema": schema}


def _answer(route: Route) -> dict[str, Any]:
    schema = _ref(route.answer) if route.answer else {"type": "object"}
    answer: dict[str, Any] = {
        "description": "Done",
        "content": {JSON: {"schema": schema}},
    }
    if route.answer == "Applied":
        answer["links"] = {
            name: {"operationId": name, "parameters": _SENT_BACK}
            for name in ("stream", "entities", "events")
        }
    return answer


def _errors(route: Route, statuses: dict[str, int]) -> dict[str, Any]:
    codes = {*_ALWAYS, *route.codes}
    if route.template == "/readyz":
        codes |= {"store_unavailable", "throttled"}
    if route.scope != "open":
        codes |= {*_GRANT, *_STORE}
    if route.body is not None:
        codes |= set(_BODY)
    if "{" in route.template:
        codes |= {"invalid_path", "path_not_found"}
    by_status: dict[str, list[str]] = {}
    for code in sorted(codes):
        by_status.setdefault(str(statuses[code]), []).append(code)
    return {
        status: {
            "description": ", ".join(found),
            "content": {PROBLEM: {"schema": _ref("ProblemAnswer")}},
        }
        for status, found in sorted(by_status.items())
    }


def _ref(name: str) -> dict[str, str]:
    return {"$ref": _REF.format(model=name)}


def _envelopes(domains: Sequence[Decider]) -> dict[str, Any]:
    """Return one schema for each command, and one for batches of each domain."""
    known = [_ref(_envelope_name(d, c)) for d in domains for c in d.commands]
    return {"anyOf": [*known, *(_ref(_envelope_name(d, "batch")) for d in domains)]}


def _envelope_name(domain: Decider, command: str) -> str:
    return f"{domain.name}.{command}"


def _schemas(routes: Sequence[Route], domains: Sequence[Decider]) -> dict[str, Any]:
    bodies = {route.body for route in routes if route.body is not None}
    datas = {model for domain in domains for model in domain.commands.values()}
    models = [*MODELS.values(), *bodies, *datas]
    _, made = models_json_schema([(model, "validation") for model in models], ref_template=_REF)
    schemas: dict[str, Any] = made["$defs"]
    envelope = schemas["Envelope"]["properties"]
    for domain in domains:
        for command, model in domain.commands.items():
            schemas[_envelope_name(domain, command)] = _envelope(
                envelope, domain, {"command": {"const": command}, "data": _ref(model.__name__)}
            )
        one = [
            {
                "type": "object",
                "additionalProperties": False,
                "required": ["command", "data"],
                "properties": {"command": {"const": command}, "data": _ref(model.__name__)},
            }
            for command, model in domain.commands.items()
        ]
        several = {
            "commands": {"type": "array", "minItems": 1, "maxItems": 20, "items": {"anyOf": one}}
        }
        schemas[_envelope_name(domain, "batch")] = _envelope(envelope, domain, several)
    return schemas


def _envelope(
    envelope: dict[str, Any], domain: Decider, commands: dict[str, Any]
) -> dict[str, Any]:
    common = {
        name: envelope[name] for name in ("tenant_id", "stream", "command_id", "expected_version")
    }
    return {
        "type": "object",
        "additionalProperties": False,
        "required": ["tenant_id", "domain", "command_id", *commands],
        "properties": {**common, "domain": {"const": domain.name}, **commands},
    }
