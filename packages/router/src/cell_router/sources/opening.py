"""Which source a URL means.

Refuses plain http outside the local world, and never repeats a URL: it may hold a password.
"""

from collections.abc import Mapping
from pathlib import Path
from urllib.parse import unquote, urlsplit

from cell_router.ports import RegistrySource
from cell_router.sources.file import FileSource
from cell_router.sources.http import HttpSource
from cell_router.sources.object_store import ObjectSource, open_bucket
from cell_router.sources.redis_source import RedisSource


def open_source(
    url: str,
    *,
    ca: Path | None = None,
    credential_file: Path | None = None,
    local: bool = False,
    options: Mapping[str, str] | None = None,
) -> RegistrySource:
    """Return the source at `url`; nothing is asked of it yet.

    Args:
        url: `file:///path`, `https://host/prefix`, `redis[s]://...`, `s3://bucket/key` or
            `az://container/key`.
        ca: Trust these certificates alone (https and rediss).
        credential_file: Holds a bearer token (https) or a password (redis, rediss).
        local: Plain http and plain redis are allowed.
        options: For an object store, see `open_bucket`.

    Raises:
        ValueError: No source can be made of it; the message says why, without the URL.
    """
    parts = urlsplit(url)
    if parts.scheme in ("http", "redis") and not local:
        raise ValueError("a registry source needs TLS outside the local world")
    match parts.scheme:
        case "file":
            return FileSource(file_path(url))
        case "https" | "http":
            if not parts.hostname or parts.username or parts.query or parts.fragment:
                raise ValueError("a registry URL is https://host[:port][/prefix] and no more")
            return HttpSource(url, ca=ca, credential_file=credential_file)
        case "redis" | "rediss":
            return RedisSource(url, ca=ca, credential_file=credential_file)
        case "s3" | "az":
            bucket, key = open_bucket(url, options or {})
            return ObjectSource(bucket, key)
        case _:
            raise ValueError("a registry source is file, https, redis, rediss, s3 or az")


def file_path(url: str) -> Path:
    """Return the path that a file URL names.

    Raises:
        ValueError: It is not absolute, or on another host.
    """
    parts = urlsplit(url)
    path = Path(unquote(parts.path))
    if parts.netloc or not path.is_absolute():
        raise ValueError("a file's URL is file:///absolute/path")
    return path
