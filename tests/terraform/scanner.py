"""Runs checkov over a tree of Terraform; nothing is downloaded."""

import json
import os
import subprocess
from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import pytest

from tests.terraform import providers

CHECKOV: Final = providers.PYTHON.with_name("checkov")


@dataclass(frozen=True, slots=True, kw_only=True)
class Scan:
    """What the scanner said.

    Attributes:
        failed: A rule and a resource each.
        failed_through_roots: What it finds only where one configuration calls another.
        skipped: For how many resources a rule was skipped, however often they are called.
    """

    passed: int
    failed: set[str]
    failed_through_roots: set[str]
    skipped: Counter[str]


def scan(folder: Path) -> Scan:
    """Return what checkov says of `folder`, or skip the test without it."""
    if not CHECKOV.exists():
        pytest.skip("SKIPPED, NOT CHECKED: no checkov here; `make terraform` installs it")
    command = [str(CHECKOV), "--directory", str(folder), "--framework", "terraform"]
    command += ["--skip-download", "--output", "json", "--compact"]
    done = subprocess.run(
        command,
        env={"PATH": os.defpath, "HOME": str(folder.parent), "LOG_LEVEL": "ERROR"},
        capture_output=True,
        text=True,
        check=False,
        timeout=600,
    )
    report: dict[str, Any] = json.loads(done.stdout)
    results = report["results"]
    return Scan(
        passed=len(results["passed_checks"]),
        failed={_finding(r) for r in results["failed_checks"] if not _called(r)},
        failed_through_roots={_finding(r) for r in results["failed_checks"] if _called(r)},
        skipped=Counter(rule for rule, _, _ in {_skip(r) for r in results["skipped_checks"]}),
    )


def _called(result: dict[str, Any]) -> bool:
    return str(result["resource"]).startswith("module.")


def _skip(result: dict[str, Any]) -> tuple[str, str, str]:
    return result["check_id"], result["file_abs_path"], _resource(result)


def _finding(result: dict[str, Any]) -> str:
    return f"{result['check_id']} {_resource(result)}"


def _resource(result: dict[str, Any]) -> str:
    """Return the resource's name without its module and its index."""
    name = str(result["resource"]).split("[")[0]
    kind, own = name.split(".")[-2:]
    return f"{kind}.{own}"
