"""A good read and a good command, and the ways to write them badly."""

from typing import Final

from tests.router.framing.case import Forwarded
from tests.router.framing.strict import Seen

CREDENTIAL: Final = b"ck_test_framing_0123456789abcdef"
"""The driver makes the edge accept it, for the tenant `T-a` alone."""

HOST: Final = b"Host: edge.test\r\n"
AUTHORIZATION: Final = b"Authorization: Bearer " + CREDENTIAL + b"\r\n"
JSON: Final = b"Content-Type: application/json\r\n"
TARGET: Final = "/v1/tenants/T-a/domains/records/streams/main"
SMUGGLED_TARGET: Final = "/v1/tenants/T-a/domains/records/streams/smuggled"
PATH: Final = TARGET.encode()
BODY: Final = (
    b'{"tenant_id":"T-a","domain":"records","stream":"main","command":"put",'
    b'"command_id":"c-1","data":{"id":"r","value":1}}'
)
N: Final = str(len(BODY)).encode()


def get(
    *fields: bytes,
    target: bytes = PATH,
    method: bytes = b"GET",
    version: bytes = b"HTTP/1.1",
    host: bytes = HOST,
    authorization: bytes = AUTHORIZATION,
) -> bytes:
    """Return a read; each of `fields` is a line without its end."""
    lines = b"".join(line + b"\r\n" for line in fields)
    return (
        method + b" " + target + b" " + version + b"\r\n" + host + authorization + lines + b"\r\n"
    )


def post(*fields: bytes, body: bytes = BODY, **line: bytes) -> bytes:
    """Return a command; its framing is among `fields`, line by line."""
    return get(JSON[:-2], *fields, **{"method": b"POST", "target": b"/process", **line}) + body


def sized(*fields: bytes, body: bytes = BODY, **line: bytes) -> bytes:
    """Return a command framed well, with further `fields`."""
    return post(b"Content-Length: %d" % len(body), *fields, body=body, **line)


def chunked(*fields: bytes, body: bytes) -> bytes:
    """Return a command whose body is already written in chunks."""
    return post(b"Transfer-Encoding: chunked", *fields, body=body)


def chunk(data: bytes) -> bytes:
    """Return `data` as one chunk."""
    return b"%x\r\n%b\r\n" % (len(data), data)


GOOD_CHUNKS: Final = chunk(BODY[:20]) + chunk(BODY[20:]) + b"0\r\n\r\n"
SMUGGLED: Final = get(target=SMUGGLED_TARGET.encode())

READ: Final = Seen("GET", TARGET)
COMMAND: Final = Seen("POST", "/process", BODY)
READ_ONCE: Final = Forwarded((READ,))
COMMAND_ONCE: Final = Forwarded((COMMAND,))
READ_AND_SECOND: Final = Forwarded((READ, Seen("GET", SMUGGLED_TARGET)))
"""Two requests where HTTP means two: the second is nobody's body."""

READ_THEN_NO: Final = (Forwarded((READ,), (400, 405, 501)), Forwarded((READ,), closes=True))
"""The first of two is good: it is answered, and the connection ends with or without a word."""
