"""What the router's deployment guide says can be done as it says."""

import json
import re
import shutil
import subprocess
import sys

import pytest

from tools import bundle

# One worker makes what these tests share.
pytestmark = pytest.mark.xdist_group("bundle")

DEPLOY = bundle.ROOT / "packages" / "router" / "deploy"
GUIDE = (DEPLOY / "README.md").read_text()
UNIT = DEPLOY / "systemd" / "cell-router.service"
_SETTINGS = """
[listen]
behind_tls = true
[registry]
cache = "cache"
source = "file:///registry.snapshot"
keys = "registry-keys.json"
[grants]
key = "grant-key.json"
[cells]
host_suffixes = [".on.aws", ".azurewebsites.net"]
[api_keys]
file = "api-keys.json"
"""


@pytest.mark.slow
@pytest.mark.parametrize("built", [bundle.ROUTER], indirect=True, ids=["router"])
def test_its_first_section_makes_all_that_a_router_needs(built, tmp_path):
    [commands] = re.findall(r"```sh walkthrough\n(.*?)```", GUIDE, re.DOTALL)
    folder = tmp_path / "bin"
    folder.mkdir()
    for name, command in {
        "python3.13": sys.executable,
        "cell-router": f"{sys.executable} -I -S {built.folder}",
    }.items():
        (folder / name).write_text(f'#!/bin/sh\nexec {command} "$@"\n')
        (folder / name).chmod(0o755)

    def run(text):
        command = ["/bin/sh", "-euc", text.replace("/opt/cell-router", str(built.folder))]
        path = {"PATH": f"{folder}:/usr/bin:/bin"}
        return subprocess.run(
            command, capture_output=True, text=True, check=False, cwd=tmp_path, env=path, timeout=60
        )

    done = run(commands)
    (tmp_path / "router.toml").write_text(_SETTINGS)
    checked = run("cell-router check --config router.toml")

    assert done.returncode == 0, done.stderr
    assert (tmp_path / "registry.snapshot").exists()
    assert (checked.returncode, checked.stdout) == (0, "ok\n")
    [public] = json.loads((tmp_path / "grant-keys.json").read_text())["keys"]
    assert (public["iss"], public["kid"], "d" in public) == ("edge", "edge-1", False)


def test_every_file_that_it_points_to_exists():
    links = re.findall(r"\]\(([^)#:]+)\)", GUIDE)

    assert links
    assert [link for link in links if not (DEPLOY / link).exists()] == []


def test_systemd_understands_every_line_of_the_unit(tmp_path):
    program = shutil.which("systemd-analyze")
    if program is None:
        pytest.skip("SKIPPED: no systemd here to read the unit")
    unit = tmp_path / UNIT.name
    unit.write_text(UNIT.read_text().replace("/usr/bin/python3.13", sys.executable))

    done = subprocess.run(
        [program, "verify", "--man=no", str(unit)], capture_output=True, text=True, check=False
    )

    assert (done.returncode, done.stderr) == (0, "")


@pytest.mark.parametrize(
    "line",
    [
        "DynamicUser=yes",
        "NoNewPrivileges=yes",
        "ProtectSystem=strict",
        "CapabilityBoundingSet=",
        "KillMode=mixed",
        "ExecReload=/bin/kill -HUP $MAINPID",
        "RestartPreventExitStatus=78",
        "TimeoutStopSec=60",
    ],
)
def test_the_unit_keeps_its_promises(line):
    assert line in UNIT.read_text().splitlines()
