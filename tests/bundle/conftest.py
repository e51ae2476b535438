"""The zips under test, built once for the Python that runs the tests and unpacked once."""

import json
import subprocess
import sys
import zipfile
from dataclasses import dataclass
from pathlib import Path

import pytest

from tools import bundle, cold_start

# Nothing may be compiled while importing, and nothing may leave this machine: both are refused.
_PRELUDE = """
import importlib.machinery, json, socket, sys
sys.path[:0] = json.loads(sys.argv[1])
compile_source = importlib.machinery.SourceFileLoader.source_to_code
def refuse_to_compile(self, data, path, *rest, **more):
    # The machine's own standard library may lie there uncompiled: it is no part of the zip.
    assert not path.startswith(sys.path[0]), f"{path} is not compiled"
    return compile_source(self, data, path, *rest, **more)
importlib.machinery.SourceFileLoader.source_to_code = refuse_to_compile
connect = socket.socket.connect
def only_loopback(self, address):
    if address[0] != "127.0.0.1":
        raise OSError(f"unplugged: {address[0]}")
    return connect(self, address)
def no_names(host, *rest, **more):
    if host not in ("127.0.0.1", "localhost"):
        raise socket.gaierror(socket.EAI_AGAIN, f"unplugged: {host}")
    return resolve(host, *rest, **more)
resolve = socket.getaddrinfo
socket.socket.connect, socket.getaddrinfo = only_loopback, no_names
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Built:
    """One zip, and a folder with what was in it."""

    deployable: bundle.Deployable
    target: bundle.Target
    path: Path
    folder: Path

    @property
    def libraries(self) -> Path:
        return self.folder / self.deployable.libraries

    def entries(self) -> list[zipfile.ZipInfo]:
        with zipfile.ZipFile(self.path) as opened:
            return opened.infolist()

    def run(self, code, *, env=None):
        """Run `code` in a fresh interpreter that sees only this zip, and return what it prints."""
        paths = json.dumps([str(self.folder), str(self.libraries)])
        done = subprocess.run(
            [sys.executable, "-I", "-S", "-c", _PRELUDE + code, paths],
            capture_output=True,
            text=True,
            check=False,
            timeout=60,
            env={**cold_start.ENVIRONMENT, **(env or {})},
        )
        assert done.returncode == 0, done.stderr
        return done.stdout


# What cells are tested with is there; to compile and pack the others takes a minute.
_CELLS = [pytest.param(cell, id=cell.name) for cell in bundle.CELLS]
_OTHERS = [
    pytest.param(each, marks=pytest.mark.slow, id=each.name)
    for each in (bundle.ROUTER, *bundle.RELAYS)
]
_EACH = [*_CELLS, *_OTHERS]


@pytest.fixture(scope="session", params=_EACH)
def built(request, tmp_path_factory):
    deployable = request.param
    version = f"{sys.version_info.major}.{sys.version_info.minor}"
    target = bundle.target_for(version, uv=bundle.find_uv())
    path = bundle.ensure(deployable, target)
    folder = tmp_path_factory.mktemp(deployable.name)
    with zipfile.ZipFile(path) as opened:
        opened.extractall(folder)
    return Built(deployable=deployable, target=target, path=path, folder=folder)
