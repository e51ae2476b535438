"""Calls the app's own functions without Microsoft's runtime, which needs Python 3.13 or later.

The SDK in the zip makes the trigger's argument and reads the result, as the runtime would have it
do. It refuses functions with bindings beside their trigger and an HTTP answer.
"""

import asyncio
import importlib
import inspect
import json
import threading
import types
import uuid
from collections.abc import Callable, Mapping
from typing import Any, Final

from cell_devstack.function_app import (
    AppDidNotLoad,
    FunctionFailed,
    FunctionInfo,
    full_url,
    joined_headers,
    joined_query,
)
from cell_devstack.http_server import Headers, HttpRequest, HttpResponse

_CALL_TIMEOUT_S: Final = 230.0


class DirectApp:
    """A `FunctionApp` that calls the functions of `function_app` itself."""

    def __init__(self) -> None:
        """Import `function_app` from the import path. Raises `AppDidNotLoad`."""
        self._loop = asyncio.new_event_loop()
        threading.Thread(target=self._loop.run_forever, name="functions", daemon=True).start()
        self.functions: dict[str, FunctionInfo] = {}
        self._user_functions: dict[str, Callable[..., Any]] = {}
        try:
            self._sdk = importlib.import_module("azure.functions")
            self._index(importlib.import_module("function_app"))
        except Exception as error:  # Importing an app runs any code.
            raise AppDidNotLoad(f"{type(error).__name__}: {error}") from error

    def call_http(
        self, function: FunctionInfo, request: HttpRequest, parameters: Mapping[str, str]
    ) -> HttpResponse:
        """Call an HTTP-triggered function. Raises `FunctionFailed`."""
        text, http = self._text, self._sdk.meta.Datum
        parts = {
            "method": text(request.method),
            "url": text(full_url(request)),
            "headers": {k: text(v) for k, v in joined_headers(request).items()},
            "params": {k: text(v) for k, v in parameters.items()},
            "query": {k: text(v) for k, v in joined_query(request).items()},
            "body": http(type="bytes", value=request.body),
        }
        result = self._invoke(function, http(type="http", value=parts))
        encoded = self._converter("http").encode(result, expected_type=None)
        return _response(encoded)

    def call(self, function: FunctionInfo, data: object) -> None:
        """Call a function of another trigger. Raises `FunctionFailed`."""
        self._invoke(function, self._sdk.meta.Datum(type="json", value=json.dumps(data)))

    def _index(self, module: types.ModuleType) -> None:
        registers = [v for v in vars(module).values() if isinstance(v, self._sdk.FunctionRegister)]
        if len(registers) != 1:
            raise AppDidNotLoad(f"{len(registers)} function apps in function_app.py; want one")
        for function in registers[0].get_functions():  # A second call would raise.
            name = function.get_function_name()
            info = FunctionInfo.of_raw(name, name, function.get_raw_bindings())
            extra = [b["type"] for b in info.bindings if b is not info.trigger]
            if set(extra) - {"http"}:
                raise AppDidNotLoad(f"{name}: bindings {extra} are not supported here")
            self.functions[name] = info
            self._user_functions[name] = function.get_user_function()

    def _invoke(self, function: FunctionInfo, datum: object) -> Any:  # noqa: ANN401 - the app's
        decode = self._converter(function.trigger["type"]).decode
        user_function = self._user_functions[function.name]
        arguments = {function.trigger["name"]: decode(datum, trigger_metadata=None)}
        if "context" in inspect.signature(user_function).parameters:
            arguments["context"] = types.SimpleNamespace(
                invocation_id=str(uuid.uuid4()), function_name=function.name
            )
        try:
            result = user_function(**arguments)
            if inspect.iscoroutine(result):
                future = asyncio.run_coroutine_threadsafe(result, self._loop)
                result = future.result(_CALL_TIMEOUT_S)
        except Exception as error:  # The last line around foreign code.
            raise FunctionFailed(f"{type(error).__name__}: {error}") from error
        return result

    def _converter(self, binding: str) -> Any:  # noqa: ANN401 - a class of the zip's SDK
        return self._sdk.get_binding_registry().get(binding)

    def _text(self, value: str) -> object:
        return self._sdk.meta.Datum(type="string", value=value)


def _response(datum: Any) -> HttpResponse:  # noqa: ANN401 - a datum of the zip's SDK
    if datum.type == "string":
        content_type = (("content-type", "text/plain; charset=utf-8"),)
        return HttpResponse(status=200, headers=content_type, body=datum.value.encode())
    parts = datum.value
    own: Headers = tuple((name, value.value) for name, value in parts["headers"].items())
    cookies: Headers = tuple(
        ("set-cookie", morsel.OutputString())
        for jar in parts["cookies"] or ()
        for morsel in jar.values()
    )
    return HttpResponse(
        status=int(parts["status_code"].value), headers=own + cookies, body=parts["body"].value
    )
