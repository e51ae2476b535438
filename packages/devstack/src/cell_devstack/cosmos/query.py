"""Queries, page by page.

A page ends at the wanted number of items or at 4 MB; its continuation names the last item, so
items that come and go in between neither repeat nor hide others. Refuses query plans.
"""

import base64
import hashlib
import json
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass
from itertools import dropwhile
from typing import Final

from cell_devstack.cosmos.catalog import Container
from cell_devstack.cosmos.charges import query_charge
from cell_devstack.cosmos.documents import Documents
from cell_devstack.cosmos.errors import CosmosError, not_implemented
from cell_devstack.cosmos.exchange import Request, Response, charged
from cell_devstack.cosmos.scope import StoredRow, Visibility, is_scoped
from cell_devstack.cosmos.sql_expressions import Constant, Expression, Member
from cell_devstack.cosmos.sql_prefilter import Condition, id_conditions
from cell_devstack.cosmos.sql_run import Place, Result, bound_parameters, ordered_by_id, run
from cell_devstack.cosmos.sql_statement import Statement, parse_statement
from cell_devstack.cosmos.values import dump_json, parse_object

PAGE_BYTES_MAX: Final = 4 * 1024 * 1024
ORDER_VALUE_CHARACTERS_MAX: Final = 1024

_CROSS_PARTITION = "x-ms-documentdb-query-enablecrosspartition"


@dataclass(frozen=True, slots=True)
class _Page:
    results: list[Result]
    has_more: bool


class Queries:
    """Answers queries inside a transaction."""

    def __init__(self, documents: Documents, visibility: Visibility) -> None:
        self._documents = documents
        self._visibility = visibility

    def answer(self, container: Container, request: Request) -> Response:
        """One page of the query in the request's body."""
        if not is_scoped(request) and not request.flag(_CROSS_PARTITION):
            raise CosmosError(
                400,
                "Cross partition query is required but disabled. Please set "
                "x-ms-documentdb-query-enablecrosspartition to true, specify "
                "x-ms-documentdb-partitionkey, or revise your query to avoid this exception.",
            )
        body = request.body()
        text, parameters = body.get("query"), body.get("parameters") or []
        if not isinstance(text, str) or not isinstance(parameters, list):
            raise CosmosError(400, "The query is not a text with a list of parameters.")
        return self._page(container, request, text, parameters)

    def read_all(self, container: Container, request: Request) -> Response:
        """One page of all visible items."""
        return self._page(container, request, "SELECT * FROM c", [])

    def _page(
        self, container: Container, request: Request, text: str, given: list[object]
    ) -> Response:
        statement = parse_statement(text)
        _check_order_is_indexed(container, statement)
        parameters = bound_parameters(statement, given)
        visible = self._visibility.conditions(container, request)
        signature = _signature(text, given, visible)
        after = _resumed(request.headers.get("x-ms-continuation"), signature, statement)
        conditions = [*visible, *id_conditions(statement, parameters), *_rest(statement, after)]
        order = _storage_order(statement)
        with closing(self._visibility.select("number, body", conditions, order)) as cursor:
            results = run(statement, parameters, (StoredRow(*row) for row in cursor))
            if after is not None:
                results = dropwhile(lambda result: not after < result.place, results)
            page = _filled(results, request.page_items_max())
        return self._rendered(container, request, page, signature)

    def _rendered(
        self, container: Container, request: Request, page: _Page, signature: str
    ) -> Response:
        documents = ",".join(result.text for result in page.results)
        headers = charged(query_charge(len(documents), request.consistency))
        headers["x-ms-item-count"] = str(len(page.results))
        headers["x-ms-session-token"] = self._documents.session_token(container)
        if page.has_more:
            headers["x-ms-continuation"] = _continuation(page.results[-1].place, signature)
        rid = dump_json(container.rid)
        text = f'{{"_rid":{rid},"Documents":[{documents}],"_count":{len(page.results)}}}'
        return Response(status=200, headers=headers, text=text)


def _filled(results: Iterator[Result], items_max: int) -> _Page:
    page: list[Result] = []
    size = 0
    for result in results:
        size += len(result.text)
        if len(page) == items_max or (page and size > PAGE_BYTES_MAX):
            return _Page(page, has_more=True)
        page.append(result)
    return _Page(page, has_more=False)


def _storage_order(statement: Statement) -> str:
    if statement.order is None or not ordered_by_id(statement):
        return "number"
    return f"id {'DESC' if statement.order.descending else 'ASC'}, number"


def _rest(statement: Statement, after: Place | None) -> list[Condition]:
    """Skip rows before the continuation in SQL, where no window needs to count them."""
    if after is None or statement.top is not None or statement.offset is not None:
        return []
    if statement.order is None:
        return [Condition("number>=?", (after.row_number,))]
    if ordered_by_id(statement):
        symbol = "<=" if after.descending else ">="
        return [Condition(f"id{symbol}?", (after.order_value,))]
    return []


def _signature(text: str, parameters: list[object], visible: list[Condition]) -> str:
    """A continuation belongs to one query with its parameters and scope."""
    conditions = [[condition.sql, *condition.arguments] for condition in visible]
    whole = json.dumps([text, parameters, conditions])
    return hashlib.sha256(whole.encode()).hexdigest()[:16]


def _continuation(place: Place, signature: str) -> str:
    value = json.dumps(place.order_value)
    if len(value) > ORDER_VALUE_CHARACTERS_MAX:
        raise not_implemented("Continuing after an ORDER BY value of more than 1 KB")
    token = json.dumps(
        {"q": signature, "v": place.order_value, "n": place.row_number, "e": place.element}
    )
    return base64.b64encode(token.encode()).decode()


def _resumed(token: str | None, signature: str, statement: Statement) -> Place | None:
    if not token:
        return None
    try:
        fields = parse_object(base64.b64decode(token, validate=True))
    except ValueError as error:
        raise CosmosError(400, "Invalid Continuation Token.") from error
    number, element = fields.get("n"), fields.get("e")
    if fields.get("q") != signature or type(number) is not int or type(element) is not int:
        raise CosmosError(400, "Invalid Continuation Token.")
    descending = statement.order is not None and statement.order.descending
    return Place(fields.get("v"), descending, number, element)


def _check_order_is_indexed(container: Container, statement: Statement) -> None:
    """A policy that excludes everything leaves the id, `_ts` and what it includes."""
    policy = container.body["indexingPolicy"]
    excluded = {one["path"] for one in policy.get("excludedPaths", [])}
    if statement.order is None or "/*" not in excluded:
        return
    path = _path(statement.order.expression)
    included = {one["path"] for one in policy.get("includedPaths", [])}
    if path in {"/id", "/_ts"} or f"{path}/?" in included:
        return
    if not any(one.endswith("/*") and f"{path}/".startswith(one[:-1]) for one in included):
        raise CosmosError(
            400, "The index path corresponding to the specified order-by item is excluded."
        )


def _path(expression: Expression) -> str:
    steps: list[str] = []
    while isinstance(expression, Member) and isinstance(expression.index, Constant):
        steps.insert(0, str(expression.index.literal))
        expression = expression.owner
    return "".join(f"/{step}" for step in steps)
