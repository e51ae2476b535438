"""SQLite below the registry: one file, one writer at a time, readers that never wait for it.

`synchronous=FULL`: in WAL mode NORMAL loses the last commits when the machine stops, and an epoch
that was acknowledged and then forgotten would be given out twice. Refuses a database in memory.
"""

import sqlite3
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

import sqlalchemy as sa
from sqlalchemy.engine import Connection, Engine
from sqlalchemy.exc import DBAPIError
from sqlalchemy.exc import TimeoutError as NoConnectionFree
from sqlalchemy.pool import QueuePool

from cell_control.adapters.registry_sql_schema import SqlDatabase

BUSY_S: Final = 5.0

POOL_SIZE: Final = 8
SQLITE_MIN: Final = (3, 35)
"""The first with RETURNING."""

_BEGIN: Final = "cell_begin"
_PRAGMAS: Final = (
    "PRAGMA synchronous = FULL",
    "PRAGMA journal_size_limit = 67108864",
    "PRAGMA cache_size = -32768",
)


def open_sqlite(path: str, *, busy_s: float = BUSY_S) -> SqlDatabase:
    """Return the database in the file at `path`, made at its first use; its folder must exist.

    A commit waits at most `busy_s` for those of other processes, and for those of this one.

    Raises:
        ValueError: The SQLite of this Python is too old.
    """
    if sqlite3.sqlite_version_info < SQLITE_MIN:
        raise ValueError(f"SQLite {sqlite3.sqlite_version} is too old")
    engine = sa.create_engine(
        "sqlite://",
        creator=lambda: _connect(path, busy_s),
        poolclass=QueuePool,
        pool_size=POOL_SIZE,
        max_overflow=0,
        pool_timeout=busy_s,
        hide_parameters=True,
    )
    sa.event.listen(engine, "begin", _begin)
    writer = threading.Lock()

    @contextmanager
    def turn() -> Iterator[None]:
        # SQLite lets those who wait poll; threads of one process queue here instead.
        if not writer.acquire(timeout=busy_s):
            raise NoConnectionFree
        try:
            yield
        finally:
            writer.release()

    return SqlDatabase(
        reading=engine,
        snapshot=_begun(engine, "BEGIN"),
        writing=_begun(engine, "BEGIN IMMEDIATE"),
        turn=turn,
        has_lost_race=_has_lost_race,
        code=_code,
    )


def _connect(path: str, busy_s: float) -> sqlite3.Connection:
    # Without an isolation level the driver begins nothing by itself: `_begin` does.
    connection = sqlite3.connect(
        path, timeout=busy_s, isolation_level=None, check_same_thread=False
    )
    try:
        if connection.execute("PRAGMA journal_mode").fetchone() != ("wal",):
            connection.execute("PRAGMA journal_mode = WAL")
        for pragma in _PRAGMAS:
            connection.execute(pragma)
    except sqlite3.Error:
        connection.close()
        raise
    return connection


def _begun(engine: Engine, statement: str) -> Engine:
    return engine.execution_options(**{_BEGIN: statement})


def _begin(connection: Connection) -> None:
    statement = connection.get_execution_options().get(_BEGIN)
    if statement is not None:
        connection.exec_driver_sql(statement)


def _has_lost_race(error: DBAPIError) -> bool:
    # These are told at once; a plain BUSY was waited for already.
    return _code(error) in ("SQLITE_BUSY_SNAPSHOT", "SQLITE_BUSY_RECOVERY")


def _code(error: DBAPIError) -> str:
    return str(getattr(error.orig, "sqlite_errorname", None) or "error")
