"""What the cell's own OpenAPI says of an answer: which operation, which model, which codes."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from cell_core.app.answers import MODELS
from cell_core.wire.message import JSON, PROBLEM, Request
from tests.parity.drivers import Answer

_TYPES = {True: JSON, False: PROBLEM}


@dataclass(frozen=True, slots=True)
class Operation:
    """One operation of the description."""

    id: str
    pattern: re.Pattern[str]
    method: str
    responses: Mapping[str, Any]

    def codes(self, status: int) -> list[str]:
        return self.responses.get(str(status), {}).get("description", "").split(", ")


class Description:
    """Holds answers against the OpenAPI that the cell gave."""

    def __init__(self, document: Mapping[str, Any]) -> None:
        self.operations = [
            Operation(
                operation["operationId"], _pattern(path), method.upper(), operation["responses"]
            )
            for path, methods in document["paths"].items()
            for method, operation in methods.items()
        ]

    def find(self, request: Request) -> Operation | None:
        """Return the operation that `request` is for."""
        return next(
            (
                one
                for one in self.operations
                if one.method == request.method and one.pattern.fullmatch(request.path)
            ),
            None,
        )

    def problems(self, request: Request, answer: Answer) -> list[str]:
        """Return what about `answer` the description does not say."""
        operation = self.find(request)
        body = answer.json()
        if operation is None:
            nowhere = {404: "path_not_found", 405: "method_not_allowed", 503: "overloaded"}
            return [] if body["code"] == nowhere.get(answer.status) else ["not described"]
        kind = _TYPES[answer.status == 200]
        found = [] if answer.headers["content-type"] == kind else ["its content type"]
        return [*found, *self._of(operation, answer.status, body)]

    def _of(self, operation: Operation, status: int, body: Any) -> list[str]:
        found = []
        if status != 200 and body["code"] not in operation.codes(status):
            found.append(f"{operation.id} may not answer {status} {body['code']}")
        described = operation.responses.get(str(status), {}).get("content", {}).values()
        for content in described:
            model = content["schema"].get("$ref", "").rpartition("/")[2]
            if model:
                MODELS[model].model_validate(body)
        if operation.id == "bundle" and status == 200:
            process = next(one for one in self.operations if one.id == "process")
            for result in body["results"]:
                found += self._of(process, result["status"], result["body"])
        return found


def _pattern(path: str) -> re.Pattern[str]:
    return re.compile(re.sub(r"\\\{\w+\\\}", "[^/]*", re.escape(path)))
