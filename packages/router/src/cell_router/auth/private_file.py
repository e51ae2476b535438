"""Replaces a file that is its owner's alone: a reader sees the old bytes or the new, never half."""

import os
import tempfile
from pathlib import Path


def replace_file(path: Path, raw: bytes) -> None:
    """Put `raw` in place of `path`, readable by its owner only, and on disk when this returns.

    Raises:
        OSError: Nothing has changed, and nothing is left behind.
    """
    handle, name = tempfile.mkstemp(dir=path.absolute().parent, prefix=f".{path.name}.")  # 0600
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(raw)
            file.flush()
            os.fsync(file.fileno())
        Path(name).replace(path)
    except BaseException:
        Path(name).unlink(missing_ok=True)
        raise
