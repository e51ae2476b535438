"""Lambda events and contexts as AWS makes them, for tests; no test is in here."""

from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class Context:
    """What the handler needs of a `LambdaContext`."""

    function_name: str = "cell"
    memory_limit_in_mb: int = 512
    invoked_function_arn: str = "arn:aws:lambda:eu-west-1:000000000000:function:cell"
    aws_request_id: str = "52fdfc07-2182-454f-963f-5f0f9a621d72"


def url_event(
    *,
    method: str = "GET",
    path: str = "/healthz",
    query: str = "",
    headers: dict[str, str] | None = None,
    body: str | bytes | None = None,
    stage: str = "$default",
    **more: Any,
) -> dict[str, Any]:
    """Return the event of a Function URL, or of an HTTP API with another `stage`."""
    event = {
        "version": "2.0",
        "routeKey": "$default",
        "rawPath": path,
        "rawQueryString": query,
        "headers": headers or {},
        "requestContext": {
            "domainName": "id.lambda-url.eu-west-1.on.aws",
            "http": {"method": method, "path": path, "protocol": "HTTP/1.1"},
            "requestId": "52fdfc07-2182-454f-963f-5f0f9a621d72",
            "stage": stage,
        },
        "isBase64Encoded": False,
    }
    if body is not None:
        event["body"] = body.decode() if isinstance(body, bytes) else body
    return event | more
