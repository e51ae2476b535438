"""Whatever botocore can raise lands on exactly one error of the domain, and says no more."""

import inspect
import string

import botocore.exceptions
import botocore.parsers
import botocore.session
import pytest
from botocore.exceptions import BotoCoreError, ClientError

from cell_adapters_aws.errors import THROTTLED, translated
from cell_core.domain.errors import (
    BackendError,
    CellError,
    LostRace,
    OutcomeUnknown,
    Throttled,
    Unavailable,
)

_SECRET = "AKIAVENDORTEXT"
_NOT_SENT = {"ConnectTimeoutError", "EndpointConnectionError", "ProxyConnectionError"}
_NO_ANSWER = {
    "AwsChunkedWrapperError": False,
    "ChecksumError": True,
    "ConnectionClosedError": True,
    "ConnectionError": True,
    "FlexibleChecksumError": True,
    "HTTPClientError": True,
    "IncompleteReadError": True,
    "NoCredentialsError": False,
    "NoRegionError": False,
    "ParamValidationError": False,
    "ReadTimeoutError": True,
    "ResponseStreamingError": True,
    "SSLError": True,
}


def tree(root: type[Exception]) -> list[type[Exception]]:
    """Return `root` and all that derives from it, as loaded now."""
    found = {root: None}
    for child in root.__subclasses__():
        found |= dict.fromkeys(tree(child))
    return list(found)


def made(kind: type[Exception]) -> Exception:
    """Return an instance of `kind`, with a secret in each place its text has."""
    names = [name for _, name, _, _ in string.Formatter().parse(getattr(kind, "fmt", "")) if name]
    parameters = inspect.signature(kind.__init__).parameters
    named = [
        name
        for name, parameter in parameters.items()
        if parameter.kind in (parameter.KEYWORD_ONLY, parameter.POSITIONAL_OR_KEYWORD)
        and name != "self"
    ]
    return kind(**dict.fromkeys([*names, *named], _SECRET))


def answer(code: str, status: int | None) -> ClientError:
    metadata = {} if status is None else {"ResponseMetadata": {"HTTPStatusCode": status}}
    return ClientError({"Error": {"Code": code, "Message": _SECRET}, **metadata}, "Operation")


def outcome(error: Exception, *, writes: bool) -> CellError:
    with pytest.raises(CellError) as raised, translated("commit", writes=writes):
        raise error
    return raised.value


def service_codes(service: str) -> list[str]:
    session = botocore.session.Session()
    model = session.get_service_model(service)
    return sorted(shape.error_code for shape in model.error_shapes)


_KINDS = [kind for kind in tree(BotoCoreError) if kind.__module__.startswith("botocore.")]
_CODES = sorted({*service_codes("dynamodb"), *service_codes("dynamodbstreams")})


def test_the_whole_tree_is_walked():
    assert len(_KINDS) > 90
    assert "TransactionCanceledException" in _CODES
    assert "TrimmedDataAccessException" in _CODES


@pytest.mark.parametrize("kind", _KINDS, ids=lambda kind: kind.__name__)
def test_a_read_that_fails_has_written_nothing(kind):
    error = outcome(made(kind), writes=False)

    assert type(error) in (BackendError, Unavailable)


@pytest.mark.parametrize("kind", _KINDS, ids=lambda kind: kind.__name__)
def test_a_write_that_fails_says_whether_it_may_be_written_and_no_vendor_s_text(kind):
    error = outcome(made(kind), writes=True)

    assert type(error) in (BackendError, Unavailable, OutcomeUnknown)
    assert (type(error) is Unavailable) == (kind.__name__ in _NOT_SENT)
    assert _SECRET not in f"{error} {error.args} {error.fields}"


@pytest.mark.parametrize(("name", "may_be_written"), list(_NO_ANSWER.items()))
def test_only_what_may_have_been_sent_is_unknown(name, may_be_written):
    error = outcome(made(getattr(botocore.exceptions, name)), writes=True)

    assert (type(error) is OutcomeUnknown) == may_be_written


@pytest.mark.parametrize("status", [400, 500])
@pytest.mark.parametrize("code", [*_CODES, "AccessDeniedException", "ValidationException", "New"])
def test_every_code_of_the_service_becomes_one_error(code, status):
    write = outcome(answer(code, status), writes=True)
    read = outcome(answer(code, status), writes=False)

    assert type(write) in (BackendError, Throttled, LostRace, OutcomeUnknown)
    assert type(read) in (BackendError, Throttled, Unavailable)
    assert _SECRET not in f"{write} {read}"


@pytest.mark.parametrize(
    ("code", "status", "error"),
    [
        ("InternalServerError", 500, OutcomeUnknown),
        ("ServiceUnavailable", 503, OutcomeUnknown),
        ("Anything", 502, OutcomeUnknown),
        ("Anything", None, OutcomeUnknown),
        ("TransactionInProgressException", 400, OutcomeUnknown),
        ("TransactionConflictException", 400, LostRace),
        ("IdempotentParameterMismatchException", 400, LostRace),
        ("ResourceNotFoundException", 400, BackendError),
        ("AccessDeniedException", 400, BackendError),
        ("ExpiredTokenException", 400, BackendError),
        ("UnrecognizedClientException", 400, BackendError),
        ("ValidationException", 400, BackendError),
    ],
)
def test_what_a_code_means_for_a_write(code, status, error):
    assert type(outcome(answer(code, status), writes=True)) is error


@pytest.mark.parametrize("code", sorted(THROTTLED))
def test_a_throttled_call_has_written_nothing(code):
    assert type(outcome(answer(code, 400), writes=True)) is Throttled
    assert type(outcome(answer(code, 400), writes=False)) is Throttled


@pytest.mark.parametrize(
    "noise",
    [
        botocore.parsers.ResponseParserError(_SECRET),
        UnicodeDecodeError("utf-8", b"\xff", 0, 1, _SECRET),
        KeyError("Responses"),
        AttributeError("'list' object has no attribute 'get'"),
    ],
    ids=lambda noise: type(noise).__name__,
)
def test_an_answer_that_is_noise_is_no_answer(noise):
    assert type(outcome(noise, writes=True)) is OutcomeUnknown
    assert type(outcome(noise, writes=False)) is Unavailable


@pytest.mark.parametrize("error", [LostRace(), Throttled("commit")])
def test_an_error_of_the_domain_passes_as_it_is(error):
    assert outcome(error, writes=True) is error


def test_what_botocore_raised_can_still_be_found_by_a_debugger():
    cause = answer("AccessDeniedException", 400)

    assert outcome(cause, writes=True).__cause__ is cause
