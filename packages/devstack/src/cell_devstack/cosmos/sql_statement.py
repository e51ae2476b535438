"""Parse the statements of the query subset.

    SELECT [TOP n] * | VALUE e | e [AS name], ...  FROM name [[AS] alias]
    [JOIN name IN e]... [WHERE e] [ORDER BY e [ASC | DESC]] [OFFSET n LIMIT m]

A patch predicate starts at FROM. Everything else is refused with 400: DISTINCT, GROUP BY,
a second ORDER BY key, an aggregate that is not a whole item of the select list.
"""

from dataclasses import dataclass
from functools import lru_cache

from cell_devstack.cosmos.errors import CosmosError
from cell_devstack.cosmos.sql_expressions import Constant, Expression, Member, Name
from cell_devstack.cosmos.sql_functions import AGGREGATES
from cell_devstack.cosmos.sql_lexer import TokenKind, tokenize
from cell_devstack.cosmos.sql_parser import ExpressionParser


@dataclass(frozen=True, slots=True)
class SelectItem:
    """An item of the select list: a plain expression, or an aggregate over one."""

    name: str
    expression: Expression
    aggregate: str | None = None


@dataclass(frozen=True, slots=True)
class Order:
    """The ORDER BY key."""

    expression: Expression
    descending: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Statement:
    """A parsed query. No `items` means `*`; `is_value` means the one item is the result."""

    alias: str
    items: tuple[SelectItem, ...]
    is_value: bool
    joins: tuple[tuple[str, Expression], ...]
    where: Expression | None
    order: Order | None
    top: Expression | None
    offset: Expression | None
    limit: Expression | None
    parameters: frozenset[str]


@lru_cache(maxsize=512)
def parse_statement(text: str) -> Statement:
    """Parse a whole query, or a predicate that starts at FROM, else 400."""
    return _StatementParser(tokenize(text)).statement()


class _StatementParser(ExpressionParser):
    def statement(self) -> Statement:
        if self.at(TokenKind.KEYWORD, "FROM"):  # the predicate of a patch
            self.tokens[:0] = tokenize("SELECT *")[:-1]
        self.expect(TokenKind.KEYWORD, "SELECT")
        top = self._count() if self.take(TokenKind.KEYWORD, "TOP") else None
        is_value = self.take(TokenKind.KEYWORD, "VALUE")
        items = self._select_list(is_value=is_value)
        alias, joins = self._source()
        where = self.expression() if self.take(TokenKind.KEYWORD, "WHERE") else None
        order = self._order()
        offset, limit = self._window()
        self.expect(TokenKind.END)
        if joins and not items:
            raise CosmosError(400, "'SELECT *' is only valid with a single input set.")
        self._check_names({alias, *(name for name, _ in joins)})
        return Statement(
            alias=alias,
            items=items,
            is_value=is_value,
            joins=joins,
            where=where,
            order=order,
            top=top,
            offset=offset,
            limit=limit,
            parameters=frozenset(self.parameters),
        )

    def _select_list(self, *, is_value: bool) -> tuple[SelectItem, ...]:
        if not is_value and self.take(TokenKind.SYMBOL, "*"):
            return ()
        items = [self._select_item(1)]
        while not is_value and self.take(TokenKind.SYMBOL, ","):
            items.append(self._select_item(len(items) + 1))
        if len({item.aggregate is None for item in items}) > 1:
            raise CosmosError(400, "Aggregates and plain properties in one select list: refused.")
        return tuple(items)

    def _select_item(self, number: int) -> SelectItem:
        aggregate = self._aggregate()
        expression = self.expression()
        if aggregate is not None:
            self.expect(TokenKind.SYMBOL, ")")
        name = f"${number}" if aggregate else _natural_name(expression) or f"${number}"
        if self.take(TokenKind.KEYWORD, "AS"):
            name = self.expect(TokenKind.NAME)
        return SelectItem(name, expression, aggregate)

    def _aggregate(self) -> str | None:
        word = self.peek().text.upper()
        if word not in AGGREGATES or self.peek(1).text != "(":
            return None
        self.next()
        self.next()
        return word

    def _source(self) -> tuple[str, tuple[tuple[str, Expression], ...]]:
        self.expect(TokenKind.KEYWORD, "FROM")
        alias = self.expect(TokenKind.NAME)
        if self.take(TokenKind.KEYWORD, "AS") or self.at(TokenKind.NAME):
            alias = self.expect(TokenKind.NAME)
        joins: list[tuple[str, Expression]] = []
        while self.take(TokenKind.KEYWORD, "JOIN"):
            name = self.expect(TokenKind.NAME)
            self.expect(TokenKind.KEYWORD, "IN")
            joins.append((name, self.expression()))
        return alias, tuple(joins)

    def _order(self) -> Order | None:
        if self.at(TokenKind.KEYWORD, "GROUP"):
            raise CosmosError(400, "GROUP BY is not supported by this stand-in.")
        if not self.take(TokenKind.KEYWORD, "ORDER"):
            return None
        self.expect(TokenKind.KEYWORD, "BY")
        key = self.expression()
        descending = self.take(TokenKind.KEYWORD, "DESC")
        if not descending:
            self.take(TokenKind.KEYWORD, "ASC")
        if self.at(TokenKind.SYMBOL, ","):
            raise CosmosError(
                400, "The order by query does not have a corresponding composite index."
            )
        return Order(key, descending)

    def _window(self) -> tuple[Expression | None, Expression | None]:
        if not self.take(TokenKind.KEYWORD, "OFFSET"):
            return None, None
        offset = self._count()
        self.expect(TokenKind.KEYWORD, "LIMIT")
        return offset, self._count()

    def _count(self) -> Expression:
        if self.at(TokenKind.PARAMETER):
            return self.parameter()
        digits = self.expect(TokenKind.NUMBER)
        if not digits.isdecimal():
            raise CosmosError(400, f"Syntax error, {digits!r} is no count.")
        return Constant(int(digits))

    def _check_names(self, known: set[str]) -> None:
        for name in sorted(self.names - known):
            raise CosmosError(400, f"Identifier '{name}' could not be resolved.")


def _natural_name(expression: Expression) -> str | None:
    """What an item of the select list is called that is a plain name or property."""
    if isinstance(expression, Name):
        return expression.name
    if isinstance(expression, Member) and isinstance(expression.index, Constant):
        return str(expression.index.literal)
    return None
