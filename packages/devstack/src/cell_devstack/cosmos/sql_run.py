"""Run a parsed statement over rows of JSON text: filter, order, project, aggregate.

Lazy where the rows already come in the wanted order, so a page costs a page. Refuses to order by
a property that some selected items lack.
"""

import json
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from itertools import islice
from typing import Protocol

from cell_devstack.cosmos.errors import CosmosError
from cell_devstack.cosmos.sql_expressions import Constant, Expression, Member, Name, Scope
from cell_devstack.cosmos.sql_statement import SelectItem, Statement
from cell_devstack.cosmos.values import UNDEFINED, Kind, dump_json, kind_of, order_key


class Row(Protocol):
    """A stored document."""

    @property
    def number(self) -> int:
        """Its place in the order of creation."""

    @property
    def text(self) -> str:
        """Its JSON."""


@dataclass(frozen=True, slots=True)
class Place:
    """Where a result stands in the order of results; a page resumes after one."""

    order_value: object
    descending: bool
    row_number: int
    element: int

    def __lt__(self, other: "Place") -> bool:
        mine, theirs = order_key(self.order_value), order_key(other.order_value)
        if mine != theirs:
            return (mine < theirs) is not self.descending
        return (self.row_number, self.element) < (other.row_number, other.element)


@dataclass(frozen=True, slots=True)
class Result:
    """A result's JSON and its place."""

    place: Place
    text: str


@dataclass(frozen=True, slots=True)
class _Selected:
    place: Place
    scope: Scope
    text: str


def matches(statement: Statement, document: object) -> bool:
    """Whether the WHERE of a predicate without parameters holds for `document`."""
    bound_parameters(statement, ())
    return any(True for _ in _scopes(statement, document, {}))


def bound_parameters(statement: Statement, given: Iterable[object]) -> dict[str, object]:
    """The parameters of a request by name; 400 if one is malformed or missing."""
    bound: dict[str, object] = {}
    for parameter in given:
        if not isinstance(parameter, dict) or not isinstance(parameter.get("name"), str):
            raise CosmosError(400, "A query parameter needs a name.")
        bound[parameter["name"]] = parameter.get("value")
    for name in sorted(statement.parameters - bound.keys()):
        raise CosmosError(400, f"Parameter '{name}' was not supplied.")
    return bound


def ordered_by_id(statement: Statement) -> bool:
    """Whether ORDER BY names the id, in which order the storage can deliver."""
    return statement.order is not None and is_id(statement, statement.order.expression)


def is_id(statement: Statement, expression: Expression) -> bool:
    """Whether the expression is the id of the container's documents."""
    return expression == Member(Name(statement.alias), Constant("id"))


def run(
    statement: Statement, parameters: Mapping[str, object], rows: Iterable[Row]
) -> Iterator[Result]:
    """All results in order.

    `rows` come in order of the id (and its direction) if `ordered_by_id`, else of creation.
    """
    selected = _selected(statement, parameters, rows)
    if statement.order is not None and not ordered_by_id(statement):
        selected = iter(sorted(selected, key=lambda one: one.place))
    if statement.items and statement.items[0].aggregate is not None:
        return _aggregated(statement, selected)
    return _window(statement, parameters, _projected(statement, selected))


def _selected(
    statement: Statement, parameters: Mapping[str, object], rows: Iterable[Row]
) -> Iterator[_Selected]:
    order = statement.order
    for row in rows:
        document = json.loads(row.text)
        for element, scope in enumerate(_scopes(statement, document, parameters)):
            value = None if order is None else order.expression.value(scope)
            if value is UNDEFINED:
                raise CosmosError(400, "ORDER BY a property that some items lack: refused here.")
            descending = order is not None and order.descending
            yield _Selected(Place(value, descending, row.number, element), scope, row.text)


def _scopes(
    statement: Statement, document: object, parameters: Mapping[str, object]
) -> Iterator[Scope]:
    scopes = [Scope({statement.alias: document}, parameters)]
    for name, source in statement.joins:
        scopes = [
            Scope({**scope.names, name: element}, parameters)
            for scope in scopes
            for element in _elements(source.value(scope))
        ]
    for scope in scopes:
        if statement.where is None or statement.where.value(scope) is True:
            yield scope


def _elements(value: object) -> list[object]:
    return value if isinstance(value, list) else []


def _projected(statement: Statement, selected: Iterable[_Selected]) -> Iterator[Result]:
    for one in selected:
        if not statement.items:
            yield Result(one.place, one.text)
            continue
        values = [item.expression.value(one.scope) for item in statement.items]
        text = _rendered(statement, values)
        if text is not None:
            yield Result(one.place, text)


def _rendered(statement: Statement, values: list[object]) -> str | None:
    """A result's JSON; None for an undefined VALUE, which is no result."""
    if statement.is_value:
        return None if values[0] is UNDEFINED else dump_json(values[0])
    pairs = zip(statement.items, values, strict=True)
    return dump_json({item.name: value for item, value in pairs if value is not UNDEFINED})


def _window(
    statement: Statement, parameters: Mapping[str, object], results: Iterator[Result]
) -> Iterator[Result]:
    if statement.top is not None:
        results = islice(results, _count(statement.top, parameters))
    if statement.offset is not None and statement.limit is not None:
        start = _count(statement.offset, parameters)
        results = islice(results, start, start + _count(statement.limit, parameters))
    return results


def _count(expression: Expression, parameters: Mapping[str, object]) -> int:
    count = expression.value(Scope({}, parameters))
    if type(count) is not int or count < 0:
        raise CosmosError(400, "TOP, OFFSET and LIMIT need a non-negative integer.")
    return count


def _aggregated(statement: Statement, selected: Iterable[_Selected]) -> Iterator[Result]:
    columns: list[list[object]] = [[] for _ in statement.items]
    for one in selected:
        for item, column in zip(statement.items, columns, strict=True):
            value = item.expression.value(one.scope)
            if value is not UNDEFINED:
                column.append(value)
    pairs = zip(statement.items, columns, strict=True)
    text = _rendered(statement, [_aggregate(item, column) for item, column in pairs])
    if text is not None:
        yield Result(Place(None, descending=False, row_number=0, element=0), text)


def _aggregate(item: SelectItem, values: list[object]) -> object:
    if item.aggregate == "COUNT":
        return len(values)
    if item.aggregate in {"MIN", "MAX"}:
        if not values:
            return UNDEFINED
        return (min if item.aggregate == "MIN" else max)(values, key=order_key)
    numbers = [value for value in values if isinstance(value, int | float)]
    if any(kind_of(value) is not Kind.NUMBER for value in values):
        return UNDEFINED
    if item.aggregate == "SUM":
        return sum(numbers)
    return sum(numbers) / len(numbers) if numbers else UNDEFINED
