"""`KeyFolder` in a folder of this machine: private files of mode 600, replaced as a whole.

Refuses to read a private file that others may read, and a name that leads out of the folder.
"""

import fcntl
import os
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from cell_control.adapters.replacing import replace_file
from cell_control.errors import Reason, Refused
from cell_core.domain.ids import is_id

PRIVATE: Final = 0o600
PUBLIC: Final = 0o644
FILE_BYTES_MAX: Final = 1024 * 1024

_LOCK: Final = ".lock"
_OTHERS: Final = stat.S_IRWXG | stat.S_IRWXO


class FileKeyFolder:
    """Keys in the folder `path`, made at the first write for its owner alone."""

    def __init__(self, path: Path) -> None:
        self._path = path

    @contextmanager
    def locked(self) -> Iterator[None]:
        """See `KeyFolder.locked`."""
        self._path.mkdir(mode=0o700, parents=True, exist_ok=True)
        with (self._path / _LOCK).open("w") as file:
            fcntl.flock(file, fcntl.LOCK_EX)
            yield

    def read(self, name: str) -> bytes | None:
        """See `KeyFolder.read`."""
        try:
            with self._at(name).open("rb") as file:
                if name.endswith(".private.jwk") and os.fstat(file.fileno()).st_mode & _OTHERS:
                    raise _exposed(name)
                return file.read(FILE_BYTES_MAX)
        except FileNotFoundError:
            return None

    def write(self, name: str, content: bytes, *, private: bool) -> None:
        """See `KeyFolder.write`."""
        # Made with mode 600, so that there is no moment at which others may read it.
        replace_file(self._at(name), content, mode=PRIVATE if private else PUBLIC)

    def remove(self, name: str) -> None:
        """See `KeyFolder.remove`."""
        self._at(name).unlink(missing_ok=True)

    def _at(self, name: str) -> Path:
        if not all(map(is_id, name.split("/"))) or "/" in name:
            raise ValueError("a file's name, without a folder")
        return self._path / name


def _exposed(name: str) -> Refused:
    text = f"{name} may be read by others: make a new key, retire this one, and use mode 600."
    return Refused("key_exposed", [Reason(code="key_exposed", subject=name, text=text)])
