"""A bearer token or a password from a file, read anew each time: it may have been rotated."""

from pathlib import Path
from typing import Final

from cell_router.ports import SourceUnavailable

CREDENTIAL_BYTES_MAX: Final = 8192


def read_credential(path: Path) -> str:
    """Return what the file holds, without white space around it.

    Raises:
        SourceUnavailable: `credential_unreadable`: it cannot be read, is empty or cannot be one.
    """
    try:
        with path.open("rb") as file:
            text = file.read(CREDENTIAL_BYTES_MAX).decode("ascii").strip()
    except (OSError, UnicodeDecodeError):
        raise SourceUnavailable("credential_unreadable") from None
    if not text or not text.isprintable():
        raise SourceUnavailable("credential_unreadable")
    return text
