"""The registry from an object in S3 or Azure Blob Storage: one object, read when its ETag changes.

There is no feed: the loop asks again and again, an unchanged object costs one small request.
Refuses to retry: the loop does.
"""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import timedelta
from typing import TYPE_CHECKING, Any, Final, cast
from urllib.parse import urlsplit

import obstore
from obstore.exceptions import (
    BaseError,
    NotModifiedError,
    PermissionDeniedError,
    UnauthenticatedError,
)
from obstore.store import AzureStore, S3Store

from cell_core.wire.registry_snapshot import SNAPSHOT_BYTES_MAX
from cell_router.ports import SourceUnavailable
from cell_router.sources.latest import TRANSFER_S_MAX, Latest

if TYPE_CHECKING:
    from obstore import GetOptions
    from obstore.store import ClientConfig, RetryConfig

CONNECT_S: Final = 2.0

Bucket = S3Store | AzureStore

_STORES: Mapping[str, Any] = {"s3": S3Store, "az": AzureStore}


class ObjectSource:
    """A `RegistrySource` over one object."""

    def __init__(self, bucket: Bucket, key: str) -> None:
        self._bucket = bucket
        self._key = key
        self._latest = Latest[str]()

    def snapshot(self, if_newer_than: int) -> bytes | None:
        """Return the object, unless its ETag is that of the one last returned and taken."""
        known = self._latest.known(if_newer_than)
        options: GetOptions = {"if_none_match": known} if known else {}
        try:
            with translated():
                found = obstore.get(self._bucket, self._key, options=options)
                if found.meta["size"] > SNAPSHOT_BYTES_MAX:
                    raise SourceUnavailable("source_too_large")
                data = bytes(found.bytes())
        except NotModifiedError:
            return None
        self._latest.note(found.meta["e_tag"], data)
        return data

    def changes(self, after: int, wait_s: float) -> None:  # noqa: ARG002 - no feed
        """Return None: an object has no feed."""
        return

    def find(self, tenant: str) -> None:  # noqa: ARG002 - the snapshot holds everyone
        """Return None: who is not in the object is nowhere."""
        return


def open_bucket(url: str, options: Mapping[str, str]) -> tuple[Bucket, str]:
    """Return the bucket and the key that `s3://bucket/key` or `az://container/key` names.

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
        "timeout": timedelta(seconds=TRANSFER_S_MAX),
    }
    if "allow_http" in given:
        client["allow_http"] = given.pop("allow_http") == "true"
    retry: RetryConfig = {"max_retries": 0, "retry_timeout": timedelta(seconds=TRANSFER_S_MAX)}
    try:
        store = _STORES[parts.scheme](
            parts.netloc, config=given, client_options=client, retry_config=retry
        )
    except (BaseError, ValueError):
        raise ValueError("an option of the object store cannot be used") from None
    return cast("Bucket", store), key


@contextmanager
def translated() -> Iterator[None]:
    """Turn what the library raises into `SourceUnavailable`, but for "not modified"."""
    try:
        yield
    except NotModifiedError:
        raise
    except FileNotFoundError:
        raise SourceUnavailable("source_missing") from None
    except (PermissionDeniedError, UnauthenticatedError):
        raise SourceUnavailable("source_denied") from None
    except (BaseError, OSError, ValueError):
        raise SourceUnavailable("source_unreachable") from None
