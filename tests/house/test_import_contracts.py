"""Each import contract can fail: a forbidden import, planted in a copy of the tree, is objected to.

All are planted at once and linted once, because building the graph is what takes the time; each
test looks for its own import in the report of its own contract.
"""

import os
import re
import shutil
import subprocess
import sys
import tomllib
from dataclasses import dataclass
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
CONTRACTS = {
    contract["id"]: contract["name"]
    for contract in tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["importlinter"][
        "contracts"
    ]
}
AWS, AZURE = "cell_adapters_aws", "cell_adapters_azure"

NEVER_IN_CORE = ["boto3", "azure", "socket", "urllib", "http", "asyncio"]
NEVER_BELOW_APP = ["pydantic", "os", "random", "threading", "logging"]

# Which contract forbids which modules which imports.
FORBIDDEN: list[tuple[str, list[str], list[str]]] = [
    ("packages", ["cell_core.memory"], ["cell_devstack.process", f"{AWS}.store", f"{AZURE}.store"]),
    ("packages", [f"{AWS}.envelope"], [f"{AZURE}.errors", "cell_devstack.process"]),
    ("packages", [f"{AZURE}.envelope"], [f"{AWS}.errors", "cell_devstack.process"]),
    ("core-layers", ["cell_core.domain.ids"], ["cell_core.wire.message"]),
    ("core-layers", ["cell_core.wire.message"], ["cell_core.ports"]),
    ("core-layers", ["cell_core.ports"], ["cell_core.service.plan"]),
    ("core-layers", ["cell_core.service.plan"], ["cell_core.schema", "cell_core.memory"]),
    ("core-layers", ["cell_core.schema"], ["cell_core.domains.ledger"]),
    ("core-layers", ["cell_core.domains.ledger"], ["cell_core.app.answers"]),
    ("core-layers", ["cell_core.app.answers"], ["cell_core.memory"]),
    ("core-layers", ["cell_core.memory"], ["cell_core.system"]),
    (
        "core-pure",
        ["cell_core.domain.ids", "cell_core.ports", "cell_core.service.plan"],
        ["jwt", "cryptography", "botocore", "time", *NEVER_IN_CORE, *NEVER_BELOW_APP],
    ),
    (
        "wire-pure",
        ["cell_core.wire.message"],
        ["botocore", "time", *NEVER_IN_CORE, *NEVER_BELOW_APP],
    ),
    (
        "core-neutral",
        ["cell_core.app.answers", "cell_core.memory", "cell_core.schema"],
        ["botocore", "aws_lambda_powertools", *NEVER_IN_CORE],
    ),
    *(
        ("adapter-layers", [f"{package}.{low}"], [f"{package}.{high}"])
        for package in (AWS, AZURE)
        for low, high in [
            ("handler", "bootstrap"),
            ("store", "handler"),
            ("store", "changes"),
            ("changes", "store"),
            ("errors", "store"),
            ("errors", "documents"),
            ("documents", "envelope"),
        ]
    ),
    ("aws-only", [f"{AWS}.store", f"{AWS}.envelope"], ["azure"]),
    ("azure-only", [f"{AZURE}.store"], ["boto3", "botocore", "aws_lambda_powertools"]),
    (
        "packages",
        ["cell_router.mint"],
        [f"{AWS}.errors", f"{AZURE}.errors", "cell_devstack.process"],
    ),
    ("packages", [f"{AWS}.errors", f"{AZURE}.errors"], ["cell_router.mint"]),
    (
        "router-neutral",
        ["cell_router.replies"],
        ["boto3", "botocore", "azure", "cell_core.memory", "cell_core.schema", "cell_core.system"],
    ),
    *(
        ("router-layers", [f"cell_router.{low}"], [f"cell_router.{high}"])
        for low, high in [
            ("limits", "messages"),
            ("registry", "decide"),
            ("decide", "breaker"),
            ("coalesce", "exchange"),
            ("tenancy", "edge"),
            ("edge", "server.pool"),
            ("sources.file", "stores.memory"),
            ("server.client", "bootstrap"),
            ("direct", "registry_publish"),
        ]
    ),
    (
        "edge-pure",
        ["cell_router.budget", "cell_router.edge"],
        ["os", "socket", "asyncio", "threading", "time", "http", "urllib3", "lmdb", "httptools"],
    ),
    ("packages", ["cell_control.ports"], [f"{AWS}.errors", "cell_router.mint"]),
    ("packages", ["cell_lake.errors"], [f"{AWS}.errors", "cell_control.ports", "cell_router.mint"]),
    ("packages", ["cell_lake.errors"], ["cell_relay_aws.handler", "cell_relay_azure.handler"]),
    ("aws-only", ["cell_relay_aws.handler"], ["azure", f"{AZURE}.errors"]),
    ("azure-only", ["cell_relay_azure.handler"], ["botocore", f"{AWS}.errors"]),
    ("packages", ["cell_router.mint"], ["cell_control.ports"]),
    (
        "control-neutral",
        ["cell_control.codec"],
        ["boto3", "botocore", "azure", "cell_core.memory", "cell_core.service.plan"],
    ),
    *(
        ("control-layers", [f"cell_control.{low}"], [f"cell_control.{high}"])
        for low, high in [
            ("errors", "domain.records"),
            ("domain.records", "ports"),
            ("ports", "codec"),
            ("codec", "flows.effects"),
            ("flows.effects", "service.tenants"),
            ("flows.effects", "adapters.registry_memory"),
            ("service.tenants", "adapters.registry_memory"),
            ("adapters.registry_memory", "server.feed"),
            ("server.feed", "bootstrap"),
        ]
    ),
    (
        "control-pure",
        ["cell_control.domain.reconcile", "cell_control.flows.mover"],
        ["os", "socket", "asyncio", "threading", "time", "random", "httpx", "sqlalchemy"],
    ),
    ("packages", ["cell_lake.ports"], [f"{AWS}.errors", "cell_router.mint", "cell_control.ports"]),
    ("packages", ["cell_control.ports"], ["cell_lake.ports"]),
    (
        "lake-neutral",
        ["cell_lake.errors"],
        ["boto3", "botocore", "azure", "pyarrow", "cell_core.memory", "cell_core.service.plan"],
    ),
    *(
        ("lake-layers", [f"cell_lake.{low}"], [f"cell_lake.{high}"])
        for low, high in [
            ("domain.rows", "errors"),
            ("errors", "ports"),
            ("ports", "flows.steps"),
            ("flows.steps", "arrow"),
            ("arrow", "table_delta"),
            ("table_memory", "relay"),
            ("relay", "function"),
            ("views", "query"),
        ]
    ),
    (
        "lake-pure",
        ["cell_lake.domain.rows", "cell_lake.flows.publish"],
        ["os", "socket", "asyncio", "threading", "time", "random", "deltalake", "duckdb"],
    ),
]

