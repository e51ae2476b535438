"""A snapshot as one object in S3 or Azure Blob Storage, put on condition of the one that was seen.

So two publishers cannot put the older over the newer. Refuses to retry: the publisher comes again.
"""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import timedelta
from typing import TYPE_CHECKING, Any, Final, cast
from urllib.parse import urlsplit

import obstore
from obstore.exceptions import (
    AlreadyExistsError,
    BaseError,
    NotFoundError,
    PermissionDeniedError,
    PreconditionError,
    UnauthenticatedError,
)
from obstore.store import AzureStore, S3Store

from cell_control.adapters.targets.claimed import BEGINNING_BYTES, claimed_rev
from cell_control.errors import Unavailable

if TYPE_CHECKING:
    from obstore.store import ClientConfig, MemoryStore, RetryConfig

CONNECT_S: Final = 2.0
TRANSFER_S: Final = 30.0

_STORES: Mapping[str, Any] = {"s3": S3Store, "az": AzureStore}


class ObjectTarget:
    """A target without a feed."""

    feed = None

    def __init__(self, bucket: "S3Store | AzureStore | MemoryStore", key: str) -> None:
        self._bucket = bucket
        self._key = key

    def rev(self) -> int:
        """Return the rev of the snapshot there; -1 for none."""
        return self._seen()[0]

    def put_snapshot(self, rev: int, data: bytes) -> bool:
        """Put it there unless what is there is as new; say whether it was put."""
        held, etag = self._seen()
        if held >= rev:
            return False
        mode: Any = "create" if etag is None else {"e_tag": etag}
        try:
            with _translated():
                obstore.put(self._bucket, self._key, data, mode=mode)
        except (AlreadyExistsError, PreconditionError):
            return False  # Another publisher was quicker; what it put is looked at next time.
        return True

    def close(self) -> None:
        """Nothing is held."""

    def _seen(self) -> tuple[int, str | None]:
        try:
            with _translated():
                found = obstore.get(
                    self._bucket, self._key, options={"range": (0, BEGINNING_BYTES)}
                )
                return claimed_rev(bytes(found.bytes())), found.meta["e_tag"]
        except (FileNotFoundError, NotFoundError):
            return -1, None


def open_object(url: str, options: Mapping[str, str]) -> ObjectTarget:
    """Return the target that `s3://bucket/key` or `az://container/key` names.

    Args:
        url: Credentials never stand in it.
        options: What obstore would else read from the environment (`endpoint`, `region`,
            `account_name`, ...); `allow_http` permits plain http, for the local world.

    Raises:
        ValueError: The URL or an option cannot be used.
    """
    parts = urlsplit(url)
    key = parts.path.strip("/")
    if parts.scheme not in _STORES or not parts.netloc or not key:
        raise ValueError("an object's URL is s3://bucket/key or az://container/key")
    given = dict(options)
    client: ClientConfig = {
        "connect_timeout": timedelta(seconds=CONNECT_S),
        "timeout": timedelta(seconds=TRANSFER_S),
    }
    if "allow_http" in given:
        client["allow_http"] = given.pop("allow_http") == "true"
    retry: RetryConfig = {"max_retries": 0, "retry_timeout": timedelta(seconds=TRANSFER_S)}
    try:
        store = _STORES[parts.scheme](
            parts.netloc, config=given, client_options=client, retry_config=retry
        )
    except (BaseError, ValueError):
        raise ValueError("an option of the object store cannot be used") from None
    return ObjectTarget(cast("S3Store | AzureStore", store), key)


@contextmanager
def _translated() -> Iterator[None]:
    try:
        yield
    except (FileNotFoundError, NotFoundError, AlreadyExistsError, PreconditionError):
        raise
    except (PermissionDeniedError, UnauthenticatedError):
        raise Unavailable("target_denied") from None
    except (BaseError, OSError, ValueError):
        raise Unavailable("target_unreachable") from None
