"""What a command prints: one JSON document, JSON lines, or text and tables for people.

Data goes to the standard output, all else to the error output. Refuses to pass on characters that
a terminal would obey.
"""

import json
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime
from typing import Any, Final, TextIO

from rich.console import Console, Group, RenderableType
from rich.table import Table
from rich.text import Text

from cell_control.cli.failures import Failed

_PLAIN_COLUMNS: Final = 80


class Output:
    """Where a command's output goes.

    Attributes:
        json: Whether a program reads it.
        console, notes: For people: what was asked for, and what else there is to say.
    """

    def __init__(self, out: TextIO, err: TextIO, *, json: bool) -> None:
        self.json = json
        self._out = out
        self._err = err
        self.console = _console(out)
        self.notes = _console(err)

    def show(self, document: Any, *shown: RenderableType) -> None:  # noqa: ANN401 - JSON
        """Print `document` to a program, what is `shown` to people."""
        if self.json:
            self._out.write(json.dumps(document, indent=2, ensure_ascii=False) + "\n")
            return
        for one in shown:
            self.console.print(one, soft_wrap=isinstance(one, str | Text))

    def line(self, document: Any, text: str) -> None:  # noqa: ANN401 - JSON
        """Print one of many: a JSON line to a program, a line of text to people."""
        if self.json:
            self._out.write(json.dumps(document, ensure_ascii=False) + "\n")
            self._out.flush()
        else:
            self.console.print(printable(text), soft_wrap=True)

    def raw(self, text: str) -> None:
        """Print a text as it is, for whoever reads it."""
        self._out.write(text)

    def note(self, text: str) -> None:
        """Tell people something beside what they asked for; programs are not told."""
        if not self.json:
            self.notes.print(printable(text), soft_wrap=True)

    def failed(self, failed: Failed) -> None:
        """Say why the command ends."""
        if self.json:
            self._err.write(json.dumps(failed.document(), ensure_ascii=False) + "\n")
            return
        self.notes.print(Text("error: ", "bold red").append(printable(failed.what)), soft_wrap=True)
        for way in failed.ways:
            self.notes.print(Text("  try: ", "bold").append(printable(way)), soft_wrap=True)


def table(headings: Sequence[str], rows: Iterable[Sequence[object]]) -> Table:
    """Return a table; a column whose heading ends with `#` holds numbers."""
    made = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0), header_style="bold")
    for heading in headings:
        is_number = heading.endswith("#")
        justify = "right" if is_number else "left"
        made.add_column(heading.removesuffix("#").strip(), justify=justify, overflow="fold")  # type: ignore[arg-type]  # one of the two
    for row in rows:
        made.add_row(*(Text(text_of(cell)) for cell in row))
    return made


def pairs(rows: Iterable[tuple[str, object]]) -> Table:
    """Return names and values, those without a value left out."""
    made = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0), show_header=False)
    made.add_column(style="bold", no_wrap=True)
    made.add_column(overflow="fold")
    for name, value in rows:
        if value not in ("", None, (), []):
            made.add_row(name, Text(text_of(value)))
    return made


def paragraphs(*parts: RenderableType) -> Group:
    """Return `parts` with an empty line between them."""
    spaced: list[RenderableType] = []
    for part in parts:
        spaced += [part, ""]
    return Group(*spaced[:-1])


def text_of(value: object) -> str:
    """Return `value` as it is read by people."""
    match value:
        case bool():
            return "yes" if value else "no"
        case int():
            return f"{value:,}"
        case tuple() | list():
            return ", ".join(map(text_of, value))
        case _:
            return printable(str(value))


def printable(text: str) -> str:
    """Return `text` without what a terminal would obey."""
    return "".join(c if c.isprintable() or c == "\n" else "?" for c in text)


def date(ms: int) -> str:
    """Return a time; empty for none."""
    return datetime.fromtimestamp(ms / 1000, UTC).strftime("%Y-%m-%d %H:%M:%SZ") if ms else ""


def lasting(ms: float) -> str:
    """Return how long something takes, in the unit that suits it."""
    if ms < 1000:
        return f"{round(ms)} ms"
    seconds = ms / 1000
    if seconds < 120:
        return f"{seconds:.1f} s"
    minutes = seconds / 60
    return f"{minutes:.0f} min" if minutes < 120 else f"{minutes / 60:.1f} h"


def _console(stream: TextIO) -> Console:
    is_terminal = stream.isatty()
    width = None if is_terminal else _PLAIN_COLUMNS
    return Console(file=stream, highlight=False, markup=False, emoji=False, width=width)
