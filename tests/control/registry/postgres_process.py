"""A real PostgreSQL in a temporary folder, on a Unix socket and a free loopback port.

It refuses to run as root, so there it is run as `postgres` or, if there is no such user, `nobody`.
"""

import os
import pwd
import shutil
import signal
import socket
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psycopg

_USERS = ("postgres", "nobody")
_ATTEMPTS_MAX = 200


@dataclass(frozen=True, slots=True)
class Postgres:
    """A server that runs.

    Attributes:
        url: Through its Unix socket.
        port: On 127.0.0.1.
    """

    url: str
    port: int


def programs() -> Path | None:
    """Return the folder with `initdb` and `postgres`, the newest if there are several."""
    found = shutil.which("initdb")
    folders = [Path(found).resolve().parent] if found else []
    folders += sorted(
        Path("/usr/lib/postgresql").glob("*/bin"), key=lambda p: _number(p.parent.name)
    )[::-1]
    whole = [f for f in folders if (f / "initdb").exists() and (f / "postgres").exists()]
    return whole[0] if whole else None


@contextmanager
def postgres_running(*, fsync: bool = False) -> Iterator[Postgres]:
    """Run a server with an empty database; without `fsync` it forgets all when the machine does."""
    folder = Path(tempfile.mkdtemp(prefix="cells-pg-"))
    try:
        with _server(folder, fsync=fsync) as server:
            yield server
    finally:
        shutil.rmtree(folder)


@contextmanager
def _server(folder: Path, *, fsync: bool) -> Iterator[Postgres]:
    bin_folder, who = programs(), _who(folder)
    assert bin_folder is not None
    data = folder / "data"
    initdb: list[str | Path] = [bin_folder / "initdb", "-D", data, "-U", "cells"]
    initdb += ["-A", "trust", "-E", "UTF8", "--locale=C.UTF-8", "--no-sync", "--no-instructions"]
    subprocess.run(initdb, check=True, stdout=subprocess.DEVNULL, **who)
    with socket.create_server(("127.0.0.1", 0)) as held:
        port = int(held.getsockname()[1])
    settings = {
        "listen_addresses": "127.0.0.1",
        "port": port,
        "unix_socket_directories": folder,
        "fsync": "on" if fsync else "off",
        "shared_buffers": "128MB",
        "max_connections": 100,
    }
    command: list[str | Path] = [bin_folder / "postgres", "-D", data]
    for name, value in settings.items():
        command += ["-c", f"{name}={value}"]
    with (folder / "log").open("wb") as log:
        child = subprocess.Popen(command, stderr=log, **who)
    url = f"postgresql://cells@/postgres?host={folder}&port={port}"
    try:
        _await(url, child, folder / "log")
        yield Postgres(url, port)
    finally:
        child.send_signal(signal.SIGQUIT)  # At once: nothing is kept.
        child.wait(timeout=30)


def _who(folder: Path) -> dict[str, Any]:
    """Return as whom to run it, and let that user have `folder`."""
    if os.geteuid() != 0:
        return {"cwd": folder}
    known = {user.pw_name for user in pwd.getpwall()}
    user = pwd.getpwnam(next(name for name in _USERS if name in known))
    os.chown(folder, user.pw_uid, user.pw_gid)
    return {"user": user.pw_uid, "group": user.pw_gid, "extra_groups": [], "cwd": folder}


def _await(url: str, child: subprocess.Popen[bytes], log: Path) -> None:
    for _ in range(_ATTEMPTS_MAX):
        try:
            psycopg.connect(url).close()
        except psycopg.OperationalError:
            try:
                child.wait(timeout=0.05)  # Until it listens, or has given up.
            except subprocess.TimeoutExpired:
                continue
            break
        else:
            return
    raise AssertionError(log.read_text(errors="replace"))


def _number(text: str) -> int:
    return int(text) if text.isdigit() else 0
