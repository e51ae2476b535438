"""Parse the expressions of the query subset by recursive descent.

Refuses what it does not know with 400: sub-queries, object literals, user functions, aggregates
inside expressions.
"""

from collections.abc import Callable
from dataclasses import dataclass, field

from cell_devstack.cosmos.errors import CosmosError
from cell_devstack.cosmos.sql_expressions import (
    And,
    Arithmetic,
    ArrayOf,
    Call,
    Comparison,
    Constant,
    Expression,
    In,
    Like,
    Member,
    Name,
    Not,
    Or,
    Parameter,
)
from cell_devstack.cosmos.sql_functions import AGGREGATES, FUNCTIONS
from cell_devstack.cosmos.sql_lexer import Token, TokenKind, TokenReader
from cell_devstack.cosmos.values import UNDEFINED

DEPTH_MAX = 60  # each level costs some ten Python frames
CHAIN_MAX = 300  # an expression evaluates one frame deeper for each link of a chain

_LITERALS = {"TRUE": True, "FALSE": False, "NULL": None, "UNDEFINED": UNDEFINED}


@dataclass(slots=True)
class ExpressionParser(TokenReader):
    """Reads expressions, and remembers which names and parameters they mention."""

    depth: int = 0
    links: int = 0
    names: set[str] = field(default_factory=set)
    parameters: set[str] = field(default_factory=set)

    def expression(self) -> Expression:
        """The expression at the place, loosest binding first."""
        self.depth += 1
        if self.depth > DEPTH_MAX:
            raise CosmosError(400, f"The query nests deeper than {DEPTH_MAX} levels.")
        left = self._or()
        self.depth -= 1
        return left

    def _or(self) -> Expression:
        left = self._and()
        while self.take(TokenKind.KEYWORD, "OR"):
            left = self._linked(Or(left, self._and()))
        return left

    def _and(self) -> Expression:
        left = self._not()
        while self.take(TokenKind.KEYWORD, "AND"):
            left = self._linked(And(left, self._not()))
        return left

    def _not(self) -> Expression:
        negations = 0
        while self.take(TokenKind.KEYWORD, "NOT"):
            negations += 1
        inner = self._comparison()
        for _ in range(negations):
            inner = self._linked(Not(inner))
        return inner

    def _comparison(self) -> Expression:
        left = self._sum()
        for symbol in ("=", "!=", "<>", "<=", ">=", "<", ">"):
            if self.take(TokenKind.SYMBOL, symbol):
                return Comparison(symbol, left, self._sum())
        negated = self.take(TokenKind.KEYWORD, "NOT")
        test = self._membership(left)
        if test is None:
            if negated:
                raise self.unexpected()
            return left
        return Not(test) if negated else test

    def _membership(self, left: Expression) -> Expression | None:
        if self.take(TokenKind.KEYWORD, "IN"):
            self.expect(TokenKind.SYMBOL, "(")
            choices = self._listed(")")
            if not choices:
                raise self.unexpected()
            return In(left, choices)
        if self.take(TokenKind.KEYWORD, "BETWEEN"):
            low = self._sum()
            self.expect(TokenKind.KEYWORD, "AND")
            return And(Comparison(">=", left, low), Comparison("<=", left, self._sum()))
        if self.take(TokenKind.KEYWORD, "LIKE"):
            return Like(left, self._sum())
        return None

    def _sum(self) -> Expression:
        return self._chain(self._product, ("+", "-", "||"))

    def _product(self) -> Expression:
        return self._chain(self._unary, ("*", "/", "%"))

    def _chain(self, operand: Callable[[], Expression], symbols: tuple[str, ...]) -> Expression:
        left = operand()
        while self.at(TokenKind.SYMBOL, *symbols):
            symbol = self.next().text
            left = self._linked(Arithmetic(symbol, left, operand()))
        return left

    def _unary(self) -> Expression:
        if not self.take(TokenKind.SYMBOL, "-"):
            return self._member()
        return Arithmetic("-", Constant(0), self._member())

    def _member(self) -> Expression:
        owner = self._primary()
        while self.at(TokenKind.SYMBOL, ".", "["):
            if self.next().text == ".":
                owner = self._linked(Member(owner, Constant(self.expect(TokenKind.NAME))))
            else:
                owner = self._linked(Member(owner, self.expression()))
                self.expect(TokenKind.SYMBOL, "]")
        return owner

    def _primary(self) -> Expression:
        match self.peek():
            case Token(TokenKind.NUMBER, digits):
                self.next()
                return Constant(int(digits) if digits.isdecimal() else float(digits))
            case Token(TokenKind.STRING, text):
                self.next()
                return Constant(text)
            case Token(TokenKind.PARAMETER):
                return self.parameter()
            case Token(TokenKind.NAME, name):
                self.next()
                return self._named(name)
            case Token(TokenKind.KEYWORD, word) if word in _LITERALS:
                self.next()
                return Constant(_LITERALS[word])
            case Token(TokenKind.SYMBOL, symbol) if symbol in "([":
                self.next()
                return self._bracketed(symbol)
            case _:
                raise self.unexpected()

    def _bracketed(self, symbol: str) -> Expression:
        if symbol == "[":
            return ArrayOf(self._listed("]"))
        inner = self.expression()
        self.expect(TokenKind.SYMBOL, ")")
        return inner

    def _named(self, name: str) -> Expression:
        if not self.take(TokenKind.SYMBOL, "("):
            self.names.add(name)
            return Name(name)
        word = name.upper()
        if word in AGGREGATES:
            raise CosmosError(400, f"{word} is supported as a whole item of the select list only.")
        function = FUNCTIONS.get(word)
        if function is None:
            raise CosmosError(400, f"'{name}' is not a built-in function of this stand-in.")
        arguments = self._listed(")")
        if not function.arguments_min <= len(arguments) <= function.arguments_max:
            raise CosmosError(400, f"{word} does not take {len(arguments)} argument(s).")
        return Call(word, function, arguments)

    def _listed(self, closing: str) -> tuple[Expression, ...]:
        """Expressions between commas, up to and including the closing symbol."""
        listed: list[Expression] = []
        while not self.take(TokenKind.SYMBOL, closing):
            if listed:
                self.expect(TokenKind.SYMBOL, ",")
            listed.append(self.expression())
        return tuple(listed)

    def parameter(self) -> Expression:
        """The parameter at the place."""
        name = self.expect(TokenKind.PARAMETER)
        self.parameters.add(name)
        return Parameter(name)

    def _linked(self, expression: Expression) -> Expression:
        self.links += 1
        if self.links > CHAIN_MAX:
            raise CosmosError(400, f"The query has more than {CHAIN_MAX} operators.")
        return expression