PLANTS = [
    (contract, importer, imported)
    for contract, importers, imports in FORBIDDEN
    for importer in importers
    for imported in imports
]

STRAY = [
    ("core-layers", "cell_core"),
    ("adapter-layers", AWS),
    ("adapter-layers", AZURE),
    ("router-layers", "cell_router"),
    ("control-layers", "cell_control"),
    ("lake-layers", "cell_lake"),
]


@dataclass(frozen=True)
class Report:
    passed: bool
    text: str

    def about(self, contract: str) -> str:
        """Return what the report says beneath the heading of a broken contract, or nothing."""
        heading = re.escape(CONTRACTS[contract])
        found = re.search(rf"^{heading}\n-+\n(.*?)(?=^-+$|\Z)", self.text, re.M | re.S)
        return found[1] if found else ""


class Tree:
    """A copy of the packages' sources and of the linter's configuration."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        shutil.copy(ROOT / "pyproject.toml", folder)
        deployed = ROOT.glob("packages/*/deploy/*/src/*")
        for source in (*ROOT.glob("packages/*/src/*"), *deployed):
            if (source / "__init__.py").exists():
                ignored = shutil.ignore_patterns("__pycache__")
                shutil.copytree(source, folder / source.name, ignore=ignored)

    def plant(self, module: str, line: str) -> None:
        file = self.folder / f"{module.replace('.', '/')}.py"
        before = file.read_text() if file.exists() else '"""Planted."""\n'
        file.write_text(f"{before}\n{line}\n")

    def lint(self) -> Report:
        linter = Path(sys.executable).with_name("lint-imports")
        done = subprocess.run(
            [linter, "--no-cache", "--config", "pyproject.toml"],
            cwd=self.folder,
            env={"PATH": os.defpath, "PYTHONPATH": str(self.folder), "COLUMNS": "200"},
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )
        return Report(passed=done.returncode == 0, text=done.stdout + done.stderr)


@pytest.fixture(scope="module")
def planted(tmp_path_factory: pytest.TempPathFactory) -> Report:
    tree = Tree(tmp_path_factory.mktemp("planted"))
    for _, importer, imported in PLANTS:
        tree.plant(importer, f"import {imported}")
    for _, package in STRAY:
        tree.plant(f"{package}.stray", "")
    tree.plant(f"{AWS}.documents", "def late() -> None:\n    import azure.core")
    tree.plant(
        f"{AZURE}.documents",
        "from typing import TYPE_CHECKING\nif TYPE_CHECKING:\n    import botocore.client",
    )
    return tree.lint()


def test_the_tree_as_it_stands_keeps_every_contract(tmp_path: Path) -> None:
    report = Tree(tmp_path).lint()

    assert report.passed, report.text


def test_every_contract_has_something_planted_against_it() -> None:
    assert {contract for contract, _, _ in PLANTS} == set(CONTRACTS)


@pytest.mark.parametrize(("contract", "importer", "imported"), PLANTS)
def test_a_forbidden_import_breaks_its_contract(
    planted: Report, contract: str, importer: str, imported: str
) -> None:
    assert not planted.passed
    assert re.search(rf"{importer} -> {imported} \(l\.[0-9, l.]+\)", planted.about(contract))


@pytest.mark.parametrize(("contract", "package"), STRAY)
def test_a_module_without_a_layer_breaks_its_contract(
    planted: Report, contract: str, package: str
) -> None:
    # The report names the container's module without the container.
    assert re.search(rf"^- ({package}\.)?stray$", planted.about(contract), re.M)


def test_an_import_inside_a_function_counts(planted: Report) -> None:
    assert f"{AWS}.documents -> azure" in planted.about("aws-only")


def test_an_import_for_types_only_counts(planted: Report) -> None:
    assert f"{AZURE}.documents -> botocore" in planted.about("azure-only")
