"""The image is made from the lock alone, runs as nobody, and holds what the bundle holds.

There is no engine to build it with here: its linter reads it, these tests hold it to its rules, and
the slow one runs the steps of its first stage.
"""

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.bundle import dockerfile
from tools import bundle

DEPLOY = bundle.ROOT / "packages" / "router" / "deploy"
TEXT = (DEPLOY / "Dockerfile").read_text()
IGNORE = DEPLOY / "Dockerfile.dockerignore"


def faults(text):
    """Return what is wrong with a Dockerfile, in words."""
    before, build, *rest = dockerfile.read(text)
    final = rest[-1] if rest else build
    found = [*_faults_of_base(before, [build, *rest]), *_faults_of_run(build, final)]
    user = dockerfile.of(final, "USER")
    if not user or not re.fullmatch(r"[1-9]\d{3,}:[1-9]\d{3,}", user[-1].text):
        found.append("the user is not a number other than root's")
    if [each.text for each in dockerfile.of(final, "STOPSIGNAL")] != ["SIGTERM"]:
        found.append("it is not stopped by SIGTERM")
    entry = dockerfile.of(final, "ENTRYPOINT")
    if not entry or not entry[-1].text.startswith("["):
        found.append("a shell stands between the engine and the router")
    return found


def _faults_of_base(before, stages):
    arguments = dict(each.text.split("=", 1) for each in before)
    for stage in stages:
        image = stage[0].text.split()[0]
        name = re.fullmatch(r"\$\{(\w+)\}", image)
        if name is None or name[1] not in arguments:
            yield f"{image} cannot be pinned by a build argument"
    for default in arguments.values():
        if ":" not in default.rpartition("/")[2] and not default.startswith("${"):
            yield f"{default} has no version"
        if default.endswith(":latest"):
            yield f"{default} is another image every day"


def _faults_of_run(build, final):
    if dockerfile.of(final, "RUN"):
        yield "the final stage needs a shell"
    for run in dockerfile.of(build, "RUN"):
        if "pip install" in run.text and "--require-hashes --only-binary :all:" not in run.text:
            yield "something is installed without hashes"
    copied = [word for each in dockerfile.of(build, "COPY") for word in each.words[:-1]]
    if "." in copied or "./" in copied:
        yield "everything is copied"
    for each in dockerfile.of(final, "COPY"):
        if not each.text.startswith("--from=build "):
            yield "the final stage holds something that was not built"
    if any(each.name == "ADD" for each in (*build, *final)):
        yield "ADD may fetch or unpack"


def test_it_breaks_none_of_its_rules():
    assert faults(TEXT) == []


@pytest.mark.parametrize(
    ("good", "bad", "fault"),
    [
        ("USER 65532:65532", "USER root", "the user is not a number"),
        ("USER 65532:65532", "USER 0:0", "the user is not a number"),
        ("USER 65532:65532\n", "", "the user is not a number"),
        ("FROM ${BASE} AS", "FROM python:3.13 AS", "cannot be pinned"),
        ("python:3.13-slim-trixie\nARG", "python:latest\nARG", "another image every day"),
        ("python:3.13-slim-trixie\nARG", "python\nARG", "has no version"),
        ("--require-hashes --only", "--only", "without hashes"),
        ("COPY tools/ tools/", "COPY . .", "everything is copied"),
        ("COPY --from=build /build/image/etc/ /etc/", "COPY keys/ /etc/", "was not built"),
        ("STOPSIGNAL SIGTERM", "STOPSIGNAL SIGKILL", "stopped by SIGTERM"),
        ('ENTRYPOINT ["python3", ', "ENTRYPOINT python3 ", "a shell stands between"),
        ("EXPOSE 8443 9090", "RUN apt-get update", "needs a shell"),
        ("COPY LICENSE", "ADD LICENSE", "ADD may fetch"),
    ],
)
def test_a_rule_that_it_broke_would_be_found(good, bad, fault):
    assert good in TEXT

    found = faults(TEXT.replace(good, bad))

    assert any(fault in each for each in found), found


def test_its_linter_finds_nothing():
    program = shutil.which("hadolint", path=str(Path(sys.executable).parent))
    if program is None:
        pytest.skip("SKIPPED: hadolint has no wheel for this machine")

    done = subprocess.run(
        [program, str(DEPLOY / "Dockerfile")], capture_output=True, text=True, check=False
    )

    assert (done.returncode, done.stdout) == (0, "")


def test_the_base_has_the_version_that_the_bundle_is_built_for():
    assert f"python:{bundle.settings()['python']}-slim" in TEXT


def test_the_builder_is_sent_what_is_copied_and_nothing_else():
    _, build, _ = dockerfile.read(TEXT)
    sent = {line.lstrip("!") for line in IGNORE.read_text().splitlines() if line.startswith("!")}

    copied = {word for each in dockerfile.of(build, "COPY") for word in each.words[:-1]}

    assert copied == sent
    assert "*" in IGNORE.read_text().splitlines()


@pytest.mark.slow
def test_the_steps_of_the_first_stage_work_and_give_the_bundle(tmp_path):
    target = bundle.target_for(bundle.settings()["python"], uv=bundle.find_uv())
    if target.interpreter is None:
        pytest.skip(f"SKIPPED: there is no Python {bundle.settings()['python']} here")
    _, build, _ = dockerfile.read(TEXT)
    shim = tmp_path / "bin" / "python3"
    shim.parent.mkdir()
    shim.write_text(f'#!/bin/sh\nexec {target.interpreter} "$@"\n')
    shim.chmod(0o755)
    context = tmp_path / "build"
    context.mkdir()

    for each in build:
        if each.name == "COPY":
            _copy(each.words, context)
        elif each.name == "RUN":
            _run(each.text, context, shim.parent)

    program = context / "image" / "opt" / "cell-router"
    assert (program / "__main__.py").exists()
    assert len(list(program.rglob("*.pyc"))) > 300
    made = context / "dist" / "router.zip"
    assert made.read_bytes() == bundle.ensure(bundle.ROUTER, target).read_bytes()


def _copy(words, context):
    *sources, destination = words
    for source in sources:
        found = bundle.ROOT / source
        if found.is_dir():
            ignored = shutil.ignore_patterns("__pycache__")
            shutil.copytree(found, context / destination, ignore=ignored)
        else:
            (context / destination).mkdir(parents=True, exist_ok=True)
            shutil.copy(found, context / destination)


def _run(text, context, folder):
    done = subprocess.run(
        ["/bin/sh", "-ec", text],
        cwd=context,
        capture_output=True,
        text=True,
        check=False,
        env={**os.environ, "PATH": f"{folder}:{os.defpath}"},
    )
    assert done.returncode == 0, done.stdout + done.stderr
