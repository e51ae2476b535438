"""The registry in Redis: a snapshot under one key, changes in one stream.

The id of a stream entry is `<rev>-0`, so that Redis itself refuses to go back. An entry holds `rev`
and, unless it only announces a snapshot, `batch`.
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final
from urllib.parse import urlsplit

import redis
from redis.backoff import NoBackoff
from redis.credentials import CredentialProvider
from redis.exceptions import (
    AuthenticationError,
    NoPermissionError,
    RedisError,
    ResponseError,
    WatchError,
)
from redis.retry import Retry

from cell_control.adapters.targets.claimed import BEGINNING_BYTES, claimed_rev
from cell_control.errors import Unavailable
from cell_core.wire.registry_changes import Batch

SNAPSHOT_KEY: Final = "cells:registry:snapshot"
CHANGES_KEY: Final = "cells:registry:changes"
CHANGES_KEPT: Final = 10_000
"""Entries of the stream; a reader that is further behind takes a snapshot."""

CONNECT_S: Final = 2.0
TRANSFER_S: Final = 15.0


class RedisTarget:
    """A target with a feed, which is itself."""

    whole = False
    """A batch begins where the last one ended."""

    def __init__(self, client: "redis.Redis") -> None:
        self._client: Any = client  # The library types its answers loosely.

    @property
    def feed(self) -> "RedisTarget":
        """Return this."""
        return self

    def rev(self) -> int:
        """Return the rev of the snapshot there; -1 for none."""
        with _translated():
            return self._claimed(self._client)

    def after(self) -> int:
        """Return behind which rev the next batch has to begin."""
        with _translated():
            return max(self._last(self._client), self._claimed(self._client))

    def put_snapshot(self, rev: int, data: bytes) -> bool:
        """Put it there unless what is there is as new; say whether it was put.

        Readers are told of it unless the stream has told them already.
        """
        with _translated(), self._client.pipeline(transaction=True) as both:
            both.watch(SNAPSHOT_KEY, CHANGES_KEY)
            if self._claimed(both) >= rev:
                return False
            announced = self._last(both)
            both.multi()
            both.set(SNAPSHOT_KEY, data)
            if rev > announced:
                both.xadd(CHANGES_KEY, {"rev": rev}, id=f"{rev}-0", maxlen=CHANGES_KEPT)
            try:
                both.execute()
            except WatchError:
                return False  # Another publisher was quicker.
            return True

    def put_changes(
        self,
        batch: Batch,
        data: bytes,
        fresh_after: int,  # noqa: ARG002 - every batch is fresh
        seal: Callable[[Batch], bytes],  # noqa: ARG002 - as it is
    ) -> None:
        """Append a batch, unless the stream is as far already."""
        with _translated():
            try:
                self._client.xadd(
                    CHANGES_KEY,
                    {"rev": batch.rev, "batch": data},
                    id=f"{batch.rev}-0",
                    maxlen=CHANGES_KEPT,
                )
            except ResponseError:
                if self._last(self._client) < batch.rev:
                    raise

    def close(self) -> None:
        """Let go of the connections."""
        self._client.close()

    def _claimed(self, client: Any) -> int:  # noqa: ANN401 - as above
        return claimed_rev(client.getrange(SNAPSHOT_KEY, 0, BEGINNING_BYTES - 1))

    def _last(self, client: Any) -> int:  # noqa: ANN401 - as above
        last = client.xrevrange(CHANGES_KEY, count=1)
        return int(last[0][0].partition(b"-")[0]) if last else -1


def open_redis(url: str, *, ca: Path | None, credential_file: Path | None) -> RedisTarget:
    """Return the target at `redis[s]://host[:port]/db`; it connects when it is first used.

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
        client = redis.Redis.from_url(
            url,
            protocol=2,
            decode_responses=False,
            socket_connect_timeout=CONNECT_S,
            socket_timeout=TRANSFER_S,
            retry=Retry(NoBackoff(), 0),
            **given,
        )
    except ValueError:
        raise ValueError("not a Redis URL") from None  # Without the text: it may hold a password.
    return RedisTarget(client)


class _FromFile(CredentialProvider):
    """Reads the password at each connect."""

    def __init__(self, path: Path, username: str) -> None:
        self._path = path
        self._username = username

    def get_credentials(self) -> tuple[str] | tuple[str, str]:
        password = self._path.read_text().strip()
        return (self._username, password) if self._username else (password,)


@contextmanager
def _translated() -> Iterator[None]:
    try:
        yield
    except (AuthenticationError, NoPermissionError):
        raise Unavailable("target_denied") from None
    except (RedisError, OSError, ValueError):
        raise Unavailable("target_unreachable") from None
