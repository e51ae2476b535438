"""Drives Microsoft's `azure-functions-runtime`: the code that calls the app in the cloud.

There it is fed by a .NET host over gRPC; here its coroutines are called with messages of the same
shape. Output bindings are refused: no host is there to carry them out.
"""

import asyncio
import json
import threading
import types
import uuid
from collections.abc import Callable, Coroutine, Mapping
from http.cookies import SimpleCookie
from pathlib import Path
from typing import Any, Final

import azure_functions_runtime

from cell_devstack.function_app import (
    AppDidNotLoad,
    FunctionFailed,
    FunctionInfo,
    full_url,
    joined_headers,
    joined_query,
)
from cell_devstack.http_server import Headers, HttpRequest, HttpResponse

_CALL_TIMEOUT_S: Final = 230.0  # Azure's load balancer gives up then.


class Message:
    """Stands for any protobuf message: the runtime only reads attributes and asks `WhichOneof`."""

    _ONE_OF: Final = ("string", "json", "bytes", "http", "int", "double")

    def __init__(self, **fields: Any) -> None:  # noqa: ANN401 - a message holds anything
        self.__dict__.update(fields)

    def WhichOneof(self, _group: str) -> str | None:  # noqa: N802 - protobuf's name
        """Return which alternative is set."""
        return next((name for name in self._ONE_OF if name in self.__dict__), None)


class InputParameter(Message):
    """A parameter whose value always is in `data`."""

    def WhichOneof(self, _group: str) -> str:  # noqa: N802 - protobuf's name
        """Return the only alternative there is."""
        return "data"


class StatusResult(Message):
    """How a call ended."""

    Failure: Final = 0
    Success: Final = 1


class BindingInfo(Message):
    """One binding of a function; the runtime reads its directions as constants."""

    Direction: Final = types.SimpleNamespace(**{"in": 0, "out": 1, "inout": 2})
    DataType: Final = types.SimpleNamespace(undefined=0, string=1, binary=2, stream=3)


for _name, _value in (vars(BindingInfo.Direction) | vars(BindingInfo.DataType)).items():
    setattr(BindingInfo, _name, _value)  # `in` is a keyword: it cannot be written out.


class RpcHttpCookie(Message):
    """A cookie of an answer."""

    SameSite: Final = types.SimpleNamespace(**{"None": 0, "Lax": 1, "Strict": 2, "ExplicitNone": 3})
    NAME_OF: Final = {1: "Lax", 2: "Strict", 3: "None"}


_PLAIN_MESSAGES: Final = (
    "FunctionLoadResponse",
    "FunctionMetadataResponse",
    "InvocationResponse",
    "NullableBool",
    "NullableDouble",
    "NullableString",
    "NullableTimestamp",
    "ParameterBinding",
    "RpcException",
    "RpcFunctionMetadata",
    "RpcHttp",
    "RpcRetryOptions",
    "TypedData",
    "WorkerInitResponse",
    "WorkerMetadata",
)
_PROTOS: Final = types.SimpleNamespace(
    **{name: type(name, (Message,), {}) for name in _PLAIN_MESSAGES},
    BindingInfo=BindingInfo,
    RpcHttpCookie=RpcHttpCookie,
    StatusResult=StatusResult,
)

_Verb = Callable[[Message], Coroutine[Any, Any, Any]]


