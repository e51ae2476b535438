"""Publishing to Azure leaves no connection string behind, or fails; by a stand-in of `az`."""

import os
import shutil
import subprocess
from pathlib import Path

import pytest

SCRIPT = Path(__file__).parents[2] / "terraform" / "modules" / "cell_azure" / "publish.sh"
BASH = shutil.which("bash") or "/bin/bash"


def _publish(folder: Path, az: str | None) -> tuple[subprocess.CompletedProcess[str], list[str]]:
    """Run the script with `az` as the only program that it finds; return what was asked of it."""
    if az is not None:
        program = folder / "az"
        program.write_text(f'#!{BASH}\necho "$*" >> "{folder}/asked"\n{az}\n')
        program.chmod(0o755)
    done = subprocess.run(
        [BASH, str(SCRIPT)],
        env={"PATH": str(folder), "GROUP": "cell-beta", "APP": "worker-beta", "PACKAGE": "w.zip"},
        capture_output=True,
        text=True,
        check=False,
    )
    asked = folder / "asked"
    return done, asked.read_text().splitlines() if asked.exists() else []


def test_it_takes_the_connection_string_away_before_it_publishes(tmp_path):
    done, asked = _publish(tmp_path, "echo 0")

    assert done.returncode == 0
    assert [" ".join(line.split()[:4]) for line in asked] == [
        "functionapp config appsettings delete",
        "functionapp deployment source config-zip",
        "functionapp config appsettings list",
    ]
    assert "--setting-names AzureWebJobsStorage" in asked[0]
    assert asked[1].endswith("--resource-group cell-beta --name worker-beta --src w.zip")


def test_a_connection_string_that_is_still_there_fails_the_apply(tmp_path):
    done, _ = _publish(tmp_path, "echo 1")

    assert done.returncode == 1
    assert "still has AzureWebJobsStorage" in done.stderr


@pytest.mark.parametrize("failing", ["delete", "config-zip", "list"])
def test_a_step_that_fails_fails_the_apply(tmp_path, failing):
    done, asked = _publish(tmp_path, f'[[ "$4" == {failing} ]] && exit 7; echo 0')

    assert done.returncode == 7
    assert failing in asked[-1].split()


def test_without_the_program_it_says_what_to_install(tmp_path):
    done, _ = _publish(tmp_path, None)

    assert done.returncode == 1
    assert "The Azure CLI (az) publishes packages" in done.stderr


def test_terraform_may_run_it():
    assert os.access(SCRIPT, os.X_OK)
