"""Fields that only the edge may write, and fields that must be single."""

from typing import Final

from tests.router.framing.case import Case, answered, case, refused
from tests.router.framing.samples import (
    AUTHORIZATION,
    BODY,
    COMMAND_ONCE,
    CREDENTIAL,
    READ_ONCE,
    get,
    sized,
)

_FORGED: Final = (
    b"X-Tenant-Epoch: forged",
    b"X-Tenant-Seq: forged",
    b"X-Tenant-Chain: forged",
    b"X-Tenant-Anything: forged",
    b"x-tenant-EPOCH: forged",
    b"X-Tenant_Epoch: forged",
    b"X_Tenant_Epoch: forged",
    b"X-Cell: forged",
    b"X-Cell-Grant: forged",
    b"X-CELL-GRANT: forged",
    b"X-Cell-Anything: forged",
    b"X_Cell_Grant: forged",
    b"X-Multicloud-Region: forged",
    b"X-Multicloud-Anything: forged",
    b"X-Processed-By-Cloud: forged",
    b"Forwarded: for=forged",
    b"X-Forwarded-For: forged",
    b"X-Forwarded-Host: forged",
    b"X-Forwarded-Proto: forged",
    b"X-Forwarded-Anything: forged",
    b"X-Real-Ip: forged",
    b"X-Original-Url: /forged",
    b"X-Rewrite-Url: /forged",
    b"X-HTTP-Method-Override: FORGED-forged",
    b"X-Ms-Client-Principal: forged",
    b"X-Amz-Security-Token: forged",
    b"Cookie: forged=1",
)

FORGED: Final[tuple[Case, ...]] = tuple(
    case(f"the forged field {line.decode()}", sized(line), COMMAND_ONCE, refused(400))
    for line in _FORGED
)

_SINGLE: Final = (
    b"Content-Type: application/json",
    b"Idempotency-Key: c-1",
    b"X-Tenant-Id: T-a",
    b'If-Match: "1"',
    b"X-Deadline-Ms: 1000",
    b"X-Request-Id: r-1",
    b"Traceparent: 00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01",
)

TWICE: Final[tuple[Case, ...]] = (
    *(
        case(f"twice {line.decode()}", get(line, line), refused(400), READ_ONCE)
        if line.startswith((b"X-Request", b"Trace", b"X-Deadline"))
        else case(f"twice {line.decode()}", get(line, line), refused(400))
        for line in _SINGLE
    ),
    case("twice Authorization", get(AUTHORIZATION[:-2]), refused(400)),
    case("Authorization of two kinds", get(b"Authorization: Basic Zm9yZ2Vk"), refused(400)),
    case(
        "two Authorizations, the good one last",
        get(AUTHORIZATION[:-2], authorization=b"Authorization: Bearer forged\r\n"),
        refused(400),
    ),
    case(
        "Authorization and an API key",
        get(b"X-Api-Key: " + CREDENTIAL),
        refused(400),
        answered(400, 401),
        READ_ONCE,
    ),
    case(
        "twice X-Api-Key", get(*[b"X-Api-Key: " + CREDENTIAL] * 2, authorization=b""), refused(400)
    ),
    case("two types of content", sized(b"Content-Type: text/plain"), refused(400)),
    case(
        "two keys of idempotency",
        sized(b"Idempotency-Key: c-1", b"Idempotency-Key: c-2"),
        refused(400),
    ),
    case("two tenants", get(b"X-Tenant-Id: T-a", b"X-Tenant-Id: T-b"), refused(400)),
    case("two tenants in two cases", get(b"X-Tenant-Id: T-a", b"x-tenant-id: T-b"), refused(400)),
)

TENANTS: Final[tuple[Case, ...]] = (
    case("the tenant of the credential", get(b"X-Tenant-Id: T-a"), READ_ONCE),
    case("another tenant", get(b"X-Tenant-Id: T-b"), answered(403)),
    case(
        "two tenants with a comma", get(b"X-Tenant-Id: T-a, T-b"), answered(400, 403), refused(400)
    ),
    case("a tenant in an underscored name", get(b"X_Tenant_Id: forged"), READ_ONCE, refused(400)),
    case("an empty tenant", get(b"X-Tenant-Id:"), answered(400, 403), refused(400), READ_ONCE),
    case(
        "a tenant that is no identifier",
        get(b"X-Tenant-Id: T-a/../T-b"),
        answered(400, 403),
        refused(400),
    ),
    case("a tenant behind a NUL", get(b"X-Tenant-Id: T-a\x00T-b"), refused(400)),
    case(
        "another tenant in the body",
        sized(body=b'{"tenant_id":"T-b","command_id":"c"}'),
        answered(403),
    ),
    case(
        "two tenants in the body",
        sized(body=b'{"tenant_id":"T-a","tenant_id":"T-b"}'),
        answered(400),
    ),
    case(
        "twice the tenant in the body",
        sized(body=b'{"tenant_id":"T-a","tenant_id":"T-a"}'),
        answered(400),
    ),
    case(
        "a tenant in the body in an escaped name",
        sized(body=b'{"tenant_id":"T-a","tenant\\u005fid":"T-b"}'),
        answered(400),
    ),
    case("no credential", get(authorization=b""), answered(401)),
    case(
        "an empty credential", get(authorization=b"Authorization:\r\n"), answered(401), refused(400)
    ),
    case(
        "a credential with a comma",
        get(authorization=AUTHORIZATION[:-2] + b", Bearer forged\r\n"),
        answered(400, 401),
        refused(400),
    ),
)

_PASSED: Final = (
    b"Traceparent: 00-\xe9",
    b"Traceparent: a\tb",
    b"Tracestate: a=\xff",
    b"Tracestate: " + b"a" * 15000,
    b'If-Match: "\xc3\xa9"',
    b"Idempotency-Key: \xe9",
    b"Idempotency-Key: c-1, c-2",
    b"X-Request-Id: \xe9",
    b"X-Request-Id: a b",
    b"X-Request-Id: " + b"a" * 1000,
    b"X-Request-Id: forged forged",
    b"X-Deadline-Ms: \xb2",
    b"X-Deadline-Ms: -1",
    b"X-Deadline-Ms: 1e3",
    b"X-Deadline-Ms: 99999999999999999999",
    b"X-Route-Explain: forged",
)

PASSED: Final[tuple[Case, ...]] = (
    *tuple(
        case(
            f"the field {line[:40].decode('latin-1')!r}",
            get(line),
            READ_ONCE,
            answered(400),
            refused(400),
        )
        for line in _PASSED
    ),
    case(
        "a type of content with bytes above ASCII",
        sized(authorization=AUTHORIZATION + b"Content-Type: application/json;\xe9\r\n"),
        refused(400),
    ),
    case(
        "a type of content with a parameter",
        get(
            b"Content-Type: application/json; a=\xe9",
            b"Content-Length: %d" % len(BODY),
            method=b"POST",
            target=b"/process",
        )
        + BODY,
        COMMAND_ONCE,
        answered(400, 415),
        refused(400),
    ),
    case(
        "a type of content that is not JSON",
        get(
            b"Content-Type: text/plain",
            b"Content-Length: %d" % len(BODY),
            method=b"POST",
            target=b"/process",
        )
        + BODY,
        answered(415),
    ),
    case(
        "no type of content",
        get(b"Content-Length: %d" % len(BODY), method=b"POST", target=b"/process") + BODY,
        answered(415),
    ),
)

CASES: Final = FORGED + TWICE + TENANTS + PASSED
