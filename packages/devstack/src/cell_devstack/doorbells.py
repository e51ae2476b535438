"""Tells the control plane which tenants have written, as each cloud's change trigger does.

Reads both clouds' change feeds with the adapters' own readers. What it misses costs lag and no
data: the log is the truth, and the control plane sweeps. Refuses to carry any entry itself.
"""

import threading
from collections.abc import Callable, Collection, Sequence
from typing import Any, Final, Self

from cell_adapters_aws.changes import StreamReader
from cell_adapters_aws.errors import translated
from cell_adapters_azure.changes import FeedContainer, FeedReader
from cell_core.domain.errors import CellError
from cell_core.ports import ChangeReader
from cell_devstack.cosmos import LOCAL_KEY

_POLL_S: Final = 0.1
_AFTER_ERROR_S: Final = 0.5
_ENTRIES_MAX: Final = 1000

Ring = Callable[[Collection[str]], None]
"""Tells of tenants; raises `OSError` if nobody hears it."""


class Doorbells:
    """One thread for each feed; a context manager that ends them."""

    def __init__(self, readers: Sequence[Callable[[], ChangeReader]], ring: Ring) -> None:
        """Take functions that open a reader: each is called anew after its feed was gone."""
        self._ring = ring
        self._stopped = threading.Event()
        self._threads = [
            threading.Thread(target=self._run, args=(opened,), name=f"doorbell-{number}")
            for number, opened in enumerate(readers)
        ]

    def __enter__(self) -> Self:
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *_exc: object) -> None:
        self._stopped.set()
        for thread in self._threads:
            thread.join()

    def _run(self, opened: Callable[[], ChangeReader]) -> None:
        reader: ChangeReader | None = None
        pause_s = 0.0
        while not self._stopped.wait(pause_s):
            try:
                reader = reader or opened()
                entries = reader.poll(_ENTRIES_MAX)
                if entries:
                    self._ring({entry.tenant for entry in entries})
                pause_s = 0.0 if entries else _POLL_S
            except (CellError, OSError, RuntimeError):
                # Its database is down or was emptied: begin with what the feed shows then.
                reader, pause_s = None, _AFTER_ERROR_S


def dynamo_reader(client: Any, table: str, streams: Any) -> ChangeReader:  # noqa: ANN401 - boto3's clients are made at run time
    """Return a reader of the stream of `table`.

    Raises:
        Unavailable: The database does not answer.
    """
    with translated("describe", writes=False):
        arn = client.describe_table(TableName=table)["Table"]["LatestStreamArn"]
    return StreamReader(streams, stream_arn=arn)


def cosmos_reader(url: str, database: str, container: str) -> ChangeReader:
    """Return a reader of the change feed of `container`."""

    def connect() -> FeedContainer:
        from azure.cosmos import CosmosClient  # noqa: PLC0415 - 200 ms, if used at all

        made = CosmosClient(url, LOCAL_KEY).get_database_client(database)
        opened: FeedContainer = made.get_container_client(container)
        return opened

    return FeedReader(connect)
