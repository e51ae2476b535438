"""A set is fetched from exactly where the configuration says, or not at all."""

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path

import pytest

from cell_router.auth.key_fetch import FileKeys, HttpKeys, KeysUnavailable

Answer = Callable[[BaseHTTPRequestHandler], None]


@contextmanager
def serving(answer: Answer) -> Iterator[tuple[str, list[str]]]:
    """Serve on loopback; yield the address and the paths asked for."""
    asked: list[str] = []

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            asked.append(self.path)
            answer(self)

        def log_message(self, *_: object) -> None:
            """Say nothing."""

    server = HTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, args=(0.01,))
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}", asked
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def answering(status: int, body: bytes, **headers: str) -> Answer:
    def answer(handler: BaseHTTPRequestHandler) -> None:
        handler.send_response(status)
        for name, value in {"content_length": str(len(body)), **headers}.items():
            handler.send_header(name.replace("_", "-"), value)
        handler.end_headers()
        handler.wfile.write(body)

    return answer


def fetched(answer: Answer, **options: object) -> tuple[bytes | str, list[str]]:
    """Return the body or the word for what went wrong, and what was asked for."""
    with serving(answer) as (base, asked):
        try:
            return HttpKeys(f"{base}/keys?a=1", local=True, **options).fetch(), asked
        except KeysUnavailable as problem:
            return str(problem), asked


def test_the_body_of_a_200_is_returned_as_it_is():
    assert fetched(answering(200, b'{"keys": []}')) == (b'{"keys": []}', ["/keys?a=1"])


@pytest.mark.parametrize("status", [201, 204, 301, 302, 304, 307, 308, 401, 404, 429, 500, 503])
def test_any_other_status_is_none_and_a_redirect_is_not_followed(status: int):
    said, asked = fetched(answering(status, b"", location="/elsewhere"))

    assert (said, asked) == (f"status_{status}", ["/keys?a=1"])


def test_a_body_that_is_too_long_is_read_no_further_than_one_byte_beyond():
    assert len(fetched(answering(200, b"x" * 65_536))[0]) == 65_536
    assert len(fetched(answering(200, b"x" * 1_000_000))[0]) == 65_537


def test_a_compressed_body_is_not_taken():
    assert fetched(answering(200, b"x", content_encoding="gzip"))[0] == "compressed"


def test_a_body_that_is_cut_off_is_none():
    assert fetched(answering(200, b"{}", content_length="100"))[0] == "cut_off"


def test_an_issuer_that_hangs_up_is_asked_once():
    assert fetched(lambda _: None) == ("unreachable", ["/keys?a=1"])


def test_a_body_that_takes_longer_than_five_seconds_is_none():
    times = iter([0.0, 5.0])

    said, _ = fetched(answering(200, b"x" * 100), monotonic=lambda: next(times))

    assert said == "too_slow"


def test_an_issuer_that_is_not_there_is_unreachable():
    with serving(answering(200, b"")) as (base, _):
        pass

    with pytest.raises(KeysUnavailable, match=r"^unreachable$"):
        HttpKeys(base, local=True).fetch()


def test_a_proxy_named_in_the_environment_is_not_used(monkeypatch: pytest.MonkeyPatch):
    for name in ("http_proxy", "HTTP_PROXY", "ALL_PROXY"):
        monkeypatch.setenv(name, "http://127.0.0.1:9")

    assert fetched(answering(200, b"{}"))[0] == b"{}"


@pytest.mark.parametrize(
    "url",
    [
        "",
        "idp.example/keys",
        "http://idp.example/keys",
        "ftp://idp.example/keys",
        "file:///etc/passwd",
        "https:///keys",
        "https://user:secret@idp.example/keys",
        "https://idp.example/keys#x",
    ],
)
def test_an_address_that_is_not_https_to_a_host_is_refused_at_the_start(url: str):
    with pytest.raises(ValueError, match="jwks_url") as error:
        HttpKeys(url)

    assert "secret" not in str(error.value)


def test_plain_http_is_for_the_local_world():
    HttpKeys("http://127.0.0.1/keys", local=True)

    with pytest.raises(ValueError, match="https"):
        HttpKeys("http://127.0.0.1/keys")


def test_a_file_is_read_anew_each_time_and_no_further_than_the_limit(tmp_path: Path):
    path = tmp_path / "jwks.json"
    path.write_bytes(b"one")
    keys = FileKeys(path)

    assert keys.fetch() == b"one"
    path.write_bytes(b"x" * 100_000)
    assert len(keys.fetch()) == 65_537
    path.unlink()
    with pytest.raises(KeysUnavailable, match=r"^unreadable$"):
        keys.fetch()
