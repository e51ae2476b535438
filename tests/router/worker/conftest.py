"""One isolate for all tests here: Pyodide from npm, and the bundle as it is deployed."""

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.npm_packages import installed
from tests.router.worker.edge import Edge
from tests.router.worker.isolate import HERE, Isolate
from tools import worker_bundle

INSTALLED = worker_bundle.ROOT / "build" / "worker_harness"


@pytest.fixture(scope="session")
def node() -> str:
    found = shutil.which("node")
    if found is None or shutil.which("npm") is None:
        pytest.skip("THE WORKER IS NOT TESTED: node and npm (Node.js 20 or later) are missing")
    return found


@pytest.fixture(scope="session")
def pyodide(node) -> Path:
    """Return the locked Pyodide."""
    return installed(HERE, INSTALLED) / "node_modules" / "pyodide" / "pyodide.mjs"


@pytest.fixture(scope="session")
def bundle(tmp_path_factory) -> Path:
    output = tmp_path_factory.mktemp("worker") / "bundle"
    worker_bundle.build(output)
    return output


@pytest.fixture(scope="session")
def isolate(node, pyodide, bundle) -> Iterator[Isolate]:
    started = Isolate(node=node, pyodide=pyodide, bundle=bundle)
    yield started
    started.close()


@pytest.fixture(scope="session")
def edge() -> Edge:
    return Edge()
