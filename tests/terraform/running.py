"""Runs `terraform` in one folder, without the network and without anybody's credentials."""

import json
import os
import shutil
import subprocess
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import pytest

from tests.terraform import providers

TIMEOUT_S: Final = 600


@dataclass(frozen=True, slots=True, kw_only=True)
class Done:
    """What a run came to."""

    code: int
    text: str


class Terraform:
    """One folder and the providers that its configuration asks for.

    Attributes:
        providers: Where each comes from.
    """

    def __init__(self, folder: Path, scratch: Path) -> None:
        """Prepare to run in `folder`; skip the test if Terraform or a provider is not here."""
        self._program = shutil.which("terraform") or pytest.skip(MISSING)
        self.folder = folder
        found = {s: providers.find(s, scratch / "stubs") for s in sorted(providers.needed(folder))}
        absent = [source for source, provider in found.items() if provider is None]
        if absent:
            pytest.skip(f"SKIPPED, NOT CHECKED: no provider {', '.join(absent)} on this machine")
        self.providers = [provider for provider in found.values() if provider is not None]
        self._config = scratch / f"cli-{len(list(scratch.glob('cli-*')))}.tfrc"
        self._config.write_text(providers.configuration(self.providers))

    def init(self) -> None:
        """Install the providers; no backend is asked."""
        done = self.run("init", "-backend=false")
        assert done.code == 0, done.text

    def run(self, *arguments: str, env: Mapping[str, str] | None = None) -> Done:
        """Run one command to its end; what it printed comes back with its exit code."""
        verb, *rest = arguments
        command = [self._program, verb, *([] if verb in _PLAIN else ["-no-color"]), *rest]
        done = subprocess.run(
            command,
            cwd=self.folder,
            env={**self._environment(), **(env or {})},
            capture_output=True,
            text=True,
            check=False,
            timeout=TIMEOUT_S,
        )
        return Done(code=done.returncode, text=done.stdout + done.stderr)

    def output(self, name: str) -> Any:
        """Return one output of what was applied here."""
        done = self.run("output", "-json", name)
        assert done.code == 0, done.text
        return json.loads(done.text)

    def states(self, file: str) -> dict[str, Any]:
        """Run one file of tests to its end, and return the state that each of its runs left."""
        done = self.run("test", "-json", "-verbose", f"-filter={file}")
        assert done.code == 0, done.text[-6000:]
        events = [_event(line) for line in done.text.splitlines()]
        return {e["@testrun"]: e["test_state"] for e in events if e.get("type") == "test_state"}

    def failed_runs(self, only: Sequence[str] = ()) -> "Outcome":
        """Run the folder's tests, or the files `only`, and say which runs passed and failed."""
        filters = [f"-filter={name}" for name in only]
        done = self.run("test", "-json", *filters)
        passed, failed, said = [], [], []
        for line in done.text.splitlines():
            event = _event(line)
            if event.get("type") == "test_run" and "status" in event["test_run"]:
                run = event["test_run"]
                (passed if run["status"] == "pass" else failed).append(run["run"])
            elif event.get("@level") == "error":
                said.append(event.get("diagnostic", {}).get("detail") or event.get("@message", ""))
        return Outcome(code=done.code, passed=passed, failed=failed, said=said or [done.text])

    def _environment(self) -> dict[str, str]:
        return {
            "PATH": os.environ.get("PATH", os.defpath),
            "HOME": str(self._config.parent),
            "TF_CLI_CONFIG_FILE": str(self._config),
            "TF_IN_AUTOMATION": "1",
            "TF_INPUT": "0",
            "CHECKPOINT_DISABLE": "1",
            "AWS_EC2_METADATA_DISABLED": "true",
        }


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """What `terraform test` said.

    Attributes:
        passed, failed: The names of runs.
        said: Why the failed ones did.
    """

    code: int
    passed: list[str]
    failed: list[str]
    said: list[str]


MISSING: Final = (
    "SKIPPED, NOT CHECKED: terraform is not installed. Install 1.11 or later from"
    " https://developer.hashicorp.com/terraform/install"
)

_PLAIN: Final = frozenset({"fmt"})


def _event(line: str) -> dict[str, Any]:
    try:
        event = json.loads(line)
    except ValueError:
        return {}
    return event if isinstance(event, dict) else {}
