"""Translate what the Azure SDKs raise into the domain's errors, one for each.

Refuses to import a vendor before a vendor has failed: azure-core alone costs a cold start about
70 ms, and by then it is loaded anyway. Retries nothing; says what may be retried.
"""

import ssl
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from cell_core.domain.errors import (
    BackendError,
    CellError,
    LostRace,
    OutcomeUnknown,
    Throttled,
    Unavailable,
)

_RETRY_AFTER_MS_MAX = 60_000
_RETRY_AFTER_HEADER = "x-ms-retry-after-ms"

_WRITE_REGION_MOVED = {3, 1008}
"""Sub-statuses of 403 that mean "not here any more", during a failover of the account."""

# The SDK indexes into answers without looking: an empty, truncated or foreign body surfaces as one
# of these (observed with azure-cosmos 4.17.1 against a server that answers nonsense). RuntimeError:
# its own background thread may change a dictionary while a caller copies it.
_MALFORMED_ANSWER = (LookupError, TypeError, ValueError, AttributeError, OSError, RuntimeError)


@contextmanager
def translated(operation: str, *, writes: bool) -> Iterator[None]:
    """Raise the domain's error for whatever the SDK raises inside the block.

    Keep the block at the SDK's line: a mistake of ours inside it would pass for a vendor's.
    `writes` says whether the block may change something, and so whether silence leaves the outcome
    unknown.
    """
    try:
        yield
    except _faults() as fault:
        error = domain_error(operation, fault, writes=writes)
        error.reason = f"{type(fault).__name__} {getattr(fault, 'status_code', None) or ''}".strip()
        raise error from fault


def domain_error(operation: str, fault: Exception, *, writes: bool) -> CellError:
    """Return what `fault` means; total over the exception trees of azure-core and azure-cosmos."""
    from azure.core.exceptions import (  # noqa: PLC0415 - see the module's docstring
        ClientAuthenticationError,
        HttpResponseError,
        ServiceRequestError,
    )

    match fault:
        case ServiceRequestError() if not _broke_under_way(fault):
            return Unavailable(operation)
        case ClientAuthenticationError():
            return BackendError()
        case HttpResponseError(status_code=int(status)) if status >= 400:
            return _refused(operation, status, fault, writes=writes)
    return _unanswered(operation, writes=writes)


def _faults() -> tuple[type[Exception], ...]:
    from azure.core.exceptions import AzureError  # noqa: PLC0415 - see the module's docstring

    return (AzureError, *_MALFORMED_ANSWER)


def batch_refused() -> type[Exception]:
    """Return the SDK's error for a batch of which one operation was refused; it is no 4xx."""
    from azure.cosmos.exceptions import (  # noqa: PLC0415 - see the module's docstring
        CosmosBatchOperationError,
    )

    return CosmosBatchOperationError


def not_found() -> type[Exception]:
    """Return the SDK's error for a 404; ask `is_absent` what is missing."""
    from azure.core.exceptions import (  # noqa: PLC0415 - see the module's docstring
        ResourceNotFoundError,
    )

    return ResourceNotFoundError


def is_absent(fault: Exception) -> bool:
    """Say whether it is the item that is missing, and not its container or its replica."""
    return not getattr(fault, "sub_status", None)


def _refused(operation: str, status: int, fault: Exception, *, writes: bool) -> CellError:
    if status == 429:
        return Throttled(operation, retry_after_ms=_retry_after_ms(fault))
    if status == 449:  # Cosmos saw another writer on the same item and undid this one.
        return LostRace() if writes else Unavailable(operation)
    if status == 403 and getattr(fault, "sub_status", None) in _WRITE_REGION_MOVED:
        return Unavailable(operation)
    if status in {408, 410} or status >= 500:
        return _unanswered(operation, writes=writes)
    return BackendError()


def _unanswered(operation: str, *, writes: bool) -> CellError:
    return OutcomeUnknown(operation) if writes else Unavailable(operation)


def _retry_after_ms(fault: Exception) -> int:
    headers: Mapping[str, Any] = getattr(fault, "headers", None) or {}
    text = str(headers.get(_RETRY_AFTER_HEADER, ""))
    return min(int(text), _RETRY_AFTER_MS_MAX) if text.isdecimal() else 1000


def _broke_under_way(fault: BaseException) -> bool:
    """Say whether TLS failed other than over a certificate.

    azure-core calls every such failure "request not sent", but a record may also fail while the
    answer to a request that was sent is read.
    """
    seen: BaseException | None = fault
    for _ in range(10):  # The chain is requests, urllib3, ssl; a cycle must not hang a cell.
        if seen is None:
            return False
        if isinstance(seen, ssl.SSLError):
            return not isinstance(seen, ssl.SSLCertVerificationError)
        seen = seen.__cause__ or seen.__context__
    return False
