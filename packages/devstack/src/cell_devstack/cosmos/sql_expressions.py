"""Expressions of a parsed query: immutable nodes that evaluate themselves for one row.

Three-valued as in the service: a missing property is undefined, and only `True` selects a row.
Refuses nothing; what cannot be computed is undefined.
"""

import math
import operator
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Final, Protocol

from cell_devstack.cosmos.sql_functions import Function
from cell_devstack.cosmos.values import UNDEFINED, Kind, equal, kind_of, order_key


@dataclass(frozen=True, slots=True)
class Scope:
    """What an expression may see: the row's names, and the query's parameters."""

    names: Mapping[str, object]
    parameters: Mapping[str, object]


class Expression(Protocol):
    """Something with a value in a scope."""

    def value(self, scope: Scope, /) -> object:
        """Its value, or `UNDEFINED`."""


@dataclass(frozen=True, slots=True)
class Constant:
    """A literal."""

    literal: object

    def value(self, _scope: Scope, /) -> object:
        """The literal."""
        return self.literal


@dataclass(frozen=True, slots=True)
class Parameter:
    """`@name`."""

    name: str

    def value(self, scope: Scope, /) -> object:
        """What the caller supplied; the query has checked that it did."""
        return scope.parameters[self.name]


@dataclass(frozen=True, slots=True)
class Name:
    """The container's alias or a joined name."""

    name: str

    def value(self, scope: Scope, /) -> object:
        """The document or element bound to it."""
        return scope.names[self.name]


@dataclass(frozen=True, slots=True)
class Member:
    """`owner.key` or `owner[index]`."""

    owner: Expression
    index: Expression

    def value(self, scope: Scope, /) -> object:
        """The property or element, undefined where there is none."""
        owner, index = self.owner.value(scope), self.index.value(scope)
        if isinstance(owner, dict) and isinstance(index, str):
            return owner.get(index, UNDEFINED)
        if isinstance(owner, list) and type(index) is int and 0 <= index < len(owner):
            return owner[index]
        return UNDEFINED


@dataclass(frozen=True, slots=True)
class Call:
    """A built-in function applied to arguments."""

    name: str
    function: Function
    arguments: tuple[Expression, ...]

    def value(self, scope: Scope, /) -> object:
        """The function's result."""
        return self.function.call(*(argument.value(scope) for argument in self.arguments))


@dataclass(frozen=True, slots=True)
class ArrayOf:
    """`[a, b]`."""

    elements: tuple[Expression, ...]

    def value(self, scope: Scope, /) -> object:
        """A list without the undefined elements."""
        values = [element.value(scope) for element in self.elements]
        return [value for value in values if value is not UNDEFINED]


@dataclass(frozen=True, slots=True)
class And:
    """False beats undefined beats true."""

    left: Expression
    right: Expression

    def value(self, scope: Scope, /) -> object:
        """Three-valued conjunction."""
        left = self.left.value(scope)
        if left is False:
            return False
        right = self.right.value(scope)
        if right is False:
            return False
        return True if left is True and right is True else UNDEFINED


@dataclass(frozen=True, slots=True)
class Or:
    """True beats undefined beats false."""

    left: Expression
    right: Expression

    def value(self, scope: Scope, /) -> object:
        """Three-valued disjunction."""
        left = self.left.value(scope)
        if left is True:
            return True
        right = self.right.value(scope)
        if right is True:
            return True
        return False if left is False and right is False else UNDEFINED


@dataclass(frozen=True, slots=True)
class Not:
    """Negation of a boolean."""

    inner: Expression

    def value(self, scope: Scope, /) -> object:
        """The opposite; undefined stays undefined."""
        value = self.inner.value(scope)
        return (not value) if isinstance(value, bool) else UNDEFINED


_ORDERED: Final[Mapping[str, Callable[[Any, Any], bool]]] = {
    "<": operator.lt,
    "<=": operator.le,
    ">": operator.gt,
    ">=": operator.ge,
}


@dataclass(frozen=True, slots=True)
class Comparison:
    """`left op right`; values of different kinds are unequal and have no order."""

    symbol: str
    left: Expression
    right: Expression

    def value(self, scope: Scope, /) -> object:
        """A boolean, or undefined where no order exists."""
        left, right = self.left.value(scope), self.right.value(scope)
        if left is UNDEFINED or right is UNDEFINED:
            return UNDEFINED
        if self.symbol == "=":
            return equal(left, right)
        if self.symbol in {"!=", "<>"}:
            return not equal(left, right)
        if kind_of(left) is not kind_of(right) or kind_of(left) > Kind.STRING:
            return UNDEFINED
        return _ORDERED[self.symbol](order_key(left), order_key(right))


@dataclass(frozen=True, slots=True)
class In:
    """`needle IN (a, b)`."""

    needle: Expression
    choices: tuple[Expression, ...]

    def value(self, scope: Scope, /) -> object:
        """Whether one of the choices is equal."""
        needle = self.needle.value(scope)
        if needle is UNDEFINED:
            return UNDEFINED
        return any(equal(needle, choice.value(scope)) for choice in self.choices)


@dataclass(frozen=True, slots=True)
class Like:
    """`text LIKE pattern` with `%` and `_`."""

    text: Expression
    pattern: Expression

    def value(self, scope: Scope, /) -> object:
        """Whether the whole text fits the pattern."""
        text, pattern = self.text.value(scope), self.pattern.value(scope)
        if not (isinstance(text, str) and isinstance(pattern, str)):
            return UNDEFINED
        wildcards = re.escape(pattern).replace("%", ".*").replace("_", ".")
        return re.fullmatch(wildcards, text, re.DOTALL) is not None


@dataclass(frozen=True, slots=True)
class Arithmetic:
    """`+ - * / %` on numbers, `||` on strings."""

    symbol: str
    left: Expression
    right: Expression

    def value(self, scope: Scope, /) -> object:
        """The result, undefined for other kinds and for division by zero."""
        left, right = self.left.value(scope), self.right.value(scope)
        if self.symbol == "||":
            return left + right if isinstance(left, str) and isinstance(right, str) else UNDEFINED
        if kind_of(left) is not Kind.NUMBER or kind_of(right) is not Kind.NUMBER:
            return UNDEFINED
        if self.symbol in {"/", "%"} and right == 0:
            return UNDEFINED
        return _ARITHMETIC[self.symbol](left, right)


_ARITHMETIC: Final[Mapping[str, Callable[[Any, Any], int | float]]] = {
    "+": operator.add,
    "-": operator.sub,
    "*": operator.mul,
    "/": operator.truediv,
    "%": math.fmod,
}
