"""Plans and applies a root with `terraform`, and publishes the document of what stands there.

Applies only a plan that was saved before; refuses to answer questions for anybody.
"""

import json
import os
import subprocess
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, Final

from tools.deploy_plan import Plan, read_plan
from tools.deploy_waves import Document, Failed

PLAN: Final = "deploy.tfplan"
_STATE_OF_NOTHING: Final = 'Output "cell" not found'

Run = Callable[[Sequence[str]], tuple[int, str, str]]
"""Runs a program to its end; returns its exit code, what it put out, and what it complained of."""


def run_program(command: Sequence[str]) -> tuple[int, str, str]:
    """Run `command` without asking anybody anything."""
    environment = {**os.environ, "TF_IN_AUTOMATION": "1", "TF_INPUT": "0"}  # noqa: TID251 - a tool
    try:
        done = subprocess.run(command, capture_output=True, text=True, check=False, env=environment)
    except FileNotFoundError:
        raise Failed(f"{command[0]} is not installed.") from None
    return done.returncode, done.stdout, done.stderr


class Terraform:
    """The roots below one folder."""

    def __init__(self, roots: Path, documents: Path, run: Run = run_program) -> None:
        """Publish documents into `documents`, one file for each cell."""
        self._roots = roots
        self._documents = documents
        self._run = run

    def plan(self, root: str) -> Plan:
        """See `Infrastructure.plan`; initializes the root first, with its backend.hcl."""
        settings = self._roots / root / "backend.hcl"
        if not settings.exists():
            raise Failed(f"terraform/roots/{root} has no backend.hcl: copy backend.hcl.example.")
        self._do(root, "init", "-backend-config=backend.hcl")
        self._do(root, "plan", f"-out={PLAN}")
        shown = json.loads(self._do(root, "show", "-json", PLAN))
        try:
            return read_plan(self._roots / root / PLAN, shown)
        except ValueError as unknown:
            raise Failed(f"{root}: {unknown}") from None

    def apply(self, root: str, plan: Plan) -> Document:
        """See `Infrastructure.apply`."""
        self._do(root, "apply", plan.path.name)
        document = self.document(root)
        if document is None:
            raise Failed(f"{root}: applied, and yet there is no cell")
        self._documents.mkdir(exist_ok=True)
        path = self._documents / f"{document['id']}.json"
        path.write_text(json.dumps(document, indent=2, sort_keys=True) + "\n")
        return document

    def document(self, root: str) -> Document | None:
        """See `Infrastructure.document`."""
        code, out, complaint = self._run(self._command(root, "output", "-json", "cell"))
        if code:
            if _STATE_OF_NOTHING in complaint:
                return None
            raise Failed(f"terraform output in {root} failed:\n{complaint}")
        found: Mapping[str, Any] = json.loads(out)
        return found

    def _do(self, root: str, *arguments: str) -> str:
        code, out, complaint = self._run(self._command(root, *arguments))
        if code:
            raise Failed(f"terraform {arguments[0]} in {root} failed:\n{complaint or out}")
        return out

    def _command(self, root: str, *arguments: str) -> list[str]:
        verb, *rest = arguments
        return ["terraform", f"-chdir={self._roots / root}", verb, "-no-color", *rest]
