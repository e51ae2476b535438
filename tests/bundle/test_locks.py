"""The lock files are current, agree with each other, and say nothing of any machine."""

import dataclasses
import itertools

import pytest

from tools import locks

every_lock = pytest.mark.parametrize("lock", locks.LOCKS, ids=lambda lock: lock.name)


@every_lock
def test_the_lock_is_current(lock):
    assert locks.faults_of(lock) == []


@every_lock
def test_every_pin_has_a_hash(lock):
    lines = [line for line in lock.path.read_text().splitlines() if not line.startswith("#")]
    after = dict(itertools.pairwise(lines))

    pinned = [line for line in lines if not line.startswith(" ")]

    assert pinned
    assert all(after[line].startswith("    --hash=sha256:") for line in pinned)


@pytest.mark.parametrize("name", ["aws_worker", "azure_worker", "aws_relay", "azure_relay"])
def test_what_is_tested_is_what_is_shipped(name):
    dev = locks.pins((locks.REQUIREMENTS / "dev.txt").read_text())
    shipped = locks.pins((locks.REQUIREMENTS / f"{name}.txt").read_text())

    assert shipped.items() <= dev.items()


def test_a_lock_made_from_other_requirements_is_a_fault():
    other = dataclasses.replace(locks.LOCKS[-1], packages=("core",))

    assert "was made from other requirements" in locks.faults_of(other)[0]


def test_a_lock_that_is_missing_is_a_fault():
    missing = locks.Lock(name="missing")

    assert "does not exist" in locks.faults_of(missing)[0]


def test_markers_and_versions_are_read_from_a_lock():
    text = "one==1.0 \\\n    --hash=sha256:00\ntwo==2.0 ; sys_platform == 'win32' \\\n"

    assert locks.pins(text) == {("one", ""): "1.0", ("two", " ; sys_platform == 'win32'"): "2.0"}
