"""PostgreSQL below the registry, or whatever speaks its protocol, such as CockroachDB.

Commits queue at a row lock, so PostgreSQL never has to refuse one; where a database is
optimistic instead, it says 40001 and the commit is done again. Everything waits a bounded time.
Refuses options in a URL that it does not know.
"""

from collections.abc import Mapping
from contextlib import nullcontext
from typing import Any, Final

import sqlalchemy as sa
from sqlalchemy.dialects import registry as dialects
from sqlalchemy.dialects.postgresql.psycopg import PGDialect_psycopg
from sqlalchemy.engine import URL, Connection
from sqlalchemy.exc import DBAPIError
from sqlalchemy.pool import QueuePool

from cell_control.adapters.registry_sql_schema import SqlDatabase

POOL_SIZE: Final = 8
POOL_S: Final = 5.0
CONNECT_S: Final = 5
STATEMENT_MS: Final = 5000
LOCK_MS: Final = 4000
IDLE_IN_TRANSACTION_MS: Final = 10_000
RECYCLE_S: Final = 1800

OPTIONS: Final = frozenset(
    {"host", "port", "sslmode", "sslrootcert", "sslcert", "sslkey", "target_session_attrs"}
)
"""What a URL may add; timeouts are not among it."""

_SETTINGS = {
    "statement_timeout": STATEMENT_MS,
    "lock_timeout": LOCK_MS,
    "idle_in_transaction_session_timeout": IDLE_IN_TRANSACTION_MS,
}
_CONNECT: Final[Mapping[str, Any]] = {
    "connect_timeout": CONNECT_S,
    "application_name": "cell-control",
    "options": " ".join(f"-c {name}={ms}" for name, ms in _SETTINGS.items()),
    "keepalives_idle": 15,
    "keepalives_interval": 5,
    "keepalives_count": 3,
    "tcp_user_timeout": 15_000,
}
_LOST_RACES = ("40001", "40P01")
_NAME = "postgresql.cell_registry"


class WireDialect(PGDialect_psycopg):
    """The dialect without its questions about the server's version.

    Others than PostgreSQL answer them in words that it cannot read, and no statement of the
    registry needs more than this one.
    """

    supports_statement_cache = True

    def _get_server_version_info(self, connection: Connection) -> tuple[int, ...]:  # noqa: ARG002 - SQLAlchemy's signature
        return (13,)


def open_postgres(url: URL) -> SqlDatabase:
    """Return the database at `url`, whose driver's name does not matter.

    Raises:
        ValueError: `url` has an option that is not in `OPTIONS`.
    """
    if not OPTIONS.issuperset(url.query):
        raise ValueError(f"a registry's URL has options among {', '.join(sorted(OPTIONS))} only")
    dialects.register(_NAME, __name__, WireDialect.__name__)
    engine = sa.create_engine(
        url.set(drivername=_NAME.replace(".", "+")),
        connect_args=dict(_CONNECT),
        use_native_hstore=False,
        poolclass=QueuePool,
        pool_size=POOL_SIZE,
        max_overflow=0,
        pool_timeout=POOL_S,
        pool_recycle=RECYCLE_S,
        hide_parameters=True,
    )
    return SqlDatabase(
        reading=engine.execution_options(isolation_level="AUTOCOMMIT"),
        snapshot=engine.execution_options(isolation_level="REPEATABLE READ"),
        writing=engine.execution_options(isolation_level="READ COMMITTED"),
        turn=nullcontext,
        has_lost_race=lambda error: _code(error) in _LOST_RACES,
        code=_code,
    )


def _code(error: DBAPIError) -> str:
    return str(getattr(error.orig, "sqlstate", None) or "no_connection")
