"""The tables of a registry in SQL, and making them; one row counts revs and orders all commits.

Names are bytes, because a text's order depends on a database's locale and a key's must not.
Refuses a schema of another version: whoever can migrate it does so before it is opened here.
"""

from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import Final

import sqlalchemy as sa
from sqlalchemy.engine import Connection, Engine
from sqlalchemy.exc import DBAPIError, IntegrityError, ProgrammingError
from sqlalchemy.schema import CreateIndex, CreateTable

from cell_control.ports import RegistryError

SCHEMA_VERSION: Final = 1

_metadata = sa.MetaData()

HEAD: Final = sa.Table(
    "registry_head",
    _metadata,
    sa.Column("one", sa.Integer, sa.CheckConstraint("one = 1"), primary_key=True),
    sa.Column("rev", sa.BigInteger, nullable=False),
    sa.Column("forgotten", sa.BigInteger, nullable=False),
    sa.Column("version", sa.Integer, nullable=False),
)

RECORDS: Final = sa.Table(
    "registry_records",
    _metadata,
    # One column: SQLite scans the table for a list of pairs, and looks up a list of names.
    sa.Column("name", sa.LargeBinary, primary_key=True),
    sa.Column("kind", sa.String, nullable=False),
    sa.Column("rev", sa.BigInteger, nullable=False),
    sa.Column("body", sa.Text, nullable=False),
    sa.Column("edge", sa.Text),
    sa.Column("tag", sa.String, nullable=False),
    sa.Column("deleted", sa.Boolean, nullable=False),
    # A row is found by its key or by its rev, and is about as large as a key of its own.
    sqlite_with_rowid=False,
)

IS_LIVE: Final = RECORDS.c.deleted == sa.false()
IS_DELETED: Final = RECORDS.c.deleted == sa.true()

_INDEXES: Final = (
    sa.Index("registry_by_rev", RECORDS.c.rev, unique=True),
    # Enough by itself to count with.
    sa.Index("registry_by_tag", RECORDS.c.kind, RECORDS.c.deleted, RECORDS.c.tag, RECORDS.c.name),
    sa.Index(
        "registry_tombstones", RECORDS.c.rev, sqlite_where=IS_DELETED, postgresql_where=IS_DELETED
    ),
)

_ROUNDS_MAX = 3
_VERSION = sa.select(HEAD.c.version)


@dataclass(frozen=True, slots=True, kw_only=True)
class SqlDatabase:
    """What a dialect's part gives the registry; the three engines share one bounded pool.

    Attributes:
        reading: For single statements.
        snapshot: For several statements that see one moment.
        writing: For commits; they wait for each other at the one row of `HEAD`, or before.
        turn: Entered around each commit, where a database has no fair queue of its own.
        has_lost_race: Whether an error says that nothing was written because of another commit.
        code: What the database calls an error; no text of it.
    """

    reading: Engine
    snapshot: Engine
    writing: Engine
    turn: Callable[[], AbstractContextManager[None]]
    has_lost_race: Callable[[DBAPIError], bool]
    code: Callable[[DBAPIError], str]


def name_of(kind: str, key: str) -> bytes:
    """Return the primary key of a record; names of one kind sort as their keys do."""
    return f"{kind}/{key}".encode()


class SchemaRefused(RegistryError):
    """The database holds a registry of a version that this program does not know."""


def ensure_schema(database: SqlDatabase) -> None:
    """Make the tables if there are none.

    Raises:
        SchemaRefused: They are of another version.
        SQLAlchemyError: It could not be done; it may be tried again.
    """
    for _ in range(_ROUNDS_MAX):
        found = _found_version(database)
        if found is not None:
            if found != SCHEMA_VERSION:
                raise SchemaRefused(f"schema {found}, not {SCHEMA_VERSION}")
            return
        try:
            with database.turn(), database.writing.begin() as connection:
                _create(connection)
        except (IntegrityError, ProgrammingError):
            continue  # Another process made them in this moment.
    raise SchemaRefused("no schema, and none can be made")


def _found_version(database: SqlDatabase) -> int | None:
    with database.reading.connect() as connection:
        if not sa.inspect(connection).has_table(HEAD.name):
            return None
        return connection.execute(_VERSION).scalar()


def _create(connection: Connection) -> None:
    for table in (HEAD, RECORDS):
        connection.execute(CreateTable(table, if_not_exists=True))
    for index in _INDEXES:
        connection.execute(CreateIndex(index, if_not_exists=True))
    first = {"one": 1, "rev": 0, "forgotten": 0, "version": SCHEMA_VERSION}
    connection.execute(sa.insert(HEAD), first)
