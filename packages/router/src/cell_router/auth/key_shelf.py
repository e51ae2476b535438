"""Keeps an issuer's last good key set over a restart, so that its being down does not end service.

Without it a reload while the issuer is down would lose the 24 hours that its keys are good for.
The file is trusted as the configuration is: whoever writes it decides who may sign.
"""

from pathlib import Path
from typing import Final, Protocol

from cell_router.auth.key_set import SET_BYTES_MAX
from cell_router.replacing import replace_file

_TIME_BYTES_MAX: Final = 12


class KeyShelf(Protocol):
    """A place for one key set. Failing is its own affair: it raises nothing."""

    def keep(self, raw: bytes, fetched_s: int) -> None:
        """Keep `raw` in place of what is there."""

    def last(self) -> tuple[bytes, int] | None:
        """Return the set kept and when it was fetched, in wall clock seconds."""


class NoShelf:
    """Keeps nothing."""

    def keep(self, raw: bytes, fetched_s: int) -> None:
        """Drop it."""

    def last(self) -> tuple[bytes, int] | None:
        """Return None."""
        return None


class FileShelf:
    """One file per issuer: the time, a line break, and the set as it came."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def keep(self, raw: bytes, fetched_s: int) -> None:
        """Replace the file."""
        try:
            replace_file(self._path, [b"%d\n%s" % (fetched_s, raw)], mode=0o600)
        except OSError:
            return  # A read-only disk costs the memory of a restart and nothing else.

    def last(self) -> tuple[bytes, int] | None:
        """Read the file, if it is there and one of these."""
        try:
            with self._path.open("rb") as file:
                time_s, found, raw = file.read(_TIME_BYTES_MAX + 1 + SET_BYTES_MAX).partition(b"\n")
        except OSError:
            return None
        if not found or not time_s.isdigit() or len(time_s) > _TIME_BYTES_MAX:
            return None
        return raw, int(time_s)
