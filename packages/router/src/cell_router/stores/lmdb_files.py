"""The files of an LMDB cache: opened, checked, locked for one writer, moved aside when unusable.

LMDB keeps no checksums: what is checked is its header, this format's mark and that the file is as
long as the header says (reading behind its end would kill the process). Refuses to repair: a cache
that fails a check is moved aside, one deep, and the next snapshot fills a new one.
"""

import contextlib
import fcntl
import os
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import lmdb

from cell_core.domain.errors import InvariantBroken, Unavailable

DATA: Final = "data.mdb"
LOCK: Final = "lock.mdb"
WRITER_LOCK: Final = "writer.lock"
ASIDE: Final = ".unusable"
READERS_MAX: Final = 512

_FORMAT_KEY, _FORMAT = b"m:format", b"cells-registry 1"


@dataclass(frozen=True, slots=True)
class Opened:
    """An environment and its two tables: tenants by name, and everything else by key."""

    env: lmdb.Environment
    tenants: "lmdb._Database"
    rest: "lmdb._Database"


def open_to_read(directory: Path) -> Opened:
    """Open what a writer made.

    Raises:
        InvariantBroken: `cache_unusable`: it is not there, or not a cache of this format.
    """
    return _open(directory, 0, readonly=True)


def open_to_write(directory: Path, map_bytes: int) -> Opened:
    """Open, or make, the cache in `directory`.

    Raises:
        InvariantBroken: `cache_unusable`: there is a file that is not a sound cache.
        Unavailable: The directory cannot be written.
    """
    try:
        directory.mkdir(mode=0o700, parents=True, exist_ok=True)
    except OSError as error:
        raise _unavailable(error) from None
    return _open(directory, map_bytes, readonly=False)


def lock_for_writing(directory: Path) -> int:
    """Return a descriptor that makes this process the one writer until it is closed.

    Raises:
        Unavailable: Another process is, or the directory cannot be written.
    """
    try:
        directory.mkdir(mode=0o700, parents=True, exist_ok=True)
        descriptor = os.open(directory / WRITER_LOCK, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    except OSError as error:
        raise _unavailable(error) from None
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as error:
        os.close(descriptor)
        raise _unavailable(error) from None
    return descriptor


def move_aside(directory: Path) -> None:
    """Rename the cache's files, over those of an earlier time; the disk never fills with them."""
    for name in (DATA, LOCK):
        with contextlib.suppress(FileNotFoundError):
            (directory / name).replace(directory / (name + ASIDE))


def make_whole(opened: Opened) -> None:
    """Extend the file to the length its header speaks of.

    LMDB does not write pages that it freed again within one transaction, so a sound file may end
    before its last page; `_require_whole` could not tell it from one that was cut.
    """
    path = Path(opened.env.path()) / DATA
    if path.stat().st_size < _whole_bytes(opened.env):
        os.truncate(path, _whole_bytes(opened.env))


def _open(directory: Path, map_bytes: int, *, readonly: bool) -> Opened:
    try:
        env = lmdb.open(
            str(directory),
            map_size=map_bytes,
            max_dbs=2,
            max_readers=READERS_MAX,
            max_spare_txns=2,
            mode=0o600,
            readahead=False,
            readonly=readonly,
            create=not readonly,
        )
    except lmdb.Error as error:
        raise _unusable(error) from None
    try:
        return _check(env, directory, readonly=readonly)
    except BaseException:
        env.close()
        raise


def _check(env: lmdb.Environment, directory: Path, *, readonly: bool) -> Opened:
    _require_whole(env, directory)
    try:
        if not readonly and env.stat()["entries"] == 0:
            return _lay_out(env)
        tenants = env.open_db(b"tenants", create=False)
        rest = env.open_db(b"rest", create=False)
        with env.begin() as txn:
            if txn.get(_FORMAT_KEY, None, rest) != _FORMAT:
                raise InvariantBroken("cache_unusable")
    except lmdb.Error as error:
        raise _unusable(error) from None
    return Opened(env, tenants, rest)


def _lay_out(env: lmdb.Environment) -> Opened:
    with env.begin(write=True) as txn:
        tenants = env.open_db(b"tenants", txn)
        rest = env.open_db(b"rest", txn)
        mark(txn, rest)
    return Opened(env, tenants, rest)


def mark(txn: "lmdb.Transaction[bytes]", rest: "lmdb._Database") -> None:
    """Write this format's mark."""
    txn.put(_FORMAT_KEY, _FORMAT, db=rest)


def _require_whole(env: lmdb.Environment, directory: Path) -> None:
    if (directory / DATA).stat().st_size < _whole_bytes(env):
        raise InvariantBroken("cache_unusable")


def _whole_bytes(env: lmdb.Environment) -> int:
    return (env.info()["last_pgno"] + 1) * env.stat()["psize"]


def _unusable(error: lmdb.Error) -> InvariantBroken:
    refused = InvariantBroken("cache_unusable")
    refused.reason = type(error).__name__
    return refused


def _unavailable(error: OSError) -> Unavailable:
    refused = Unavailable("registry_cache")
    refused.reason = type(error).__name__
    return refused
