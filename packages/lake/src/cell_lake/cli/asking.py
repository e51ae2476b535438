"""`cellctl lake query` and `shell`: SQL over all lakes as one, with the views ready.

Refuses to write anywhere but to a file that was named, and to load what would be downloaded.
"""

import argparse
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Final

import duckdb

from cell_lake.cli.around import Around
from cell_lake.cli.places import add_options, connected
from cell_lake.cli.shown import FORMS, ColumnsMissing, Form, write_parquet, write_rows
from cell_lake.errors import LakeUnavailable
from cell_lake.query import is_silence
from cell_lake.views import VIEWS

_PROMPT: Final = "lake> "
_MORE: Final = "  ... "
_SILENT: Final = "The object store did not answer."
STATEMENT_CHARACTERS_MAX: Final = 100_000


def add_to(commands: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Add these commands."""
    asked = commands.add_parser(
        "query",
        help="run one query",
        description=f"Tables: events, lineage. Views: {', '.join(VIEWS)}. DuckDB's SQL.",
    )
    asked.add_argument("sql", help="one SELECT, in quotes")
    asked.add_argument("--format", choices=FORMS, help="table; json with --json")
    asked.add_argument("--output", type=Path, help="a file instead of the standard output")
    add_options(asked)
    asked.set_defaults(command=query)
    typed = commands.add_parser("shell", help="type queries, each ended by a semicolon")
    add_options(typed)
    typed.set_defaults(command=shell)


def query(options: argparse.Namespace, around: Around) -> int:
    """Run one query."""
    form: Form = options.format or ("json" if around.json else "table")
    if form == "parquet" and options.output is None:
        raise around.fail("Parquet goes to a file.", "Name it with --output.", code="usage")
    with connected(options, around) as connection:
        try:
            if options.output is None:
                found = _executed(connection, options.sql)
                write_rows(found, form, around.out, is_terminal=around.out.isatty())
                return 0
            with _whole(options.output) as path:
                count = _written(connection, options.sql, form, path)
        except duckdb.Error as wrong:
            if is_silence(wrong):
                raise LakeUnavailable("read") from None
            raise _refused(wrong, around) from None
        except ColumnsMissing as wrong:
            raise around.fail(
                f"A CloudEvent needs {', '.join(wrong.names)} too.",
                "Ask for whole rows: from events_canonical where ...",
                code="query",
            ) from None
        except OSError as wrong:
            raise around.fail(
                f"{options.output} cannot be written ({type(wrong).__name__}).", code="usage"
            ) from None
    around.err.write(f"{count} rows in {options.output}\n")
    return 0


def shell(options: argparse.Namespace, around: Around) -> int:
    """Read queries until the end of the input, and show what each finds."""
    is_asked = around.input is sys.stdin and sys.stdin.isatty()
    if is_asked:
        with suppress(ImportError):
            import readline  # noqa: F401, PLC0415 - lines can be edited where it is there
    with connected(options, around) as connection:
        if is_asked:
            around.out.write(f"Tables: events, lineage. Views: {', '.join(VIEWS)}. Ctrl-D ends.\n")
        while (statement := _statement(around, is_asked=is_asked)) is not None:
            if not statement:
                continue
            try:
                found = _executed(connection, statement)
                write_rows(found, "table", around.out, is_terminal=around.out.isatty())
            except duckdb.Error as wrong:
                is_silent = is_silence(wrong)
                around.err.write(f"{_SILENT if is_silent else _first_line(wrong)}\n")
    return 0


@contextmanager
def _whole(path: Path) -> Iterator[Path]:
    """Lend a path to write to; what was written takes the place of `path` once it is whole."""
    if path.exists() and not path.is_file():
        yield path  # A pipe, say.
        return
    with TemporaryDirectory(prefix=f".{path.name}.", dir=path.parent) as folder:
        beside = Path(folder, path.name)
        yield beside
        beside.replace(path)


def _written(connection: duckdb.DuckDBPyConnection, sql: str, form: Form, path: Path) -> int:
    """Write what `sql` finds to a file; return how many rows."""
    if form == "parquet":
        return write_parquet(connection, sql.strip().rstrip(";"), path)
    found = _executed(connection, sql)
    with path.open("w", encoding="utf-8", newline="") as file:
        return write_rows(found, form, file, is_terminal=False)


def _executed(connection: duckdb.DuckDBPyConnection, sql: str) -> duckdb.DuckDBPyConnection:
    """Run one statement.

    Raises:
        duckdb.Error: It is wrong, or not one.
    """
    count = len(connection.extract_statements(sql))
    if count != 1:
        raise duckdb.InvalidInputException(f"That is {count} statements, not one.")
    return connection.execute(sql)


def _statement(around: Around, *, is_asked: bool) -> str | None:
    """Return the next statement without its semicolon; None at the end of the input."""
    text = ""
    while len(text) < STATEMENT_CHARACTERS_MAX:
        try:
            prompt = _MORE if text else _PROMPT
            line = input(prompt) if is_asked else around.input.readline()
        except EOFError:
            return None
        if not is_asked and not line:
            return text.strip() or None
        text += line + "\n"
        if text.rstrip().endswith(";"):
            return text.strip().rstrip(";").strip()
    around.err.write(f"A statement has at most {STATEMENT_CHARACTERS_MAX} characters.\n")
    return ""


def _refused(wrong: duckdb.Error, around: Around) -> Exception:
    # DuckDB's own words: they are about the query, which its author typed.
    return around.fail(
        _first_line(wrong), "cellctl lake query --help names tables and views.", code="query"
    )


def _first_line(wrong: duckdb.Error) -> str:
    return str(wrong).partition("\n")[0]
