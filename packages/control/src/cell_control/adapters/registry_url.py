"""Which registry a URL means. Refuses, without repeating a word of it, a URL that means none."""

from sqlalchemy.engine import URL, make_url
from sqlalchemy.exc import ArgumentError

from cell_control.adapters.registry_postgres import open_postgres
from cell_control.adapters.registry_sql import SqlRegistry
from cell_control.adapters.registry_sqlite import open_sqlite

_FORMS = "a registry's URL is sqlite:///path or postgresql://user@host/database"


def open_registry(url: str) -> SqlRegistry:
    """Return the registry at `url`; nothing is connected yet.

    `sqlite:///relative/path` or `sqlite:////absolute/path`, made at its first use; or
    `postgresql://user:password@host:port/database`, also for what speaks its protocol.

    Raises:
        ValueError: It is neither; the message holds nothing of `url`.
    """
    try:
        parsed = make_url(url)
    except (ArgumentError, ValueError):
        raise ValueError(_FORMS) from None
    if parsed.drivername == "sqlite":
        return SqlRegistry(open_sqlite(_path(parsed)))
    if parsed.drivername in ("postgresql", "postgres"):
        return SqlRegistry(open_postgres(parsed))
    raise ValueError(_FORMS)


def _path(url: URL) -> str:
    path = url.database or ""
    is_file = path and path != ":memory:" and not path.startswith("file:")
    if not is_file or url.host or url.username or url.query:
        raise ValueError(_FORMS)
    return path
