"""Read the shape of Terraform's files: blocks, their labels, and each attribute's text.

Enough to compare modules and to describe them, without a provider or a dependency. Refuses to
evaluate anything: an attribute's value stays the text that stands there.
"""

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field, replace
from functools import lru_cache
from pathlib import Path
from typing import Final

_OPEN: Final = {"{": "}", "[": "]", "(": ")"}
_CLOSING: Final = frozenset(_OPEN.values())
_TOKEN: Final = re.compile(
    r"""
    (?P<space>[ \t\r]+)
  | (?P<comment>\#[^\n]*|//[^\n]*|/\*.*?\*/)
  | (?P<newline>\n)
  | (?P<heredoc><<-?(?P<mark>\w+)\n.*?\n[ \t]*(?P=mark)(?=\n|\Z))
  | (?P<name>[A-Za-z_][A-Za-z0-9_-]*)
  | (?P<number>[0-9][0-9.]*)
  | (?P<quote>")
  | (?P<other>.)
    """,
    flags=re.DOTALL | re.VERBOSE,
)


class NotHcl(ValueError):
    """The text is not what Terraform would read either; says which line."""


@dataclass(slots=True, kw_only=True)
class Block:
    """A block: `resource "aws_kms_key" "cell" { ... }`.

    Attributes:
        type: Its first word.
        labels: What stands in quotes behind it.
        attributes: The text of each value, without comments.
        blocks: What is nested in it.
    """

    type: str
    labels: tuple[str, ...] = ()
    attributes: dict[str, str] = field(default_factory=dict)
    blocks: "list[Block]" = field(default_factory=list)

    @property
    def address(self) -> str:
        """How Terraform names it, such as `aws_kms_key.cell`."""
        return ".".join(self.labels) or self.type

    def all(self, type_: str) -> "list[Block]":
        """Return the blocks of this type directly inside."""
        return [block for block in self.blocks if block.type == type_]

    def text(self) -> Iterator[str]:
        """Yield every value's text, those of nested blocks too."""
        yield from self.attributes.values()
        for block in self.blocks:
            yield from block.text()


@dataclass(frozen=True, slots=True)
class _Token:
    kind: str
    text: str
    line: int
    spaced: bool = False


@lru_cache(maxsize=512)
def read(text: str) -> Block:
    """Return the file's blocks inside one without a type; it is shared, so leave it as it is.

    Raises:
        NotHcl: A bracket or a quote is not closed, or something stands where nothing can.
    """
    tokens = _tight(_tokens(text))
    body = Block(type="")
    end = _body(tokens, 0, body, closing="")
    if end < len(tokens):
        raise NotHcl(f"line {tokens[end].line}: a bracket too many")
    return body


def read_module(folder: Path) -> Block:
    """Return the blocks of every `*.tf` file of `folder`, in the order of their names.

    Raises:
        NotHcl: As `read`, with the file's name.
    """
    module = Block(type="")
    for path in sorted(folder.glob("*.tf")):
        try:
            module.blocks += read(path.read_text()).blocks
        except NotHcl as wrong:
            raise NotHcl(f"{path.name}, {wrong}") from None
    return module


def unquoted(text: str) -> str:
    """Return what a plain quoted text says; any other text as it is."""
    plain = re.fullmatch(r'"((?:[^"\\]|\\.)*)"', text.strip())
    return re.sub(r"\\(.)", r"\1", plain[1]) if plain else text.strip()


def _tokens(text: str) -> Iterator[_Token]:
    at, line = 0, 1
    while at < len(text):
        found = _TOKEN.match(text, at)
        if found is None:  # pragma: no cover - the last alternative takes any character
            raise NotHcl(f"line {line}")
        kind, end = found.lastgroup or "other", found.end()
        if found.group("heredoc") is not None:
            kind = "other"
        if kind == "quote":
            end = _quoted(text, at, line)
            kind = "string"
        if kind != "comment":
            yield _Token(kind, text[at:end], line)
        line += text.count("\n", at, end)
        at = end


def _quoted(text: str, start: int, line: int) -> int:
    """Return where the quoted text that begins at `start` ends; templates may hold quotes."""
    at = start + 1
    while at < len(text) and text[at] != "\n":
        if text[at] == "\\":
            at += 2
        elif text.startswith(("$${", "%%{"), at):
            at += 3
        elif text.startswith(("${", "%{"), at):
            at = _template(text, at + 2, line)
        elif text[at] == '"':
            return at + 1
        else:
            at += 1
    raise NotHcl(f"line {line}: a quote is not closed")


def _template(text: str, start: int, line: int) -> int:
    at, depth = start, 1
    while at < len(text):
        if text[at] == '"':
            at = _quoted(text, at, line)
            continue
        depth += {"{": 1, "}": -1}.get(text[at], 0)
        at += 1
        if depth == 0:
            return at
    raise NotHcl(f"line {line}: a template is not closed")


def _body(tokens: list[_Token], at: int, into: Block, *, closing: str) -> int:
    """Fill `into` from `tokens`; return the place of its closing bracket, or of the end."""
    while at < len(tokens):
        token = tokens[at]
        if token.text == closing:
            return at
        if token.kind == "newline":
            at += 1
        elif token.kind == "name" and at + 1 < len(tokens) and tokens[at + 1].text == "=":
            into.attributes[token.text], at = _value(tokens, at + 2)
        elif token.kind == "name":
            at = _block(tokens, at, into)
        else:
            raise NotHcl(f"line {token.line}: {token.text[:20]}")
    if closing:
        raise NotHcl(f"line {tokens[-1].line}: a bracket is not closed")
    return at


def _block(tokens: list[_Token], at: int, into: Block) -> int:
    start = at
    at += 1
    while at < len(tokens) and tokens[at].kind in ("string", "name"):
        at += 1
    if at == len(tokens) or tokens[at].text != "{":
        raise NotHcl(f"line {tokens[start].line}: neither a value nor a block")
    labels = tuple(unquoted(token.text) for token in tokens[start + 1 : at])
    block = Block(type=tokens[start].text, labels=labels)
    into.blocks.append(block)
    return _body(tokens, at + 1, block, closing="}") + 1


def _value(tokens: list[_Token], at: int) -> tuple[str, int]:
    """Return the text of one value and the place behind it: the line's end, outside brackets."""
    parts: list[_Token] = []
    waiting: list[str] = []
    line = tokens[at - 1].line
    while at < len(tokens):
        token = tokens[at]
        if not waiting and (token.kind == "newline" or token.text == "}"):
            return _joined(parts), at
        if token.text in _OPEN:
            waiting.append(_OPEN[token.text])
        elif waiting and token.text == waiting[-1]:
            waiting.pop()
        parts.append(token)
        at += 1
    if waiting:
        raise NotHcl(f"line {line}: a bracket is not closed")
    return _joined(parts), at


def _tight(tokens: Iterable[_Token]) -> list[_Token]:
    """Return the tokens without spaces; whether one stood there is kept with its follower."""
    tight: list[_Token] = []
    spaced = False
    for token in tokens:
        if token.kind == "space":
            spaced = True
        else:
            tight.append(replace(token, spaced=spaced))
            spaced = False
    return tight


def _joined(parts: list[_Token]) -> str:
    """Return the value in one line, however the source was broken and aligned."""
    text = ""
    broken = False
    for part in parts:
        if part.kind == "newline":
            broken = True
            continue
        if broken:
            ended = text.endswith(("{", "[", "(", ",")) or part.text in _CLOSING
            text += " " if ended else ", "
        elif part.spaced and text:
            text += " "
        text += part.text
        broken = False
    return text
