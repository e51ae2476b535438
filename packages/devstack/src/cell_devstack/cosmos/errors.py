"""The one error a gateway operation answers with.

It carries what the REST protocol carries and refuses to classify: what may be retried is the
client's business.
"""

from collections.abc import Mapping

_CODES = {
    400: "BadRequest",
    401: "Unauthorized",
    403: "Forbidden",
    404: "NotFound",
    409: "Conflict",
    410: "Gone",
    412: "PreconditionFailed",
    413: "RequestEntityTooLarge",
    429: "TooManyRequests",
    500: "InternalServerError",
    501: "NotImplemented",
    503: "ServiceUnavailable",
}

# Sub-statuses by which the SDK tells apart answers of one status.
PARTITION_KEY_MISMATCH = 1001
PARTITION_RANGE_GONE = 1002
OWNER_NOT_FOUND = 1003
COLLECTION_RECREATED = 1024
THROTTLED = 3200


class CosmosError(Exception):
    """A refusal with an HTTP status, an optional sub-status and headers of its own."""

    def __init__(
        self,
        status: int,
        message: str,
        *,
        sub_status: int | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> None:
        super().__init__(message)
        self.status = status
        self.message = message
        self.sub_status = sub_status
        self.headers = dict(headers or {})

    @property
    def code(self) -> str:
        """The word the protocol uses for this status."""
        return _CODES.get(self.status, "Error")


class ConnectionCut(ConnectionAbortedError):
    """The connection must end without an answer: an injected fault, or a closed gateway."""


def not_implemented(what: str) -> CosmosError:
    """Refuse what the stand-in does not do, instead of approximating it.

    Inside queries and feeds the refusal is a 400: the SDK repeats reads that meet a 501.
    """
    return CosmosError(501, f"{what} is not implemented by this stand-in")
