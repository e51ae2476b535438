"""What is read quickly is read alike: as the careful readers do, or not at all."""

import httptools
import pytest
from hypothesis import given
from hypothesis import strategies as st

from cell_router.limits import ANSWER_HELD_BYTES_MAX
from cell_router.messages import PASSED_TO_CLIENT
from cell_router.server.framing import RequestReader, RequestRefused
from cell_router.server.quick import QuickAnswers, QuickRequests
from tests.router.framing.corpus import CASES

BYTES_MAX = 65_536

REQUEST = (
    b"POST /process?a=b HTTP/1.1\r\nHost: edge\r\nContent-Type: application/json\r\n"
    b"X-Api-Key: ck\r\nContent-Length: 4\r\n\r\nbody"
)
ANSWER = (
    b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 4\r\n"
    b'ETag: "7"\r\nServer: x\r\nX-Tenant-Epoch: 17\r\n\r\nbody'
)


def carefully(data: bytes) -> tuple[bytes, bytes, dict[bytes, bytes], bytes] | None:
    """Return what the careful reader makes of `data` if that is one whole request."""
    reader = RequestReader(BYTES_MAX, lambda: "id-1")
    try:
        reader.feed(data)
    except RequestRefused:
        return None
    if len(reader.complete) != 1 or not reader.idle:
        return None
    [(request, keep_alive)] = reader.complete
    target = request.path + (b"?" + request.query if b"?" in data.split(b"\r\n")[0] else b"")
    return (request.method, target, request.headers, request.body) if keep_alive else None


def test_a_usual_request_is_read():
    read = QuickRequests(BYTES_MAX).read(REQUEST)

    headers = {b"content-type": b"application/json", b"x-api-key": b"ck"}
    assert read == (b"POST", b"/process?a=b", headers, b"body")
    assert read == carefully(REQUEST)


def test_one_request_leaves_nothing_to_the_next():
    quick = QuickRequests(BYTES_MAX)
    other = b"GET / HTTP/1.1\r\nhost: h\r\n\r\n"

    reads = [quick.read(data) for data in (REQUEST, other, REQUEST)]

    assert reads[0] == reads[2]
    assert reads[1] == (b"GET", b"/", {}, b"")


@pytest.mark.parametrize("case", CASES, ids=[case.name for case in CASES])
def test_no_case_of_the_corpus_is_read_otherwise(case):
    data = b"".join(case.chunks)
    quick = QuickRequests(BYTES_MAX)
    quick.read(REQUEST)

    read = quick.read(data)

    assert read is None or read == carefully(data)
    assert quick.read(REQUEST) is not None


@pytest.mark.parametrize("cut", range(1, len(REQUEST)))
def test_a_part_of_a_request_is_left_to_the_careful_reader(cut: int):
    quick = QuickRequests(BYTES_MAX)

    assert quick.read(REQUEST[:cut]) is None
    assert quick.read(REQUEST[cut:]) is None
    assert quick.read(REQUEST) is not None


def test_two_requests_at_once_are_left_to_the_careful_reader():
    quick = QuickRequests(BYTES_MAX)

    assert quick.read(REQUEST + REQUEST) is None
    assert quick.read(REQUEST + b"G") is None


@given(st.integers(0, len(REQUEST) - 1), st.integers(0, 255))
def test_a_changed_byte_is_read_alike(position: int, byte: int):
    data = bytearray(REQUEST)
    data[position] = byte

    read = QuickRequests(BYTES_MAX).read(bytes(data))

    assert read is None or read == carefully(bytes(data))


def test_a_usual_answer_is_read():
    answer = QuickAnswers().read(ANSWER)

    assert answer is not None
    assert (answer.status, answer.body) == (200, b"body")
    assert answer.lines == (
        b'content-type: application/json\r\netag: "7"\r\nx-tenant-epoch: 17\r\n'
    )
    assert dict(line.split(b": ") for line in answer.lines.split(b"\r\n") if line) == answer.headers


@pytest.mark.parametrize(
    "data",
    [
        ANSWER[:-1],
        ANSWER + b"x",
        ANSWER + ANSWER,
        ANSWER.replace(b"HTTP/1.1", b"HTTP/1.0"),
        ANSWER.replace(b"200", b"204"),
        ANSWER.replace(b"200", b"304"),
        ANSWER.replace(b"200", b"301"),
        ANSWER.replace(b"200", b"421"),
        ANSWER.replace(b"200", b"503"),
        ANSWER.replace(b"200", b"101"),
        ANSWER.replace(b"200", b"666"),
        ANSWER.replace(b"Server: x", b"Connection: close"),
        ANSWER.replace(b"Server: x", b"Content-Encoding: gzip"),
        ANSWER.replace(b"Server: x", b"Content-Length: 4"),
        ANSWER.replace(b"Server: x", b"ETAG: 9"),
        ANSWER.replace(b"Content-Length: 4", b"Transfer-Encoding: chunked"),
        ANSWER.replace(b"Content-Length: 4\r\n", b""),
        ANSWER.replace(b"4\r\n", b"%d\r\n" % ANSWER_HELD_BYTES_MAX)
        + b"x" * (ANSWER_HELD_BYTES_MAX - 4),
        b"",
        b"\r\n" + ANSWER,
    ],
)
def test_an_unusual_answer_is_left_to_the_careful_reader(data: bytes):
    quick = QuickAnswers()

    assert quick.read(data) is None
    assert quick.read(ANSWER) is not None


class _Careful:
    """What llhttp makes of an answer, field by field."""

    def __init__(self) -> None:
        self.fields: list[tuple[bytes, bytes]] = []
        self.body = b""
        self.ended = 0

    def on_header(self, name: bytes, value: bytes) -> None:
        self.fields.append((name.lower(), value))

    def on_body(self, body: bytes) -> None:
        self.body += body

    def on_message_complete(self) -> None:
        self.ended += 1


@given(st.integers(0, len(ANSWER) - 1), st.integers(0, 255))
def test_a_changed_byte_of_an_answer_is_read_alike(position: int, byte: int):
    data = bytearray(ANSWER)
    data[position] = byte

    read = QuickAnswers().read(bytes(data))

    if read is not None:
        careful = _Careful()
        parser = httptools.HttpResponseParser(careful)
        parser.feed_data(bytes(data))
        names = [name for name, _ in careful.fields]
        assert len(set(names)) == len(names)
        assert (careful.ended, careful.body) == (1, read.body)
        assert parser.get_status_code() == read.status
        assert read.headers == {n: v for n, v in careful.fields if n in PASSED_TO_CLIENT}
