"""A URL means one source, or is refused without being repeated."""

from pathlib import Path

import pytest

from cell_router.sources.file import FileSource
from cell_router.sources.http import HttpSource
from cell_router.sources.object_store import ObjectSource
from cell_router.sources.opening import open_source
from cell_router.sources.redis_source import RedisSource


@pytest.mark.parametrize(
    ("url", "kind"),
    [
        ("file:///var/lib/registry.snapshot", FileSource),
        ("https://control.example/registry", HttpSource),
        ("rediss://cache.example:6380/0", RedisSource),
        ("s3://bucket/registry", ObjectSource),
    ],
)
def test_a_scheme_names_a_kind(url: str, kind: type):
    assert isinstance(open_source(url), kind)


@pytest.mark.parametrize("url", ["http://127.0.0.1:9/registry", "redis://127.0.0.1:9/0"])
def test_what_is_plain_is_for_the_local_world(url: str):
    assert open_source(url, local=True)

    with pytest.raises(ValueError, match="TLS"):
        open_source(url)


@pytest.mark.parametrize(
    "url",
    [
        "",
        "registry.snapshot",
        "file:relative",
        "file://host/path",
        "ftp://secret@host/",
        "https://",
        "https://secret@host/",
        "https://host/?token=secret",
        "https://host/#secret",
        "s3://bucket",
    ],
)
def test_what_is_no_source_is_refused_and_no_secret_repeated(url: str):
    with pytest.raises(ValueError, match=r".") as refused:
        open_source(url)

    assert "secret" not in str(refused.value)


def test_a_path_in_a_file_s_url_is_unquoted(tmp_path: Path):
    path = tmp_path / "with space"
    path.write_bytes(b"x")

    assert open_source(path.as_uri()).snapshot(0) == b"x"
