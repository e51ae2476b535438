"""The registry in an SQLite file keeps the contract, and what it acknowledged."""

import subprocess
import sys
from pathlib import Path

import pytest

from cell_control.adapters.registry_url import open_registry
from cell_control.domain.records import KINDS
from tests.control.registry.samples import OpenRegistry, revs
from tests.control.registry.suite import RegistryContract


class TestSqliteRegistry(RegistryContract):
    @pytest.fixture
    def make_registry(self, tmp_path: Path) -> OpenRegistry:
        return lambda: open_registry(f"sqlite:///{tmp_path / 'registry.db'}")


@pytest.mark.slow
def test_a_process_killed_in_the_middle_of_commits_loses_nothing_it_acknowledged(
    tmp_path: Path,
) -> None:
    url = f"sqlite:///{tmp_path / 'registry.db'}"
    acknowledged: dict[str, int] = {}

    for life in range(10):
        acknowledged |= _killed_after(url, life, commits=40 + 17 * life)

        registry = open_registry(url)
        kept = {r.key: r.rev for r in registry.list("tenant", limit=10_000)}
        audits = [r.key for r in registry.list("audit", limit=10_000)]
        everything = registry.changes(0, kinds=KINDS, limit=10_000)
        registry.close()
        assert {key: kept.get(key) for key in acknowledged} == acknowledged
        assert sorted(kept) == audits
        assert revs(everything.records) == list(range(1, everything.rev + 1))


def _killed_after(url: str, life: int, commits: int) -> dict[str, int]:
    """Return what a process acknowledged: each key and its rev, up to the moment it was killed."""
    command = [sys.executable, "-m", "tests.control.registry.committer", url, str(life)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as child:
        assert child.stdout is not None
        lines = [child.stdout.readline() for _ in range(commits)]
        child.kill()
        lines += child.stdout.readlines()
    told = [line.split() for line in lines if line.endswith("\n")]
    # The rev is that of the commit's last write, the audit record.
    return {key: int(rev) - 1 for rev, key in told}
