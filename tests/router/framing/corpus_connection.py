"""Several requests on a connection, hop-by-hop fields, upgrades, expectations, early ends."""

from typing import Final

from tests.router.framing.case import Case, Forwarded, Silent, case, refused
from tests.router.framing.samples import (
    BODY,
    COMMAND,
    COMMAND_ONCE,
    GOOD_CHUNKS,
    READ,
    READ_AND_SECOND,
    READ_ONCE,
    READ_THEN_NO,
    SMUGGLED,
    SMUGGLED_TARGET,
    chunked,
    get,
    sized,
)
from tests.router.framing.strict import Seen

LARGE: Final = BODY[:-1] + b" " * 60000 + b"}"

_TEN: Final = Forwarded((READ,) * 10)
_FOUR: Final = Forwarded((COMMAND, READ, COMMAND, READ))

PIPELINES: Final[tuple[Case, ...]] = (
    case("two requests at once", get() + SMUGGLED, READ_AND_SECOND),
    case("ten requests at once", get() * 10, _TEN),
    case("reads and commands by turns", sized() + get() + chunked(body=GOOD_CHUNKS) + get(), _FOUR),
    case(
        "two requests, cut inside the second", (get() + SMUGGLED[:9], SMUGGLED[9:]), READ_AND_SECOND
    ),
    case("two requests, cut inside the first", (get()[:9], get()[9:] + SMUGGLED), READ_AND_SECOND),
    case(
        "an empty line between requests", get() + b"\r\n" + SMUGGLED, READ_AND_SECOND, *READ_THEN_NO
    ),
    case("a good request and garbage", get() + b"garbage\r\n\r\n", *READ_THEN_NO),
    case("a good request and, later, garbage", (get(), b"garbage\r\n\r\n"), *READ_THEN_NO),
    case(
        "a good request and one with two lengths",
        get() + sized(b"Content-Length: 0") + SMUGGLED,
        *READ_THEN_NO,
    ),
    case(
        "three good requests and a bad one",
        get() * 3 + get(b"X-A : 1"),
        Forwarded((READ,) * 3, (400,)),
        Forwarded((READ,) * 3, closes=True),
    ),
    case(
        "a large command and half of a next head",
        (sized(body=LARGE) + SMUGGLED[:40], SMUGGLED[40:]),
        Forwarded((Seen("POST", "/process", LARGE), Seen("GET", SMUGGLED_TARGET))),
    ),
    case("a bad request and a good one", get(b"X-A : 1") + SMUGGLED, refused(400)),
    case(
        "a body with a byte too many and a request",
        sized(body=BODY) + b"x" + SMUGGLED,
        Forwarded((COMMAND,), (400, 405, 501)),
        Forwarded((COMMAND,), closes=True),
    ),
    case(
        "a request behind Connection: close",
        get(b"Connection: close") + SMUGGLED,
        Forwarded((READ,), closes=True),
    ),
    case(
        "a command behind Connection: close",
        sized(b"Connection: close") + SMUGGLED,
        Forwarded((COMMAND,), closes=True),
    ),
    case(
        "a request behind Connection: CLOSE in a list",
        get(b"Connection: x-a, CLOSE") + SMUGGLED,
        Forwarded((READ,), closes=True),
    ),
    case(
        "a request and then an end announced",
        (get(), get(b"Connection: close")),
        Forwarded((READ,) * 2, closes=True),
    ),
)

_NAMED: Final = (
    b"close, X-A",
    b"X-A",
    b"Authorization",
    b"Content-Length",
    b"Content-Type",
    b"Host",
    b"X-Tenant-Id",
    b"X-Tenant-Epoch",
    b"X-Cell-Grant",
    b"X-Deadline-Ms",
    b"Idempotency-Key",
    b"Transfer-Encoding",
    b"Connection",
    b"keep-alive, keep-alive",
    b",,keep-alive,",
    b"",
)

NAMED: Final[tuple[Case, ...]] = tuple(
    case(
        f"Connection: {names.decode()}",
        sized(b"Connection: " + names, b"X-A: forged"),
        COMMAND_ONCE,
        refused(400),
    )
    for names in _NAMED
)

_HOPS: Final = (
    b"Keep-Alive: timeout=forged",
    b"Proxy-Connection: keep-alive",
    b"Proxy-Connection: close",
    b"Proxy-Authorization: Basic forged",
    b"Proxy-Authenticate: forged",
    b"TE: trailers",
    b"Trailer: forged",
    b"Connection: keep-alive\r\nConnection: X-A\r\nX-A: forged",
)

