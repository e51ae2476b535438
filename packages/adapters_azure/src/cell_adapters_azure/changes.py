"""Journal entries out of Cosmos DB's change feed, pushed by a trigger or pulled by a reader.

A doorbell: the feed shows only the latest version of a document, so this refuses to report
anything but journal entries, which have one version.
"""

import json
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, Protocol

from cell_adapters_azure.errors import translated
from cell_core.domain.documents import LOG
from cell_core.domain.errors import InvalidInput, InvariantBroken
from cell_core.domain.journal import Entry, read_entry

_PAGES_MAX = 100
"""Pages of one poll; what is behind them is for the next one."""

_TOKENS_VERSION = 1


class FeedContainer(Protocol):
    """What is used of `azure.cosmos.ContainerProxy`, which is only partly typed."""

    def read_feed_ranges(self) -> Iterable[Mapping[str, Any]]:
        """Return the ranges that can be read independently of each other."""

    def query_items_change_feed(self, **options: Any) -> Any:  # noqa: ANN401 - untyped in the SDK
        """Return a pager over changed items."""


def entries_of(documents: Iterable[Mapping[str, Any]]) -> list[Entry]:
    """Return the journal entries among `documents`, in their order.

    Raises:
        InvariantBroken: A document in an entry's place is not one.
    """
    return [_entry(document) for document in documents if document["id"].startswith(LOG)]


def _entry(document: Mapping[str, Any]) -> Entry:
    try:
        return read_entry(document["body"])
    except (InvalidInput, KeyError):
        raise InvariantBroken(stored=document["id"]) from None


class FeedReader:
    """`ChangeReader` over the feed of a whole container; for one thread.

    Keeps one token for each feed range: a token for the whole container cannot be resumed once
    there are several physical partitions, and one that began at a date not at all, so a reader
    without `tokens` begins at the beginning. After a partition split the SDK makes a range's token
    cover both halves.
    """

    def __init__(self, connect: Callable[[], FeedContainer], tokens: str = "") -> None:
        """Go on from `tokens`, or begin at the beginning.

        Raises:
            InvalidInput: `tokens` is not a text that `tokens()` returned.
        """
        self._connect = connect
        self._container: FeedContainer | None = None
        self._positions: list[_Position] = _read_tokens(tokens)

    def poll(self, limit: int) -> Sequence[Entry]:
        """See `ChangeReader.poll`. Moves on only when it returns."""
        waiting = self._ranges()
        drained: list[_Position] = []
        entries: list[Entry] = []
        for _ in range(_PAGES_MAX):
            if not waiting or len(entries) >= limit:
                break
            documents, position = self._page(waiting.pop(0), limit - len(entries))
            entries.extend(entries_of(documents))
            (waiting if documents else drained).append(position)
        # Those not looked at come first the next time, so a busy range cannot starve the others.
        self._positions = waiting + drained
        return entries

    def tokens(self) -> str:
        """See `ChangeReader.tokens`."""
        return json.dumps([_TOKENS_VERSION, self._positions], separators=(",", ":"))

    def _ranges(self) -> list["_Position"]:
        if not self._positions:
            with translated("feed", writes=False):
                ranges = list(self._connected().read_feed_ranges())
            self._positions = [{"feed_range": dict(one)} for one in ranges]
        return list(self._positions)

    def _page(
        self, position: "_Position", limit: int
    ) -> tuple[list[Mapping[str, Any]], "_Position"]:
        answers: list[Mapping[str, Any]] = []
        start = {} if "continuation" in position else {"start_time": "Beginning"}
        with translated("feed", writes=False):
            pages = (
                self._connected()
                .query_items_change_feed(
                    **position,
                    **start,
                    max_item_count=limit,
                    # The SDK puts the range's token into these headers after the hook has run.
                    response_hook=lambda headers, _body: answers.append(headers),
                )
                .by_page()
            )
            documents = list(next(pages, ()))
            return documents, {"continuation": str(answers[-1]["etag"])}

    def _connected(self) -> FeedContainer:
        if self._container is None:
            self._container = self._connect()
        return self._container


_Position = dict[str, Any]
"""Keywords of the SDK that say where a range's next page begins."""


def _read_tokens(text: str) -> list[_Position]:
    if not text:
        return []
    try:
        version, positions = json.loads(text)
        if version != _TOKENS_VERSION or not all(
            position.keys() in ({"continuation"}, {"feed_range"}) for position in positions
        ):
            raise InvalidInput("invalid_data", problem="tokens of another version")
    except (ValueError, TypeError, AttributeError):
        raise InvalidInput("invalid_data", problem="not tokens of a change feed") from None
    return list(positions)
