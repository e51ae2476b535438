"""Files of tables in object stores, as DuckDB reads them in place: a part when it needs one.

They are read through delta-rs's own store, so that whoever may open a table may read its files.
Refuses to write.
"""

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Final

# What it gives pyarrow, without pyarrow; the package is pinned to a minor version.
from deltalake._internal import DeltaFileSystemHandler
from deltalake.exceptions import DeltaError
from fsspec import AbstractFileSystem

if TYPE_CHECKING:
    from deltalake import DeltaTable

SCHEME: Final = "lake"
_NEVER: Final = datetime(1970, 1, 1, tzinfo=UTC)


class StoreSilent(Exception):
    """The object store did not answer. DuckDB's own error begins with this name then."""


class StoreFiles(AbstractFileSystem):  # type: ignore[misc]  # fsspec publishes no types.
    """What a DuckDB connection reads below `lake://`; any number of tables."""

    protocol = SCHEME
    cachable = False

    def __init__(self) -> None:
        """Hold no file yet."""
        super().__init__()
        self._tables: list[DeltaFileSystemHandler] = []
        self._sizes: dict[str, int] = {}

    def add(self, table: "DeltaTable", options: Mapping[str, str] | None) -> list[str]:
        """Return the names that the files of the state of `table` can be read by from now on.

        Raises:
            DeltaError, OSError: The store did not answer.
        """
        found = table.get_add_actions(flatten=True)
        sizes = dict(zip(found["path"].to_pylist(), found["size_bytes"].to_pylist(), strict=True))
        number = len(self._tables)
        given = dict(options) if options else None
        self._tables.append(DeltaFileSystemHandler(table.table_uri, given, sizes))
        self._sizes |= {f"{number}/{path}": size for path, size in sizes.items()}
        return [f"{SCHEME}://{number}/{path}" for path in sizes]

    def glob(self, path: str, **_: object) -> list[str]:
        """Return the file of that name alone: no name is a pattern."""
        return [self._strip_protocol(path)]

    def open(self, path: str, mode: str = "rb", **_: object) -> "_Reader":
        """Return a reader of the file."""
        if mode != "rb":
            raise PermissionError("A lake is only read here.")
        number, _slash, inner = self._strip_protocol(path).partition("/")
        return _Reader(self._tables[int(number)].open_input_file(inner))

    def size(self, path: str) -> int:
        """Return its bytes, as the table's log has them."""
        return self._sizes[self._strip_protocol(path)]

    def modified(self, path: str) -> datetime:  # noqa: ARG002 - fsspec's method
        """Return when it last changed: files of a Delta table do not."""
        return _NEVER


class _Reader:
    """A file that DuckDB reads: what the store says of a failure goes no further."""

    def __init__(self, file: Any) -> None:  # noqa: ANN401 - a class of delta-rs without a name
        self._file = file
        self.seek, self.tell, self.close = file.seek, file.tell, file.close

    def read(self, count: int) -> bytes:
        """Return up to `count` bytes."""
        try:
            return bytes(self._file.read(count))
        except (DeltaError, OSError) as fault:
            # Its text may hold a URL, and that a signature.
            raise StoreSilent(type(fault).__name__) from None