HOPS: Final[tuple[Case, ...]] = tuple(
    case(f"the field {line.decode()}", get(line), READ_ONCE, refused(400)) for line in _HOPS
)

_H2C: Final = (
    b"Connection: Upgrade, HTTP2-Settings",
    b"Upgrade: h2c",
    b"HTTP2-Settings: AAMAAABkAAQAAP__",
)
_SOCKET: Final = (
    b"Connection: Upgrade",
    b"Upgrade: websocket",
    b"Sec-WebSocket-Version: 13",
    b"Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==",
)
_NOT_UPGRADED: Final = (READ_ONCE, refused(400, 501))
_BOTH_OR_NONE: Final = (READ_AND_SECOND, refused(400, 501))

UPGRADES: Final[tuple[Case, ...]] = (
    case("an upgrade to h2c", get(*_H2C), *_NOT_UPGRADED),
    case(
        "an upgrade to h2c and bytes of HTTP/2",
        get(*_H2C) + b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
        *READ_THEN_NO,
        refused(400, 501),
    ),
    case("an upgrade to h2c and a request", get(*_H2C) + SMUGGLED, *_BOTH_OR_NONE),
    case("an upgrade to h2c that Connection does not name", get(b"Upgrade: h2c"), *_NOT_UPGRADED),
    case("an upgrade to h2c of a command", sized(*_H2C), COMMAND_ONCE, refused(400, 501)),
    case(
        "an upgrade to h2c of a command and a request", sized(*_H2C) + SMUGGLED, refused(400, 501)
    ),
    case("an upgrade to a websocket", get(*_SOCKET), *_NOT_UPGRADED),
    case("an upgrade to a websocket and a request", get(*_SOCKET) + SMUGGLED, *_BOTH_OR_NONE),
    case("an upgrade to TLS", get(b"Connection: upgrade", b"Upgrade: TLS/1.3"), *_NOT_UPGRADED),
    case("an upgrade to nothing", get(b"Connection: upgrade"), *_NOT_UPGRADED),
)

_EXPECTED_OTHER: Final = (
    b"200-ok",
    b"100-continue, 200-ok",
    b"100-continue; a=b",
    b"100",
    b"",
    b"100-continuex",
)

EXPECTATIONS: Final[tuple[Case, ...]] = (
    case("Expect: 100-continue", sized(b"Expect: 100-continue"), COMMAND_ONCE),
    case("Expect: 100-CONTINUE", sized(b"Expect: 100-CONTINUE"), COMMAND_ONCE),
    case("Expect: 100-continue for a read", get(b"Expect: 100-continue"), READ_ONCE),
    case(
        "Expect: 100-continue with chunks",
        chunked(b"Expect: 100-continue", body=GOOD_CHUNKS),
        COMMAND_ONCE,
    ),
    case("Expect: 100-continue twice", sized(*[b"Expect: 100-continue"] * 2), refused(400, 417)),
    case(
        "Expect: 100-continue and a body beyond the limit",
        sized(b"Expect: 100-continue", body=b" " * 65537),
        refused(413),
    ),
    *(
        case(f"Expect: {value.decode()}", sized(b"Expect: " + value), refused(417, 400))
        for value in _EXPECTED_OTHER
    ),
)

ENDS: Final[tuple[Case, ...]] = (
    *tuple(
        case(f"an end behind {name}", raw, Silent(), ends=True)
        for name, raw in {
            "nothing": b"",
            "one byte": b"G",
            "a method": b"GET",
            "half a target": b"GET /v1/ten",
            "the request line": get().partition(b"\r\n")[0] + b"\r\n",
            "half a head": get()[: len(get()) // 2],
            "all but a byte of a head": get()[:-1],
            "a head of a command": sized(body=BODY)[: -len(BODY)],
            "half a body": sized()[:-40],
            "all but a byte of a body": sized()[:-1],
            "half a chunk": chunked(body=GOOD_CHUNKS)[:-40],
            "all but a byte of the chunks": chunked(body=GOOD_CHUNKS)[:-1],
        }.items()
    ),
    case(
        "an end behind a request and a half",
        get() + SMUGGLED[:40],
        Forwarded((READ,)),
        Forwarded((READ,), (400,)),
        Silent(),
        ends=True,
    ),
)

CASES: Final = PIPELINES + NAMED + HOPS + UPGRADES + EXPECTATIONS + ENDS
