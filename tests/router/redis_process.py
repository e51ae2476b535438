"""A real Redis on a free loopback port, for as long as a test module needs it."""

import shutil
import socket
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import redis
from redis.backoff import ConstantBackoff
from redis.retry import Retry

PROGRAM = shutil.which("redis-server")


@contextmanager
def redis_running(folder: Path, password: str = "") -> Iterator[int]:
    """Run a server that keeps nothing on disk; lend its port."""
    with socket.create_server(("127.0.0.1", 0)) as held:
        port = int(held.getsockname()[1])
    command = [str(PROGRAM), "--port", str(port), "--bind", "127.0.0.1", "--save", "", "--dir"]
    command += [str(folder), *(["--requirepass", password] if password else [])]
    child = subprocess.Popen(command, stdout=subprocess.DEVNULL)
    try:
        _await(port, password)
        yield port
    finally:
        child.kill()
        child.wait(timeout=30)


def _await(port: int, password: str) -> None:
    # Refused until it listens: the client's own retries wait, at most 10 s.
    retry = Retry(ConstantBackoff(0.02), 500)
    with redis.Redis("127.0.0.1", port, password=password or None, retry=retry) as client:
        client.ping()
