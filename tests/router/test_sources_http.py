"""The control plane over HTTP: bounded, never redirected, and every bad answer has a code."""

import socket
from pathlib import Path

import pytest

from cell_core.wire.registry_changes import BATCH_BYTES_MAX
from cell_router.ports import SourceGone, SourceUnavailable
from cell_router.sources.http import HttpSource
from cell_router.sources.latest import TRANSFER_S_MAX
from tests.core.registering import batch_bytes, moved, snapshot_bytes
from tests.router.sourcing import Answer, Asked, objecting, serving


def test_a_snapshot_is_read_once_and_then_asked_for_by_its_etag():
    with serving(objecting(snapshot_bytes(5), "a")) as server:
        source = HttpSource(server.url + "/registry/")

        assert source.snapshot(0) == snapshot_bytes(5)
        assert source.snapshot(5) is None

        assert [asked.path for asked in server.asked] == ["/registry/snapshot"] * 2
        assert "if-none-match" not in server.asked[0].headers
        assert server.asked[1].headers["if-none-match"] == '"a"'


def test_a_snapshot_that_was_not_taken_is_read_again():
    with serving(objecting(snapshot_bytes(5), "a")) as server:
        source = HttpSource(server.url)
        source.snapshot(0)

        assert source.snapshot(0) == snapshot_bytes(5)
        assert source.snapshot(-1) == snapshot_bytes(5)


def test_changes_are_asked_for_behind_a_rev():
    batch = batch_bytes(5, moved(6))
    with serving(lambda _: Answer(body=batch)) as server:
        assert HttpSource(server.url).changes(5, 2.5) == batch

        assert server.asked[0].path == "/changes?after=5&wait_s=2.5"


def test_a_feed_that_no_longer_reaches_back_says_so():
    with serving(lambda _: Answer(410)) as server, pytest.raises(SourceGone):
        HttpSource(server.url).changes(5, 1.0)


def test_one_tenant_is_found_or_not():
    batch = batch_bytes(5, moved(6, "T-9"))

    def answer(asked: Asked) -> Answer:
        return Answer(body=batch) if asked.path == "/tenants/T-9" else Answer(404)

    with serving(answer) as server:
        source = HttpSource(server.url)

        assert source.find("T-9") == batch
        assert source.find("T-8") is None


@pytest.mark.parametrize("tenant", ["", "../snapshot", "a/b", "a?b", "a b", "a\r\nb", "a" * 65])
def test_what_is_no_tenant_s_name_is_never_asked_for(tenant: str):
    with serving(lambda _: Answer(body=b"x")) as server:
        assert HttpSource(server.url).find(tenant) is None
        assert server.asked == []


@pytest.mark.parametrize(
    ("status", "code"),
    [
        (201, "source_status"),
        (302, "source_status"),
        (304, "source_status"),
        (401, "source_denied"),
        (403, "source_denied"),
        (404, "source_missing"),
        (429, "source_status"),
        (500, "source_status"),
    ],
)
def test_every_other_status_has_a_code_and_is_not_followed(status: int, code: str):
    headers = {"location": "http://127.0.0.1:1/elsewhere"}
    with serving(lambda _: Answer(status, b"", headers)) as server:
        with pytest.raises(SourceUnavailable, match=code):
            HttpSource(server.url).snapshot(0)

        assert len(server.asked) == 1


def test_a_credential_is_read_anew_for_each_request(tmp_path: Path):
    credential = tmp_path / "token"
    with serving(lambda _: Answer(body=b"x")) as server:
        source = HttpSource(server.url, credential_file=credential)
        for token in ("one", "two"):
            credential.write_text(token + "\n")
            source.changes(1, 0.1)

        sent = [asked.headers["authorization"] for asked in server.asked]
        assert sent == ["Bearer one", "Bearer two"]


@pytest.mark.parametrize("content", [None, b"", b"\n", b"\xff", b"two\nlines"])
def test_a_credential_that_cannot_be_one_is_not_sent(tmp_path: Path, content: bytes | None):
    credential = tmp_path / "token"
    if content is not None:
        credential.write_bytes(content)
    with serving(lambda _: Answer(body=b"x")) as server:
        source = HttpSource(server.url, credential_file=credential)

        with pytest.raises(SourceUnavailable, match="credential_unreadable"):
            source.changes(1, 0.1)

        assert server.asked == []


def test_a_body_beyond_its_bound_is_given_up():
    body = b"x" * (BATCH_BYTES_MAX + 1)
    with (
        serving(lambda _: Answer(body=body)) as server,
        pytest.raises(SourceUnavailable, match="source_too_large"),
    ):
        HttpSource(server.url).changes(5, 1.0)


def test_a_body_shorter_than_it_says_is_not_taken():
    with (
        serving(lambda _: Answer(body=b"half", length=8)) as server,
        pytest.raises(SourceUnavailable, match="source_unreachable"),
    ):
        HttpSource(server.url).snapshot(0)


def test_a_body_that_takes_too_long_is_given_up():
    clock = iter([0.0, TRANSFER_S_MAX + 1])
    with (
        serving(lambda _: Answer(body=b"slow")) as server,
        pytest.raises(SourceUnavailable, match="source_too_slow"),
    ):
        HttpSource(server.url, now_s=lambda: next(clock)).snapshot(0)


def test_nobody_listening_is_unavailable():
    with socket.create_server(("127.0.0.1", 0)) as held:
        port = held.getsockname()[1]
    source = HttpSource(f"http://127.0.0.1:{port}")

    for ask in (lambda: source.snapshot(0), lambda: source.changes(0, 1), lambda: source.find("T")):
        with pytest.raises(SourceUnavailable, match="source_unreachable"):
            ask()


def test_what_is_compressed_is_not_inflated():
    headers = {"content-encoding": "gzip"}
    with serving(lambda _: Answer(body=b"\x1f\x8b not gzip", headers=headers)) as server:
        assert HttpSource(server.url).changes(1, 0.1) == b"\x1f\x8b not gzip"

        assert server.asked[0].headers["accept-encoding"] == "identity"
