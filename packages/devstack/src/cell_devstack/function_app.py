"""What the Functions child asks of an app, whichever way its functions are called.

It knows no SDK; `functions_runtime` and `functions_direct` are the two ways.
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol
from urllib.parse import parse_qsl

from cell_devstack.http_server import HttpRequest, HttpResponse


class FunctionFailed(RuntimeError):
    """The function raised; the message is what the host would log."""


class AppDidNotLoad(RuntimeError):
    """The app could not be imported or indexed; the message says why."""


@dataclass(frozen=True, slots=True, kw_only=True)
class FunctionInfo:
    """One function of the app.

    Attributes:
        name: Its name, unique in the app.
        id: What the runtime calls it by.
        bindings: Its bindings as `function.json` would hold them.
    """

    name: str
    id: str
    bindings: Sequence[Mapping[str, Any]]

    @classmethod
    def of_raw(cls, name: str, identity: str, raw_bindings: Sequence[str]) -> "FunctionInfo":
        """Read the bindings from the JSON texts that the SDK makes of them."""
        bindings = [json.loads(text) for text in raw_bindings]
        return cls(name=name, id=identity, bindings=bindings)

    @property
    def trigger(self) -> Mapping[str, Any]:
        """The one binding that starts it."""
        return next(b for b in self.bindings if str(b["type"]).lower().endswith("trigger"))


class FunctionApp(Protocol):
    """A loaded app. Called from many threads."""

    @property
    def functions(self) -> Mapping[str, FunctionInfo]:
        """Its functions by name."""

    def call_http(
        self, function: FunctionInfo, request: HttpRequest, parameters: Mapping[str, str]
    ) -> HttpResponse:
        """Call an HTTP-triggered function. Raises `FunctionFailed`."""

    def call(self, function: FunctionInfo, data: object) -> None:
        """Call a function of another trigger with its JSON `data`. Raises `FunctionFailed`."""


def joined_headers(request: HttpRequest) -> dict[str, str]:
    """Return one value per header; repeated ones are joined by a comma, as the host does."""
    return {name: request.header(name) or "" for name, _ in request.headers}


def joined_query(request: HttpRequest) -> dict[str, str]:
    """Return one decoded value per query parameter, repeated ones joined by a comma."""
    joined: dict[str, str] = {}
    for name, value in parse_qsl(request.query, keep_blank_values=True):
        joined[name] = f"{joined[name]},{value}" if name in joined else value
    return joined


def full_url(request: HttpRequest) -> str:
    """Return the URL as the client wrote it."""
    return f"http://{request.header('host') or 'localhost'}{request.target}"
