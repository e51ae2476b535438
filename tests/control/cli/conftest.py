"""One control plane with loops for all tests here: two cells are open, a third is not declared."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from cell_control.adapters.registry_memory import MemoryRegistry
from cell_control.server.config import Loops
from tests.control.cli.terminal import Terminal
from tests.control.server.serving_plane import served


@pytest.fixture(scope="package")
def plane(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Terminal]:
    folder = tmp_path_factory.mktemp("plane")
    with served(folder, MemoryRegistry(), loops=Loops()) as serving:
        operator = Terminal(folder, serving.url.removesuffix("/v1/registry"))
        for ordinal, cell in enumerate(("aws-alpha", "azure-beta"), 1):
            operator.ok(
                "cell", "add", cell, "--ordinal", ordinal, "--cloud", cell.partition("-")[0],
                "--region", "local", "--url", f"https://{cell}.example", "--activate",
            )  # fmt: skip
        yield operator


@pytest.fixture
def me(plane: Terminal, tmp_path: Path) -> Terminal:
    """An operator of that control plane."""
    return Terminal(tmp_path, plane.server)
