"""Every exception of the vendor's lands on exactly one domain error."""

import ssl

import azure.cosmos
import azure.identity
import pytest
from azure.core.exceptions import (
    AzureError,
    ClientAuthenticationError,
    DecodeError,
    HttpResponseError,
    ServiceRequestError,
    ServiceRequestTimeoutError,
    ServiceResponseError,
    ServiceResponseTimeoutError,
)
from azure.cosmos.exceptions import (
    CosmosBatchOperationError,
    CosmosClientTimeoutError,
    CosmosHttpResponseError,
    CosmosResourceNotFoundError,
)

from cell_adapters_azure.errors import (
    batch_refused,
    domain_error,
    is_absent,
    not_found,
    translated,
)
from cell_core.domain.errors import (
    BackendError,
    LostRace,
    OutcomeUnknown,
    Throttled,
    Unavailable,
)

OUTCOMES = {BackendError, LostRace, OutcomeUnknown, Throttled, Unavailable}


def tree(root: type) -> list[type]:
    """Return `root` and all below it that the imported vendor packages define."""
    return [root, *(one for child in root.__subclasses__() for one in tree(child))]


def made(kind: type, status: int | None = None) -> Exception:
    """Return an exception of `kind` without running a constructor, whose arguments differ."""
    fault = kind.__new__(kind)
    fault.status_code = status
    return fault


def answered(status: int, **attributes: object) -> CosmosHttpResponseError:
    fault = CosmosHttpResponseError(status_code=status, message="secret text")
    fault.__dict__.update(attributes)
    return fault


@pytest.mark.parametrize("writes", [True, False], ids=["write", "read"])
@pytest.mark.parametrize("kind", tree(AzureError), ids=lambda kind: kind.__name__)
def test_each_error_of_the_vendor_lands_on_one_of_the_domain(kind: type, *, writes: bool):
    for status in (None, *range(100, 600)):
        with pytest.raises(Exception) as landed, translated("op", writes=writes):  # noqa: PT011 - the type is asserted
            raise made(kind, status)

        assert type(landed.value) in OUTCOMES


def test_the_tree_of_the_vendor_is_the_one_that_was_walked():
    names = {kind.__name__ for kind in tree(AzureError)}

    assert azure.cosmos.CosmosClient
    assert azure.identity.CredentialUnavailableError in tree(AzureError)
    assert {"CosmosBatchOperationError", "CosmosClientTimeoutError", "DecodeError"} <= names


@pytest.mark.parametrize(
    ("fault", "read", "write"),
    [
        (ServiceRequestError("refused"), Unavailable, Unavailable),
        (ServiceRequestTimeoutError("slow"), Unavailable, Unavailable),
        (ServiceResponseError("cut"), Unavailable, OutcomeUnknown),
        (ServiceResponseTimeoutError("slow"), Unavailable, OutcomeUnknown),
        (CosmosClientTimeoutError(), Unavailable, OutcomeUnknown),
        (DecodeError("truncated"), Unavailable, OutcomeUnknown),
        (HttpResponseError("a broken chunk"), Unavailable, OutcomeUnknown),
        (ClientAuthenticationError("no token"), BackendError, BackendError),
        (azure.identity.CredentialUnavailableError("none"), BackendError, BackendError),
        (answered(400), BackendError, BackendError),
        (answered(401), BackendError, BackendError),
        (answered(403), BackendError, BackendError),
        (answered(403, sub_status=3), Unavailable, Unavailable),
        (answered(404), BackendError, BackendError),
        (answered(404, sub_status=1003), BackendError, BackendError),
        (answered(408), Unavailable, OutcomeUnknown),
        (answered(410), Unavailable, OutcomeUnknown),
        (answered(412), BackendError, BackendError),
        (answered(413), BackendError, BackendError),
        (answered(429), Throttled, Throttled),
        (answered(449), Unavailable, LostRace),
        (answered(500), Unavailable, OutcomeUnknown),
        (answered(503), Unavailable, OutcomeUnknown),
        (KeyError("Documents"), Unavailable, OutcomeUnknown),
        (TypeError("NoneType"), Unavailable, OutcomeUnknown),
        (ValueError("zz"), Unavailable, OutcomeUnknown),
        (AttributeError("startswith"), Unavailable, OutcomeUnknown),
        (ConnectionError("reset"), Unavailable, OutcomeUnknown),
        (RuntimeError("mutated during iteration"), Unavailable, OutcomeUnknown),
    ],
    ids=repr,
)
def test_each_fault_says_what_may_be_done_now(fault: Exception, read: type, write: type):
    assert type(domain_error("op", fault, writes=False)) is read
    assert type(domain_error("op", fault, writes=True)) is write


def chain(*links: BaseException) -> ServiceRequestError:
    fault = ServiceRequestError("tls")
    above: BaseException = fault
    for link in links:
        above.__cause__ = link
        above = link
    return fault


def test_tls_that_breaks_may_have_broken_after_the_request():
    fault = chain(OSError("requests"), OSError("urllib3"), ssl.SSLEOFError("EOF"))

    assert type(domain_error("op", fault, writes=True)) is OutcomeUnknown
    assert type(domain_error("op", fault, writes=False)) is Unavailable


def test_a_certificate_that_is_refused_stops_before_the_request():
    fault = chain(OSError("requests"), ssl.SSLCertVerificationError("expired"))

    assert type(domain_error("op", fault, writes=True)) is Unavailable


def test_a_chain_of_causes_without_end_is_not_followed_for_ever():
    fault = ServiceRequestError("loop")
    fault.__cause__ = fault

    assert type(domain_error("op", fault, writes=True)) is Unavailable


@pytest.mark.parametrize(
    ("headers", "retry_after_ms"),
    [
        ({"x-ms-retry-after-ms": "37"}, 37),
        ({"x-ms-retry-after-ms": "99999999"}, 60_000),
        ({"x-ms-retry-after-ms": "soon"}, 1000),
        ({}, 1000),
        (None, 1000),
    ],
)
def test_a_throttled_caller_is_told_when_to_come_back(headers, retry_after_ms):
    error = domain_error("op", answered(429, headers=headers), writes=True)

    assert error.retry_after_ms == retry_after_ms


def test_the_domain_s_own_errors_pass_unchanged():
    with pytest.raises(LostRace), translated("op", writes=True):
        raise LostRace


def test_what_is_no_fault_of_a_vendor_s_is_not_hidden():
    with pytest.raises(ZeroDivisionError), translated("op", writes=True):
        _ = 1 // 0


def test_no_text_of_the_vendor_s_is_in_the_message():
    assert "secret" not in str(domain_error("op", answered(500), writes=True))


def test_the_vendor_s_classes_are_the_ones_meant():
    assert batch_refused() is CosmosBatchOperationError
    assert issubclass(CosmosResourceNotFoundError, not_found())


@pytest.mark.parametrize(("sub_status", "absent"), [(None, True), (0, True), (1003, False)])
def test_a_missing_container_is_no_missing_item(sub_status, absent):
    assert is_absent(answered(404, sub_status=sub_status)) is absent
