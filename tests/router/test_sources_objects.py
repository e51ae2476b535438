"""The registry from S3 and from Azure Blob, through the client that production uses."""

import base64
import socket
from collections.abc import Callable, Iterator

import pytest

from cell_router.ports import RegistrySource, SourceUnavailable
from cell_router.registry_publish import publish
from cell_router.sources.object_store import open_bucket
from cell_router.sources.opening import open_source
from tests.core.registering import snapshot_bytes
from tests.router.sourcing import Answer, Asked, Server, objecting, serving

KEY = base64.b64encode(b"a key that only this test knows").decode()


def _options(kind: str, url: str) -> dict[str, str]:
    options = {"endpoint": url, "allow_http": "true"}
    if kind == "s3":
        secret = {"access_key_id": "id", "secret_access_key": "secret"}
        return {**options, **secret, "region": "eu-central-1"}
    return {**options, "account_name": "local", "account_key": KEY}


def _source(kind: str, url: str) -> RegistrySource:
    return open_source(f"{kind}://registry/path/snapshot", options=_options(kind, url))


@pytest.fixture(params=["s3", "az"])
def kind(request: pytest.FixtureRequest) -> str:
    return str(request.param)


Serve = Callable[[Callable[[Asked], Answer]], Server]


@pytest.fixture
def serve() -> Iterator[Serve]:
    opened = []

    def start(answer: Callable[[Asked], Answer]) -> Server:
        context = serving(answer)
        opened.append(context)
        return context.__enter__()

    yield start
    for context in opened:
        context.__exit__(None, None, None)


def test_an_object_is_read_once_and_then_asked_for_by_its_etag(kind: str, serve: Serve):
    server = serve(objecting(snapshot_bytes(5), "a"))
    source = _source(kind, server.url)

    assert source.snapshot(0) == snapshot_bytes(5)
    assert source.snapshot(5) is None

    assert all(asked.path.endswith("/registry/path/snapshot") for asked in server.asked)
    assert [asked.headers.get("if-none-match") for asked in server.asked] == [None, '"a"']
    assert "authorization" in server.asked[0].headers


def test_another_object_is_returned_and_so_is_one_that_was_not_taken(kind: str, serve: Serve):
    current = [objecting(snapshot_bytes(5), "a")]

    def answer(asked: Asked) -> Answer:
        return current[-1](asked)

    server = serve(answer)
    source = _source(kind, server.url)
    source.snapshot(0)

    assert source.snapshot(4) == snapshot_bytes(5)
    current.append(objecting(snapshot_bytes(6), "b"))

    assert source.snapshot(5) == snapshot_bytes(6)


@pytest.mark.parametrize(
    ("status", "code"),
    [(404, "source_missing"), (403, "source_denied"), (401, "source_denied"),
     (500, "source_unreachable"), (503, "source_unreachable")],
)  # fmt: skip
def test_a_refusal_has_a_code_and_is_not_retried(kind: str, serve: Serve, status: int, code: str):
    server = serve(lambda _: Answer(status))

    with pytest.raises(SourceUnavailable, match=code):
        _source(kind, server.url).snapshot(0)

    assert len(server.asked) == 1


def test_a_body_shorter_than_it_says_is_not_taken(kind: str, serve: Serve):
    good = objecting(b"half", "a")

    def answer(asked: Asked) -> Answer:
        given = good(asked)
        given.length = 8
        return given

    with pytest.raises(SourceUnavailable, match="source_unreachable"):
        _source(kind, serve(answer).url).snapshot(0)


def test_nobody_listening_is_unavailable(kind: str):
    with socket.create_server(("127.0.0.1", 0)) as held:
        port = held.getsockname()[1]

    with pytest.raises(SourceUnavailable, match="source_unreachable"):
        _source(kind, f"http://127.0.0.1:{port}").snapshot(0)


def test_an_object_has_no_feed_and_knows_nobody_else(kind: str):
    source = _source(kind, "http://127.0.0.1:1")

    assert source.changes(5, 1.0) is None
    assert source.find("T-9") is None


@pytest.mark.parametrize("url", ["s3://bucket", "s3:///key", "az://container/", "gs://bucket/key"])
def test_an_object_s_url_names_a_bucket_and_a_key(url: str):
    with pytest.raises(ValueError, match="s3://bucket/key"):
        open_bucket(url, {})


def test_an_option_that_the_store_does_not_know_is_refused_without_its_value():
    with pytest.raises(ValueError, match="option") as refused:
        open_bucket("s3://bucket/key", {"colour": "secret-red"})

    assert "secret-red" not in str(refused.value)


def test_a_snapshot_is_published_with_one_request(kind: str, serve: Serve):
    headers = {"etag": '"a"', "last-modified": "Tue, 14 Nov 2023 22:13:20 GMT"}
    server = serve(lambda asked: Answer(200 if kind == "s3" else 201, b"", headers))
    scheme, options = kind, _options(kind, server.url)

    publish(
        f"{scheme}://registry/path/snapshot",
        snapshot_bytes(5),
        5,
        ca=None,
        credential_file=None,
        options=options,
    )

    (asked,) = server.asked
    assert (asked.method, asked.body) == ("PUT", snapshot_bytes(5))
    assert asked.path.endswith("/registry/path/snapshot")
