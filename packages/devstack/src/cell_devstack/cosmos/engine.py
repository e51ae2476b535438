"""Storage: SQLite in memory or in a file, one connection, one transaction at a time.

A file outlives a killed process: the write-ahead log is handed to the operating system with every
commit. It refuses to survive a power cut (nothing is synced), to be shared by two processes, and
to be opened with another number of partitions than it was made with.
"""

import base64
import sqlite3
import threading
import uuid
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from cell_devstack.cosmos.errors import ConnectionCut

PARTITIONS_MAX: Final = 32

_SCHEMA: Final = """
CREATE TABLE IF NOT EXISTS sequence (name TEXT PRIMARY KEY, value INTEGER NOT NULL);
CREATE TABLE IF NOT EXISTS database (id TEXT PRIMARY KEY, body TEXT NOT NULL);
CREATE TABLE IF NOT EXISTS container (
    number INTEGER PRIMARY KEY, database TEXT NOT NULL, id TEXT NOT NULL, body TEXT NOT NULL,
    UNIQUE (database, id));
CREATE TABLE IF NOT EXISTS partition (
    container INTEGER NOT NULL, partition INTEGER NOT NULL, lsn INTEGER NOT NULL,
    PRIMARY KEY (container, partition)) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS document (
    number INTEGER PRIMARY KEY, container INTEGER NOT NULL, key TEXT NOT NULL, id TEXT NOT NULL,
    place TEXT NOT NULL, partition INTEGER NOT NULL, lsn INTEGER NOT NULL, ts INTEGER NOT NULL,
    ttl INTEGER, expires INTEGER, etag TEXT NOT NULL, body TEXT NOT NULL,
    UNIQUE (container, key, id));
CREATE INDEX IF NOT EXISTS document_lsn ON document (container, partition, lsn);
CREATE INDEX IF NOT EXISTS document_expires ON document (container, expires)
    WHERE expires IS NOT NULL;
"""


@dataclass(frozen=True, slots=True)
class PartitionRange:
    """A physical partition: the hash places from `low` up to, not including, `high`."""

    number: int
    low: str
    high: str


class Engine:
    """The connection, its lock, its clock and its physical partitions."""

    def __init__(self, file: Path | None, partitions: int, now: Callable[[], float]) -> None:
        if not 1 <= partitions <= PARTITIONS_MAX:
            raise ValueError(f"partitions is not between 1 and {PARTITIONS_MAX}")
        self.ranges = partition_ranges(partitions)
        self._now = now
        self._lock = threading.RLock()
        self._connection: sqlite3.Connection | None = None
        with _closing_on_error(_open(file)) as connection:
            connection.executescript(_SCHEMA)
            _check_partitions(connection, partitions)
            self._connection = connection

    def close(self) -> None:
        """Let the running transaction end, then refuse every later one."""
        with self._lock:
            if self._connection is not None:
                self._connection.close()
                self._connection = None

    def execute(self, sql: str, *arguments: object) -> sqlite3.Cursor:
        """Run one statement; ConnectionCut once the engine is closed."""
        if self._connection is None:
            raise ConnectionCut
        return self._connection.execute(sql, arguments)

    @contextmanager
    def transaction(self) -> Iterator[None]:
        """Everything inside happens alone and as a whole, or not at all."""
        with self._lock:
            self.execute("BEGIN")
            try:
                yield
                self.execute("COMMIT")
            except BaseException:
                self.execute("ROLLBACK")
                raise

    @contextmanager
    def nested(self) -> Iterator[None]:
        """A part of a transaction that can fail on its own."""
        self.execute("SAVEPOINT nested")
        try:
            yield
        except BaseException:
            self.execute("ROLLBACK TO nested")
            raise
        finally:
            self.execute("RELEASE nested")

    def seconds(self) -> int:
        """The time in whole seconds, the resolution of `_ts` and of expiry."""
        return int(self._now())

    def next_number(self, sequence: str) -> int:
        """The next number of a sequence, from 1."""
        row = self.execute(
            "INSERT INTO sequence VALUES (?, 1) ON CONFLICT (name)"
            " DO UPDATE SET value = value + 1 RETURNING value",
            sequence,
        ).fetchone()
        return int(row[0])


def partition_ranges(partitions: int) -> tuple[PartitionRange, ...]:
    """Cut the hash space, 00 to 3F, into equal ranges."""
    width = 0x40 // partitions
    cuts = [f"{width * number:02X}".ljust(32, "0") for number in range(1, partitions)]
    bounds = ["", *cuts, "FF"]
    return tuple(
        PartitionRange(number, bounds[number], bounds[number + 1]) for number in range(partitions)
    )


def resource_id(raw: bytes) -> str:
    """A `_rid`: base64 that is safe in a path."""
    return base64.b64encode(raw).decode().replace("/", "-")


def raw_resource_id(rid: str) -> bytes:
    """The bytes of a `_rid`, to build its children's from."""
    return base64.b64decode(rid.replace("-", "/"))


def new_etag() -> str:
    """An entity tag that no other version of anything has."""
    return f'"{uuid.uuid4()}"'


@contextmanager
def _closing_on_error(connection: sqlite3.Connection) -> Iterator[sqlite3.Connection]:
    """Hand out the connection, and close it if what follows fails."""
    try:
        yield connection
    except BaseException:
        connection.close()
        raise


def _open(file: Path | None) -> sqlite3.Connection:
    connection = sqlite3.connect(
        ":memory:" if file is None else file, check_same_thread=False, isolation_level=None
    )
    with _closing_on_error(connection):
        # Exclusive: a second process gets "database is locked" instead of stale state.
        for pragma in ("locking_mode=EXCLUSIVE", "journal_mode=WAL", "synchronous=OFF"):
            connection.execute(f"PRAGMA {pragma}")
    return connection


def _check_partitions(connection: sqlite3.Connection, partitions: int) -> None:
    connection.execute("INSERT OR IGNORE INTO sequence VALUES ('partitions', ?)", (partitions,))
    with closing(
        connection.execute("SELECT value FROM sequence WHERE name = 'partitions'")
    ) as cursor:
        (made_with,) = cursor.fetchone()
    if made_with != partitions:
        raise ValueError(f"the file was made with {made_with} partition(s), not {partitions}")
