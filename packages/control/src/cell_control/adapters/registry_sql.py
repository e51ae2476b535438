"""The registry in an SQL database: transactions, what is tried again, what an error means.

A commit takes the next revs from one row, which it holds until its end; so revs have no gap, and
they become visible in their order. Refuses to know a dialect: `SqlDatabase` is made elsewhere.
"""

import builtins
import threading
import time
from collections.abc import Callable, Iterable, Sequence
from typing import Final, TypeVar

from sqlalchemy.engine import Connection, Engine
from sqlalchemy.exc import DBAPIError, SQLAlchemyError
from sqlalchemy.exc import TimeoutError as NoConnectionFree

from cell_control.adapters import registry_sql_statements as sql
from cell_control.adapters.registry_pulse import Pulse
from cell_control.adapters.registry_rules import (
    RegistryNotEmpty,
    first_lost,
    require_keys,
    require_limit,
    require_remembered,
    require_writes,
)
from cell_control.adapters.registry_sql_schema import SqlDatabase, ensure_schema
from cell_control.domain.records import Kind
from cell_control.ports import (
    Changes,
    Key,
    Record,
    RegistryConflict,
    RegistryUnavailable,
    RegistryUnknown,
    Write,
)

ATTEMPTS_MAX: Final = 6
"""Of what is known to have written nothing: a lost race, a connection that had died in the pool."""

PAUSE_S: Final = 0.002
"""Before the second attempt; twice as long before each further one, 62 ms in all."""

Found = TypeVar("Found")


class SqlRegistry:
    """A `Registry` in a database; connects at its first use, and again after each failure."""

    def __init__(
        self,
        database: SqlDatabase,
        *,
        now_s: Callable[[], float] = time.monotonic,
        pause_s: Callable[[float], None] = time.sleep,
    ) -> None:
        """Connect nothing yet.

        Args:
            database: What a dialect's part made; closed with this registry.
            now_s: Monotonic seconds, for waits.
            pause_s: Waits so many seconds before something is tried again.
        """
        self._database = database
        self._pause_s = pause_s
        self._pulse = Pulse(now_s)
        self._opening = threading.Lock()
        self._is_ready = False
        self._is_closed = False

    def rev(self) -> int:
        """See `Registry.rev`."""
        return self._read("rev", sql.rev)

    def get(self, keys: Sequence[Key]) -> builtins.list[Record | None]:
        """See `Registry.get`."""
        require_keys(keys)
        return self._read("get", lambda connection: sql.get(connection, keys))

    def list(
        self, kind: Kind, *, tag: str | None = None, prefix: str = "", after: str = "", limit: int
    ) -> builtins.list[Record]:
        """See `Registry.list`."""
        require_limit(limit)
        return self._read("list", lambda c: sql.page(c, kind, tag, prefix, after, limit))

    def count(self, kind: Kind, *, tag: str | None = None) -> int:
        """See `Registry.count`."""
        return self._read("count", lambda connection: sql.count(connection, kind, tag))

    def commit(self, writes: Sequence[Write]) -> int:
        """See `Registry.commit`."""
        require_writes(writes)
        rev = self._write("commit", lambda connection: _commit(connection, writes))
        self._pulse.note(rev)
        return rev

    def skip_to(self, rev: int) -> int:
        """See `Registry.skip_to`."""
        found = self._write("skip", lambda connection: _skip(connection, rev))
        self._pulse.note(found)
        return found

    def changes(self, after: int, *, kinds: Sequence[Kind], limit: int) -> Changes:
        """See `Registry.changes`."""
        require_limit(limit)
        return self._read(
            "changes",
            lambda connection: _changes(connection, after, kinds, limit),
            engine=self._database.snapshot,
        )

    def wait(self, after: int, timeout_s: float) -> int:
        """See `Registry.wait`."""
        return self._pulse.wait(after, timeout_s, self.rev)

    def close(self) -> None:
        """See `Registry.close`; what is under way lets go when it ends."""
        self._is_closed = True
        self._pulse.close()
        self._database.writing.pool.dispose()

    def forget_tombstones(self, up_to: int) -> int:
        """Forget tombstones whose rev is at most `up_to`, and return how many were forgotten.

        From then on `changes` behind an older rev raises `ChangesGone`. Commits go on meanwhile.
        """
        forgotten = 0
        if not self._write("forget", lambda connection: _close_past(connection, up_to)):
            return 0
        while some := self._write("forget", lambda c: sql.delete_tombstones(c, up_to)):
            forgotten += some
        return forgotten

    def load(self, records: Iterable[Record], rev: int) -> None:
        """Fill this empty registry with `records` as they are, all or none, and go to `rev`.

        `records` are different ones with different revs, none above `rev`. Every `changes` behind
        a rev below `rev` then raises `ChangesGone`: that rev may be of another past. `records` is
        read once; so nothing is tried again.

        Raises:
            RegistryNotEmpty, RegistryUnavailable: Nothing was written.
            RegistryUnknown: All were written, or none.
        """
        self._write("load", lambda c: _load(c, records, rev), attempts_max=1)
        self._pulse.note(rev)

    def _read(
        self, what: str, work: Callable[[Connection], Found], engine: Engine | None = None
    ) -> Found:
        def read() -> Found:
            with (engine or self._database.reading).connect() as connection:
                return work(connection)

        return self._repeated(what, read, ATTEMPTS_MAX)

    def _write(
        self,
        what: str,
        work: Callable[[Connection], Found],
        *,
        attempts_max: int = ATTEMPTS_MAX,
    ) -> Found:
        def write() -> Found:
            is_sent = False
            try:
                with self._database.turn(), self._database.writing.connect() as connection:
                    found = work(connection)
                    is_sent = True
                    connection.commit()
                    return found
            except SQLAlchemyError as error:
                # Also what closing a connection raises lands here: once COMMIT is sent, only a
                # lost race says that nothing was written.
                if is_sent and not self._has_lost_race(error):
                    raise RegistryUnknown(f"{what}: {self._code(error)}") from None
                raise

        return self._repeated(what, write, attempts_max)

    def _repeated(self, what: str, work: Callable[[], Found], attempts_max: int) -> Found:
        attempt = 1
        while True:
            try:
                self._make_ready()
                return work()
            except SQLAlchemyError as error:
                if attempt == attempts_max or not self._may_repeat(error):
                    raise RegistryUnavailable(f"{what}: {self._code(error)}") from None
            finally:
                if self._is_closed:
                    self._database.writing.pool.dispose()
            self._pause_s(PAUSE_S * 2 ** (attempt - 1))
            attempt += 1

    def _make_ready(self) -> None:
        if self._is_ready:
            return
        with self._opening:
            if not self._is_ready:
                ensure_schema(self._database)
                self._is_ready = True

    def _may_repeat(self, error: SQLAlchemyError) -> bool:
        died = isinstance(error, DBAPIError) and error.connection_invalidated
        return died or self._has_lost_race(error)

    def _has_lost_race(self, error: SQLAlchemyError) -> bool:
        return isinstance(error, DBAPIError) and self._database.has_lost_race(error)

    def _code(self, error: SQLAlchemyError) -> str:
        if isinstance(error, DBAPIError):
            return self._database.code(error)
        return "no_connection_free" if isinstance(error, NoConnectionFree) else "error"


