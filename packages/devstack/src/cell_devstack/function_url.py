"""Turns plain HTTP into events of payload format 2.0 (Function URL, HTTP API) and results back.

It refuses a result that is no answer in that format. It decides nothing about the application.
"""

import base64
import binascii
import json
import time
import uuid
from collections.abc import Mapping
from typing import Any, Final
from urllib.parse import parse_qsl

from cell_devstack.http_server import Headers, HttpRequest, HttpResponse

RESULT_BYTES_MAX: Final = 6 * 1024 * 1024  # Lambda's limit for a synchronous invocation.

_TEXT_TYPES: Final = {"application/json", "application/xml", "application/javascript"}


class MalformedResult(ValueError):
    """The function returned something that cannot be an HTTP answer; AWS answers 502."""


def to_event(request: HttpRequest, *, stage: str | None = None) -> dict[str, Any]:
    """Return the event for `request`: a Function URL's, or an HTTP API's when it has a `stage`.

    The path of an HTTP API event begins with the stage, as in the cloud.
    """
    event: dict[str, Any] = {
        "version": "2.0",
        "routeKey": "$default",
        "rawPath": request.path,
        "rawQueryString": request.query,
        "headers": _event_headers(request),
        "requestContext": _request_context(request, stage or "$default"),
        "isBase64Encoded": False,
    }
    if request.query:
        event["queryStringParameters"] = _joined(
            tuple(parse_qsl(request.query, keep_blank_values=True))
        )
    cookies = [value for name, value in request.headers if name == "cookie"]
    if cookies:
        event["cookies"] = [part.strip() for value in cookies for part in value.split(";")]
    if request.body:
        event["body"], event["isBase64Encoded"] = _event_body(request)
    return event


def to_response(result: object) -> HttpResponse:
    """Return the HTTP answer that `result`, the function's JSON value, stands for.

    Raises:
        MalformedResult: It has a `statusCode` but is not of payload format 2.0.
    """
    if not isinstance(result, dict) or "statusCode" not in result:
        # Format 2.0 infers an answer from any other value.
        body = result if isinstance(result, str) else json.dumps(result)
        return HttpResponse(
            status=200, headers=(("content-type", "application/json"),), body=body.encode()
        )
    body_bytes = _result_body(result)
    if len(body_bytes) > RESULT_BYTES_MAX:
        raise MalformedResult("the body is larger than 6 MiB")
    return HttpResponse(
        status=_status(result["statusCode"]), headers=_result_headers(result), body=body_bytes
    )


def _event_headers(request: HttpRequest) -> dict[str, str]:
    own = tuple((name, value) for name, value in request.headers if name != "cookie")
    return {
        **_joined(own),
        "x-forwarded-for": request.source_ip,
        "x-forwarded-proto": "https",  # The cloud's front speaks nothing else.
        "x-forwarded-port": "443",
    }


def _joined(pairs: Headers) -> dict[str, str]:
    joined: dict[str, str] = {}
    for name, value in pairs:
        joined[name] = f"{joined[name]},{value}" if name in joined else value
    return joined


def _request_context(request: HttpRequest, stage: str) -> dict[str, Any]:
    now_s = time.time_ns() // 1_000_000_000
    host = request.header("host") or "localhost"
    return {
        "accountId": "anonymous",
        "apiId": "local",
        "domainName": host,
        "domainPrefix": "local",
        "http": {
            "method": request.method,
            "path": request.path,
            "protocol": "HTTP/1.1",
            "sourceIp": request.source_ip,
            "userAgent": request.header("user-agent") or "",
        },
        "requestId": str(uuid.uuid4()),
        "routeKey": "$default",
        "stage": stage,
        "time": time.strftime("%d/%b/%Y:%H:%M:%S +0000", time.gmtime(now_s)),
        "timeEpoch": now_s * 1000,
    }


def _event_body(request: HttpRequest) -> tuple[str, bool]:
    if _is_text(request.header("content-type") or ""):
        try:
            return request.body.decode(), False
        except UnicodeDecodeError:
            pass  # It says text and is not; the cloud sends it as bytes too.
    return base64.b64encode(request.body).decode(), True


def _is_text(content_type: str) -> bool:
    media_type = content_type.partition(";")[0].strip().lower()
    return (
        media_type.startswith("text/") or media_type in _TEXT_TYPES or media_type.endswith("+json")
    )


def _status(status: object) -> int:
    try:
        number = int(str(status))
    except ValueError:
        number = 0
    if not 200 <= number <= 599:
        raise MalformedResult(f"statusCode {status!r}")
    return number


def _result_headers(result: Mapping[str, Any]) -> Headers:
    headers, cookies = result.get("headers") or {}, result.get("cookies") or []
    if not isinstance(headers, dict) or not isinstance(cookies, list):
        raise MalformedResult("headers are a mapping and cookies a list")
    for value in headers.values():
        if not isinstance(value, str | int | float | bool):
            raise MalformedResult("the value of a header is no scalar")
    own = tuple((str(name), _scalar_text(value)) for name, value in headers.items())
    if not any(name.lower() == "content-type" for name, _ in own):
        own += (("content-type", "application/json"),)
    return own + tuple(("set-cookie", str(cookie)) for cookie in cookies)


def _scalar_text(value: str | float) -> str:
    return value if isinstance(value, str) else json.dumps(value)


def _result_body(result: Mapping[str, Any]) -> bytes:
    body = result.get("body")
    if body is None:
        return b""
    if not isinstance(body, str):
        raise MalformedResult("the body is no string")
    if result.get("isBase64Encoded") is not True:
        return body.encode()
    try:
        return base64.b64decode(body, validate=True)
    except binascii.Error as error:
        raise MalformedResult("the body is not the base64 it says it is") from error
