"""Whatever botocore raises, as exactly one error of the domain.

Refuses to pass on a vendor's text. Answers are not faults: a cancelled transaction is read by the
store, close to the call that it answers.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

from botocore.exceptions import (
    BotoCoreError,
    ChecksumError,
    ClientError,
    ConnectionError,  # noqa: A004 - botocore's name, and its tree is what is translated
    ConnectTimeoutError,
    EndpointConnectionError,
    FlexibleChecksumError,
    HTTPClientError,
    IncompleteReadError,
    ProxyConnectionError,
)
from botocore.parsers import ResponseParserError

from cell_core.domain.errors import (
    BackendError,
    CellError,
    LostRace,
    OutcomeUnknown,
    Throttled,
    Unavailable,
)

THROTTLED: Final = frozenset(
    {
        "LimitExceededException",  # Streams: too many readers of one shard.
        "ProvisionedThroughputExceeded",
        "ProvisionedThroughputExceededException",
        "RequestLimitExceeded",
        "RequestThrottled",
        "RequestThrottledException",
        "Throttling",
        "ThrottlingError",
        "ThrottlingException",
        "TooManyRequestsException",
    }
)
"""Codes of calls and of cancelled transactions with which DynamoDB asks for less."""

# This call wrote nothing, because another writer was or is at the same items.
#
# IdempotentParameterMismatchException: the token was used for another batch. Tokens are made from
# a position's content, so that batch was another writer's, and it may stand at our position.
_OTHER_WRITER: Final = frozenset(
    {
        "ConditionalCheckFailedException",
        "IdempotentParameterMismatchException",
        "ReplicatedWriteConflictException",
        "TransactionConflictException",
    }
)

# The same batch, with this token, is still under way from an earlier call whose answer was lost.
# It may yet be written, so this is no lost race; committing it again tells.
_UNDER_WAY: Final = "TransactionInProgressException"

# Raised before the first byte of a request is sent.
_NOT_SENT: Final = (ConnectTimeoutError, EndpointConnectionError, ProxyConnectionError)

# What botocore's parser, or a look into what it returned, comes to when the answer with status 200
# is not one of DynamoDB's.
_NOISE: Final = (AttributeError, KeyError, ResponseParserError, TypeError, ValueError)

# Raised when the request may have been sent in part or whole, and no whole answer came.
# ConnectionError stands for SSLError, which may also come while an answer is read.
_NO_ANSWER: Final = (
    ChecksumError,
    ConnectionError,
    FlexibleChecksumError,
    HTTPClientError,
    IncompleteReadError,
    *_NOISE,
)


@contextmanager
def translated(operation: str, *, writes: bool) -> Iterator[None]:
    """Raise an error of the domain for whatever botocore raises inside the block.

    Keep the block to the call and a look into its answer: a missing part of it is noise, too.
    Credentials, configuration and requests that DynamoDB calls invalid become a plain
    `BackendError`: nothing was written, and only an operator can help.

    Raises:
        BackendError, Throttled, Unavailable: Nothing was written.
        LostRace: Only if `writes`; nothing was written.
        OutcomeUnknown: Only if `writes`; it may have been written.
    """
    try:
        yield
    except ClientError as error:
        fault = _answered(error, operation, writes=writes)
        fault.reason = code_of(error)
        raise fault from error
    except (BotoCoreError, *_NOISE) as error:
        fault = _unanswered(error, operation, writes=writes)
        fault.reason = type(error).__name__
        raise fault from error


def code_of(error: ClientError) -> str:
    """Return DynamoDB's name for the error, for example `ThrottlingException`."""
    return error.response.get("Error", {}).get("Code", "")


def _answered(error: ClientError, operation: str, *, writes: bool) -> CellError:
    # 500 is what is assumed where no status is known: the answer that promises least.
    status = error.response.get("ResponseMetadata", {}).get("HTTPStatusCode", 500)
    code = code_of(error)
    if code in THROTTLED:
        return Throttled(operation)
    if code in _OTHER_WRITER:
        return LostRace() if writes else Unavailable(operation)
    if status >= 500 or code == _UNDER_WAY:
        return OutcomeUnknown(operation) if writes else Unavailable(operation)
    return BackendError()


def _unanswered(error: Exception, operation: str, *, writes: bool) -> CellError:
    if isinstance(error, _NOT_SENT):
        return Unavailable(operation)
    if isinstance(error, _NO_ANSWER):
        return OutcomeUnknown(operation) if writes else Unavailable(operation)
    return BackendError()
