"""Cut a query's text into tokens, and read them one by one.

Refuses every character the query subset does not know, with its place.
"""

import json
import re
from dataclasses import dataclass
from enum import Enum

from cell_devstack.cosmos.errors import CosmosError

QUERY_CHARACTERS_MAX = 64 * 1024

KEYWORDS = frozenset(
    """
    SELECT FROM WHERE ORDER BY AS AND OR NOT IN BETWEEN LIKE VALUE TOP DISTINCT JOIN OFFSET LIMIT
    ASC DESC GROUP EXISTS TRUE FALSE NULL UNDEFINED
    """.split()  # noqa: SIM905 - one word a line would hide the list in its own length
)

_PATTERN = re.compile(
    r"""\s*(?:
      (?P<number>\d+(?:\.\d+)?(?:[eE][+-]?\d+)?)
    | (?P<string>"(?:[^"\\]|\\.)*"|'(?:[^'\\]|\\.)*')
    | (?P<parameter>@\w+)
    | (?P<name>[A-Za-z_]\w*)
    | (?P<symbol><=|>=|!=|<>|\|\||\?\?|[-+*/%()=<>,.\[\]{}:?])
    )""",
    re.VERBOSE | re.ASCII,
)


class TokenKind(Enum):
    """What a token is; the value is the name of its group in the pattern."""

    NUMBER = "number"
    STRING = "string"
    PARAMETER = "parameter"
    NAME = "name"
    SYMBOL = "symbol"
    KEYWORD = "keyword"
    END = "end"


@dataclass(frozen=True, slots=True)
class Token:
    """A token: keywords in upper case, strings already unescaped, the rest as written."""

    kind: TokenKind
    text: str


END = Token(TokenKind.END, "end of query")
_DOT = Token(TokenKind.SYMBOL, ".")


def tokenize(text: str) -> list[Token]:
    """All tokens of `text`, ending in `END`, else 400."""
    if len(text) > QUERY_CHARACTERS_MAX:
        raise CosmosError(400, f"The query is longer than {QUERY_CHARACTERS_MAX} characters.")
    tokens: list[Token] = []
    text = text.rstrip()
    place = 0
    while place < len(text):
        match = _PATTERN.match(text, place)
        if match is None:
            raise CosmosError(400, f"Syntax error near {text[place : place + 20]!r}.")
        tokens.append(_token(match, after_dot=bool(tokens) and tokens[-1] == _DOT))
        place = match.end()
    return [*tokens, END]


@dataclass(slots=True)
class TokenReader:
    """A place in a list of tokens that ends in `END`."""

    tokens: list[Token]
    place: int = 0

    def peek(self, ahead: int = 0) -> Token:
        """The token at the place, or some tokens later."""
        return self.tokens[min(self.place + ahead, len(self.tokens) - 1)]

    def next(self) -> Token:
        """The token at the place, which moves on; `END` stays where it is."""
        token = self.peek()
        self.place += token is not END
        return token

    def at(self, kind: TokenKind, *texts: str) -> bool:
        """Whether a token of this kind (and one of these texts) comes next."""
        token = self.peek()
        return token.kind is kind and (not texts or token.text in texts)

    def take(self, kind: TokenKind, *texts: str) -> bool:
        """Consume such a token if it comes next."""
        found = self.at(kind, *texts)
        if found:
            self.next()
        return found

    def expect(self, kind: TokenKind, *texts: str) -> str:
        """Consume such a token and return its text, else 400."""
        if not self.at(kind, *texts):
            raise self.unexpected()
        return self.next().text

    def unexpected(self) -> CosmosError:
        """The refusal of the token at the place."""
        return CosmosError(400, f"Syntax error, incorrect syntax near '{self.peek().text}'.")


def _token(match: re.Match[str], *, after_dot: bool) -> Token:
    group = str(match.lastgroup)  # every alternative of the pattern is named
    kind, text = TokenKind(group), match[group]
    if kind is TokenKind.STRING:
        return Token(kind, _unescape(text))
    # `c.value` is a property, although VALUE is a keyword elsewhere.
    if kind is TokenKind.NAME and not after_dot and text.upper() in KEYWORDS:
        return Token(TokenKind.KEYWORD, text.upper())
    return Token(kind, text)


def _unescape(quoted: str) -> str:
    """Strings are escaped as in JSON; a single-quoted one may also escape its quote."""
    inner = quoted[1:-1]
    if quoted[0] == "'":
        inner = re.sub(
            r"\\.|\"", lambda m: {"\\'": "'", '"': '\\"'}.get(m[0], m[0]), inner, flags=re.DOTALL
        )
    try:
        return str(json.loads(f'"{inner}"'))
    except ValueError as error:
        raise CosmosError(400, f"Syntax error, bad string literal {quoted[:40]}.") from error
