"""The file of tokens on this machine: read, and changed as a whole by one process at a time."""

from collections.abc import Callable
from pathlib import Path

from cell_control.adapters.replacing import only_writer, replace_file
from cell_control.server.token_file import (
    FILE_BYTES_MAX,
    NO_TOKENS,
    TokenFile,
    read_token_file,
    write_token_file,
)


def read_tokens(path: Path, now_s: int) -> TokenFile:
    """Return what the file at `path` holds.

    Raises:
        Invalid: It is no file of tokens.
        OSError: It cannot be read.
    """
    with path.open("rb") as file:
        return read_token_file(file.read(FILE_BYTES_MAX + 1), now_s)


def change_tokens(path: Path, now_s: int, change: Callable[[TokenFile], TokenFile]) -> None:
    """Replace the file at `path` by what `change` makes of it; without one, of no tokens.

    Raises:
        Invalid: It is no file of tokens; or of `change`.
        OSError: It cannot be read or written.
    """
    with only_writer(path):
        held = read_tokens(path, now_s) if path.exists() else NO_TOKENS
        replace_file(path, write_token_file(change(held)), mode=0o600)