def _commit(connection: Connection, writes: Sequence[Write]) -> int:
    last_rev = sql.advance(connection, len(writes))
    live, held = sql.found_revs(connection, writes)
    lost = first_lost(writes, live)
    if lost is not None:
        raise RegistryConflict(lost.kind, lost.key)
    sql.put(connection, writes, last_rev, held)
    return last_rev


def _changes(connection: Connection, after: int, kinds: Sequence[Kind], limit: int) -> Changes:
    rev, forgotten = sql.head(connection)
    require_remembered(after, rev=rev, forgotten=forgotten)
    found = sql.changes(connection, after, kinds, limit + 1)
    records = found[:limit]
    return Changes(records=records, rev=rev if len(found) <= limit else records[-1].rev)


def _skip(connection: Connection, to: int) -> int:
    rev = sql.advance(connection, 0)  # No commit until the end.
    if rev >= to:
        return rev
    sql.set_head(connection, rev=to, forgotten=to)
    return to


def _close_past(connection: Connection, up_to: int) -> int:
    sql.advance(connection, 0)  # No commit until the end.
    rev, forgotten = sql.head(connection)
    last = sql.last_tombstone(connection, up_to)
    sql.set_head(connection, rev=rev, forgotten=max(forgotten, last))
    return last


def _load(connection: Connection, records: Iterable[Record], rev: int) -> None:
    if sql.advance(connection, 0):
        raise RegistryNotEmpty("the registry is not empty")
    sql.insert_all(connection, records)
    sql.set_head(connection, rev=rev, forgotten=rev)
