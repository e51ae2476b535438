"""The registry from Redis: a snapshot under one key, changes in one stream.

The id of a stream entry is `<rev>-0`, so a position in the feed is a rev and nothing else is kept.
An entry holds `rev` and, unless it only announces a snapshot, `batch`. An announcement, or a
snapshot that is ahead of a silent stream, ends in `SourceGone`. Refuses to write.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final
from urllib.parse import urlsplit

import redis
from redis.backoff import NoBackoff
from redis.credentials import CredentialProvider
from redis.exceptions import AuthenticationError, NoPermissionError, RedisError
from redis.retry import Retry

from cell_core.wire.registry_changes import BATCH_BYTES_MAX
from cell_core.wire.registry_seal import HEAD_PEEK_BYTES
from cell_core.wire.registry_snapshot import SNAPSHOT_BYTES_MAX
from cell_router.ports import SourceGone, SourceUnavailable
from cell_router.sources.credential import read_credential
from cell_router.sources.latest import claimed_rev

SNAPSHOT_KEY: Final = "cells:registry:snapshot"
CHANGES_KEY: Final = "cells:registry:changes"
CONNECT_S: Final = 2.0
WAIT_S_MAX: Final = 25.0
ANSWER_S: Final = 5.0


class RedisSource:
    """A `RegistrySource` over Redis; may be used by several threads."""

    def __init__(
        self, url: str, *, ca: Path | None = None, credential_file: Path | None = None
    ) -> None:
        """Connect nothing yet.

        Raises:
            ValueError: The URL is none of Redis's.
        """
        self._client: Any = connect(
            url, ca=ca, credential_file=credential_file, answer_s=WAIT_S_MAX + ANSWER_S
        )

    def snapshot(self, if_newer_than: int) -> bytes | None:
        """Return the snapshot, unless it says itself that it is not newer."""
        with _translated():
            head = self._client.getrange(SNAPSHOT_KEY, 0, HEAD_PEEK_BYTES - 1)
            if 0 <= claimed_rev(head) <= if_newer_than:
                return None
            size = self._client.strlen(SNAPSHOT_KEY)
            if size > SNAPSHOT_BYTES_MAX:
                raise SourceUnavailable("source_too_large")
            data = self._client.get(SNAPSHOT_KEY)
        if not data:
            raise SourceUnavailable("source_missing")
        return bytes(data)

    def changes(self, after: int, wait_s: float) -> bytes:
        """Return the first batch behind `after`, empty if none came within `wait_s`.

        Raises:
            SourceGone: There is a snapshot to take instead.
        """
        block_ms = max(1, round(min(wait_s, WAIT_S_MAX) * 1000))
        with _translated():
            found = self._client.xread({CHANGES_KEY: f"{after}-0"}, count=1, block=block_ms)
            if not found:
                head = self._client.getrange(SNAPSHOT_KEY, 0, HEAD_PEEK_BYTES - 1)
                if claimed_rev(head) > after:
                    raise SourceGone("snapshot_ahead")
                return b""
        return _batch_in(found)

    def find(self, tenant: str) -> None:  # noqa: ARG002 - the snapshot and the stream hold everyone
        """Return None: who is not in the snapshot or the stream is nowhere."""
        return


def connect(
    url: str, *, ca: Path | None, credential_file: Path | None, answer_s: float
) -> redis.Redis:
    """Return a client that connects when it is first used, and retries nothing.

    Raises:
        ValueError: The URL is none of Redis's.
    """
    parts = urlsplit(url)
    given: dict[str, Any] = {}
    if ca is not None and parts.scheme == "rediss":
        given["ssl_ca_certs"] = str(ca)
    if credential_file is not None:
        given["credential_provider"] = _FromFile(credential_file, parts.username or "")
        url = parts._replace(netloc=parts.netloc.rpartition("@")[2]).geturl()
    try:
        return redis.Redis.from_url(
            url,
            protocol=2,
            decode_responses=False,
            socket_connect_timeout=CONNECT_S,
            socket_timeout=answer_s,
            retry=Retry(NoBackoff(), 0),
            **given,
        )
    except ValueError:
        raise ValueError("not a Redis URL") from None  # Without the text: it may hold a password.


class _FromFile(CredentialProvider):
    """Reads the password at each connect."""

    def __init__(self, path: Path, username: str) -> None:
        self._path = path
        self._username = username

    def get_credentials(self) -> tuple[str] | tuple[str, str]:
        password = read_credential(self._path)
        return (self._username, password) if self._username else (password,)


def _batch_in(found: Any) -> bytes:  # noqa: ANN401 - the library types this loosely
    try:
        ((_stream, ((_id, fields),)),) = found
        batch = fields.get(b"batch", b"")
    except (ValueError, TypeError, AttributeError):
        raise SourceUnavailable("source_malformed") from None
    if not batch:
        raise SourceGone("snapshot_announced")
    if len(batch) > BATCH_BYTES_MAX:
        raise SourceUnavailable("source_too_large")
    return bytes(batch)


@contextmanager
def _translated() -> Iterator[None]:
    try:
        yield
    except (AuthenticationError, NoPermissionError):
        raise SourceUnavailable("source_denied") from None
    except RedisError:
        raise SourceUnavailable("source_unreachable") from None
