"""A snapshot in a file that is replaced as a whole; routers on the same disk watch it."""

from pathlib import Path
from typing import Final

from cell_control.adapters.replacing import only_writer, replace_file
from cell_control.adapters.targets.claimed import BEGINNING_BYTES, claimed_rev
from cell_control.errors import Unavailable

_MODE: Final = 0o644
"""Routers run as other users; it is signed, and secret it is not."""


class FileTarget:
    """A target without a feed."""

    feed = None

    def __init__(self, path: Path) -> None:
        self._path = path

    def rev(self) -> int:
        """Return the rev of the snapshot there; -1 for none."""
        try:
            with self._path.open("rb") as file:
                return claimed_rev(file.read(BEGINNING_BYTES))
        except FileNotFoundError:
            return -1
        except OSError:
            raise Unavailable("target_unreachable") from None

    def put_snapshot(self, rev: int, data: bytes) -> bool:
        """Put it there unless what is there is as new; say whether it was put."""
        try:
            with only_writer(self._path):
                if self.rev() >= rev:
                    return False
                replace_file(self._path, data, mode=_MODE)
                return True
        except OSError:
            raise Unavailable("target_unreachable") from None

    def close(self) -> None:
        """Nothing is held."""
