"""What is read by its shape is read as the careful readers do, or not at all."""

import httptools
import pytest
from hypothesis import given
from hypothesis import strategies as st

from cell_router.limits import ANSWER_HELD_BYTES_MAX
from cell_router.messages import PASSED_TO_CLIENT
from cell_router.server.framing import RequestReader, RequestRefused
from cell_router.server.shapes import LEARN_AFTER, SHAPES_MAX, AnswerShapes, RequestShapes
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


def requests(*learned: bytes) -> RequestShapes:
    """Return shapes that know the usual request, and those of `learned`."""
    shapes = RequestShapes(BYTES_MAX)
    for data in (*learned, REQUEST):
        for _ in range(LEARN_AFTER):
            shapes.learn(data)
    return shapes


def answers(*learned: bytes) -> AnswerShapes:
    shapes = AnswerShapes()
    for data in (*learned, ANSWER):
        for _ in range(LEARN_AFTER):
            shapes.learn(data)
    return shapes


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
    read = requests().read(REQUEST)

    headers = {b"content-type": b"application/json", b"x-api-key": b"ck"}
    assert read == (b"POST", b"/process?a=b", headers, b"body")
    assert read == carefully(REQUEST)


def test_one_request_leaves_nothing_to_the_next():
    shapes = requests()
    other = b"GET / HTTP/1.1\r\nhost: h\r\nx-api-key: k\r\nx-request-id: r\r\n\r\n"
    for _ in range(LEARN_AFTER):
        shapes.learn(other)

    reads = [shapes.read(data) for data in (REQUEST, other, REQUEST)]

    assert reads[0] == reads[2]
    assert reads[1] == (b"GET", b"/", {b"x-api-key": b"k", b"x-request-id": b"r"}, b"")


@pytest.mark.parametrize("case", CASES, ids=[case.name for case in CASES])
def test_no_case_of_the_corpus_is_read_otherwise(case):
    data = b"".join(case.chunks)
    shapes = requests(data)

    read = shapes.read(data)

    assert read is None or read == carefully(data)
    assert shapes.read(REQUEST) is not None


def test_a_good_part_of_the_corpus_is_read_at_all():
    whole = [data for case in CASES if carefully(data := b"".join(case.chunks)) is not None]

    assert sum(requests(data).read(data) is not None for data in whole) > len(whole) / 3


def test_a_shape_is_learned_when_it_has_come_often():
    shapes = RequestShapes(BYTES_MAX)
    for _ in range(LEARN_AFTER - 1):
        shapes.learn(REQUEST)

    before = shapes.read(REQUEST)
    shapes.learn(REQUEST)

    assert before is None
    assert shapes.read(REQUEST) is not None


def test_values_may_differ_and_names_may_not():
    shapes = requests()

    assert shapes.read(REQUEST.replace(b"X-Api-Key: ck", b"X-Api-Key: another")) is not None
    assert shapes.read(REQUEST.replace(b"X-Api-Key", b"x-api-key")) is None
    assert shapes.read(REQUEST.replace(b"X-Api-Key: ck\r\n", b"")) is None


def test_the_shapes_are_bounded_and_the_longest_unused_goes():
    shapes = requests()
    for number in range(SHAPES_MAX):
        other = REQUEST.replace(b"Host", b"X-%d: y\r\nHost" % number)
        for _ in range(LEARN_AFTER):
            shapes.learn(other)

    assert shapes.read(REQUEST) is None


@pytest.mark.parametrize("cut", range(1, len(REQUEST)))
def test_a_part_of_a_request_is_left_to_the_careful_reader(cut: int):
    shapes = requests()

    assert shapes.read(REQUEST[:cut]) is None
    assert shapes.read(REQUEST[cut:]) is None
    assert shapes.read(REQUEST) is not None


def test_two_requests_at_once_are_left_to_the_careful_reader():
    shapes = requests()

    assert shapes.read(REQUEST + REQUEST) is None
    assert shapes.read(REQUEST + b"G") is None


@given(st.integers(0, len(REQUEST) - 1), st.integers(0, 255))
def test_a_changed_byte_is_read_alike(position: int, byte: int):
    data = bytearray(REQUEST)
    data[position] = byte

    read = requests().read(bytes(data))

    assert read is None or read == carefully(bytes(data))


def test_a_usual_answer_is_read():
    answer = answers().read(ANSWER)

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
        ANSWER.replace(b"4\r\n", b"%d\r\n" % (ANSWER_HELD_BYTES_MAX + 1))
        + b"x" * (ANSWER_HELD_BYTES_MAX - 3),
        b"",
        b"\r\n" + ANSWER,
    ],
)
def test_an_unusual_answer_is_left_to_the_careful_reader(data: bytes):
    shapes = answers(data)

    assert shapes.read(data) is None
    assert shapes.read(ANSWER) is not None


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

    read = answers().read(bytes(data))

    if read is not None:
        careful = _Careful()
        parser = httptools.HttpResponseParser(careful)
        parser.feed_data(bytes(data))
        names = [name for name, _ in careful.fields]
        assert len(set(names)) == len(names)
        assert (careful.ended, careful.body) == (1, read.body)
        assert parser.get_status_code() == read.status
        assert read.headers == {n: v for n, v in careful.fields if n in PASSED_TO_CLIENT}
