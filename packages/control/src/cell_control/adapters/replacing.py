"""A file replaced as a whole: whoever reads it finds the old content or the new."""

import fcntl
import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


def replace_file(path: Path, data: bytes, *, mode: int) -> None:
    """Write `data` beside `path`, make it durable, and put it in its place.

    Raises:
        OSError: It cannot be written; `path` is as it was.
    """
    descriptor, beside = tempfile.mkstemp(prefix=f".{path.name}.", dir=path.parent)
    try:
        with os.fdopen(descriptor, "wb") as file:
            os.fchmod(file.fileno(), mode)
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        Path(beside).replace(path)
    except BaseException:
        Path(beside).unlink(missing_ok=True)
        raise


@contextmanager
def only_writer(path: Path) -> Iterator[None]:
    """Wait until nobody else who asks here writes `path`; a killed process lets go by itself.

    Raises:
        OSError: Its folder cannot be opened.
    """
    # The folder is locked, as the file itself is replaced.
    descriptor = os.open(path.absolute().parent, os.O_RDONLY)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield
    finally:
        os.close(descriptor)
