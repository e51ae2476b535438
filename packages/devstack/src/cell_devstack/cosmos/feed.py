"""The change feed of one physical partition: latest versions, in order of their last change.

Refuses the mode with all versions and deletes, and a feed over several partitions at once.
"""

from email.utils import parsedate_to_datetime

from cell_devstack.cosmos.catalog import Container
from cell_devstack.cosmos.charges import read_charge
from cell_devstack.cosmos.documents import Documents
from cell_devstack.cosmos.engine import Engine
from cell_devstack.cosmos.errors import CosmosError
from cell_devstack.cosmos.exchange import Request, Response, charged
from cell_devstack.cosmos.scope import Visibility
from cell_devstack.cosmos.sql_prefilter import Condition
from cell_devstack.cosmos.values import dump_json


class ChangeFeed:
    """Answers change feed reads inside a transaction."""

    def __init__(self, engine: Engine, documents: Documents, visibility: Visibility) -> None:
        self._engine = engine
        self._documents = documents
        self._visibility = visibility

    def answer(self, container: Container, request: Request) -> Response:
        """What changed after the request's token; 304 and a token when nothing did."""
        if request.headers["a-im"].lower() != "incremental feed":
            raise CosmosError(400, "This account's change feed has latest versions only.")
        partition = self._partition(request)
        current = self._documents.lsns(container)[partition]
        after = _start(request, current)
        conditions = [
            *self._visibility.conditions(container, request),
            Condition("partition=?", (partition,)),
            Condition("lsn>?", (after,)),
            *_since(request),
        ]
        rows = self._visibility.select(
            "lsn, body", conditions, "lsn", request.page_items_max()
        ).fetchall()
        headers = {
            "lsn": str(current),
            "x-ms-item-count": str(len(rows)),
            "x-ms-session-token": self._documents.session_token(container, partition),
        }
        if not rows:
            return Response(status=304, headers={**headers, "etag": f'"{max(after, current)}"'})
        documents = ",".join(f'{text.removesuffix("}")},"_lsn":{lsn}}}' for lsn, text in rows)
        headers |= charged(read_charge(len(documents), request.consistency))
        headers["etag"] = f'"{rows[-1][0]}"'
        rid = dump_json(container.rid)
        text = f'{{"_rid":{rid},"Documents":[{documents}],"_count":{len(rows)}}}'
        return Response(status=200, headers=headers, text=text)

    def _partition(self, request: Request) -> int:
        named = self._visibility.partition_of(request)
        if named is not None:
            return named
        if len(self._engine.ranges) > 1:
            raise CosmosError(400, "A change feed needs a partition key range.")
        return self._engine.ranges[0].number


def _start(request: Request, current: int) -> int:
    """Everything after this log sequence number is wanted."""
    known = request.headers.get("if-none-match")
    if known is None:
        return 0
    if known == "*":
        return current
    digits = known.strip('"')
    if not digits.isdecimal():
        raise CosmosError(400, "The change feed known is invalid.")
    return int(digits)


def _since(request: Request) -> list[Condition]:
    """A start time counts only until there is a token."""
    header = request.headers.get("if-modified-since")
    if header is None or "if-none-match" in request.headers:
        return []
    try:
        moment = parsedate_to_datetime(header)
    except ValueError as error:
        raise CosmosError(400, "If-Modified-Since is no date.") from error
    return [Condition("ts>=?", (int(moment.timestamp()),))]