class RuntimeApp:
    """A `FunctionApp` called by Microsoft's runtime, in an event loop of its own."""

    def __init__(self, root: Path) -> None:
        """Load the app in `root`. Raises `AppDidNotLoad`."""
        azure_functions_runtime.start_threadpool_executor()
        self._loop = asyncio.new_event_loop()
        threading.Thread(target=self._loop.run_forever, name="functions", daemon=True).start()
        started = self._call(
            azure_functions_runtime.worker_init_request,
            worker_init_request=Message(capabilities={}, function_app_directory=str(root)),
        )
        if started.result.status != StatusResult.Success:
            raise AppDidNotLoad(_text(started.result.exception))
        metadata = self._call(azure_functions_runtime.functions_metadata_request)
        found = metadata.function_metadata_results or []
        self.functions = {
            one.name: FunctionInfo.of_raw(one.name, one.function_id, one.raw_bindings)
            for one in found
        }

    def call_http(
        self, function: FunctionInfo, request: HttpRequest, parameters: Mapping[str, str]
    ) -> HttpResponse:
        """Call an HTTP-triggered function. Raises `FunctionFailed`."""
        body = _PROTOS.TypedData(bytes=request.body) if request.body else _PROTOS.TypedData()
        http = _PROTOS.RpcHttp(
            method=request.method,
            url=full_url(request),
            headers=joined_headers(request),
            params=dict(parameters),
            query=joined_query(request),
            body=body,
        )
        value = self._invoke(function, _PROTOS.TypedData(http=http)).return_value
        return _response(value)

    def call(self, function: FunctionInfo, data: object) -> None:
        """Call a function of another trigger. Raises `FunctionFailed`."""
        self._invoke(function, _PROTOS.TypedData(json=json.dumps(data)))

    def _invoke(self, function: FunctionInfo, data: Message) -> Any:  # noqa: ANN401 - a message
        answer = self._call(
            azure_functions_runtime.invocation_request,
            invocation_request=Message(
                invocation_id=str(uuid.uuid4()),
                function_id=function.id,
                input_data=[InputParameter(name=function.trigger["name"], data=data)],
                trigger_metadata={},
                trace_context=Message(trace_parent="", trace_state="", attributes={}),
                retry_context=Message(retry_count=0, max_retry_count=0, exception=None),
            ),
        )
        if answer.result.status != StatusResult.Success:
            raise FunctionFailed(_text(answer.result.exception))
        if answer.output_data:
            raise FunctionFailed(f"{function.name}: output bindings are not supported here")
        return answer

    def _call(self, verb: _Verb, **request: Message) -> Any:  # noqa: ANN401 - a message
        properties = {"protos": _PROTOS, "host": "127.0.0.1"}
        message = Message(request=Message(**request), properties=properties)
        future = asyncio.run_coroutine_threadsafe(verb(message), self._loop)
        try:
            return future.result(_CALL_TIMEOUT_S)
        except TimeoutError:
            future.cancel()
            raise FunctionFailed(f"no result within {_CALL_TIMEOUT_S} s") from None


def _text(exception: Any) -> str:  # noqa: ANN401 - a message
    return f"{exception.message}\n{exception.stack_trace}"


def _response(value: Any) -> HttpResponse:  # noqa: ANN401 - a message
    if value is None:
        return HttpResponse(status=204)
    if value.WhichOneof("data") != "http":  # The function returned a plain text.
        return HttpResponse(
            status=200,
            headers=(("content-type", "text/plain; charset=utf-8"),),
            body=_bytes(value),
        )
    http = value.http
    cookies = tuple(("set-cookie", _cookie_header(cookie)) for cookie in http.cookies or ())
    headers: Headers = (*((str(k), str(v)) for k, v in http.headers.items()), *cookies)
    return HttpResponse(status=int(http.status_code), headers=headers, body=_bytes(http.body))


def _bytes(data: Any) -> bytes:  # noqa: ANN401 - a message
    kind = data.WhichOneof("data") if data is not None else None
    value = getattr(data, kind) if kind else b""
    return value if isinstance(value, bytes) else str(value).encode()


def _cookie_header(cookie: Any) -> str:  # noqa: ANN401 - a message
    jar: SimpleCookie = SimpleCookie()
    jar[cookie.name] = cookie.value
    morsel = jar[cookie.name]
    for attribute, message in (("domain", cookie.domain), ("path", cookie.path)):
        if message is not None:
            morsel[attribute] = message.value
    if cookie.max_age is not None:
        morsel["max-age"] = str(int(cookie.max_age.value))
    if cookie.expires is not None:
        morsel["expires"] = cookie.expires.value.strftime("%a, %d %b %Y %H:%M:%S GMT")
    morsel["secure"] = bool(cookie.secure and cookie.secure.value)
    morsel["httponly"] = bool(cookie.http_only and cookie.http_only.value)
    morsel["samesite"] = RpcHttpCookie.NAME_OF.get(cookie.same_site, "")
    return morsel.OutputString()
