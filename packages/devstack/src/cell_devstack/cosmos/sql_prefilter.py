"""What a WHERE clause says about the id, as SQL, so that the index finds the rows.

A pre-filter: it only drops rows that the clause would drop as well; the clause is still evaluated
for every row left. Refuses to guess: whatever is not an AND of plain tests of the id adds nothing.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from cell_devstack.cosmos.sql_expressions import (
    And,
    Call,
    Comparison,
    Constant,
    Expression,
    In,
    Parameter,
    Scope,
)
from cell_devstack.cosmos.sql_run import is_id
from cell_devstack.cosmos.sql_statement import Statement

CHOICES_MAX = 500  # below SQLite's limit of variables; longer lists are simply not pre-filtered

_MIRRORED = {"=": "=", "<": ">", "<=": ">=", ">": "<", ">=": "<="}


@dataclass(frozen=True, slots=True)
class Condition:
    """A piece of SQL and its arguments."""

    sql: str
    arguments: tuple[object, ...]


def id_conditions(statement: Statement, parameters: Mapping[str, object]) -> list[Condition]:
    """Conditions that every selected row fulfils."""
    scope = Scope({}, parameters)
    found: list[Condition] = []
    for test in _conjuncts(statement.where):
        condition = _condition(statement, test, scope)
        if condition is not None:
            found.append(condition)
    return found


def _conjuncts(where: Expression | None) -> Iterator[Expression]:
    if isinstance(where, And):
        yield from _conjuncts(where.left)
        yield from _conjuncts(where.right)
    elif where is not None:
        yield where


def _condition(statement: Statement, test: Expression, scope: Scope) -> Condition | None:
    match test:
        case Comparison(symbol, left, right) if symbol in _MIRRORED:
            if is_id(statement, right):
                left, right, symbol = right, left, _MIRRORED[symbol]
            if is_id(statement, left):
                return _compared(symbol, right, scope)
        case In(needle, choices) if is_id(statement, needle) and all(map(_is_known, choices)):
            return _one_of([choice.value(scope) for choice in choices])
        case Call("ARRAY_CONTAINS", _, (array, wanted)) if is_id(statement, wanted):
            known = array.value(scope) if _is_known(array) else None
            return _one_of(known) if isinstance(known, list) else None
        case _:
            pass
    return None


def _is_known(expression: Expression) -> bool:
    return isinstance(expression, Constant | Parameter)


def _compared(symbol: str, bound: Expression, scope: Scope) -> Condition | None:
    value = bound.value(scope) if _is_known(bound) else None
    return Condition(f"id{symbol}?", (value,)) if isinstance(value, str) else None


def _one_of(choices: list[object]) -> Condition | None:
    ids = tuple(choice for choice in choices if isinstance(choice, str))  # an id is a string
    if len(ids) > CHOICES_MAX:
        return None
    return Condition(f"id IN ({','.join('?' * len(ids))})", ids)
