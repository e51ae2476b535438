"""Packages of npm that tests run, installed once for each lock file."""

import fcntl
import hashlib
import shutil
import subprocess
import tempfile
from pathlib import Path

_FILES = ("package.json", "package-lock.json")


def installed(lock: Path, cache: Path, *, timeout_s: float | None = None) -> Path:
    """Return a folder below `cache` with the packages that the files in `lock` name.

    Raises:
        subprocess.SubprocessError, OSError: npm could not install them; nothing is left behind.
    """
    digest = hashlib.sha256((lock / "package-lock.json").read_bytes()).hexdigest()[:16]
    folder = cache / digest
    cache.mkdir(parents=True, exist_ok=True)
    with (cache / "lock").open("w") as held:
        fcntl.flock(held, fcntl.LOCK_EX)  # Test workers share one installation.
        if not folder.exists():
            _install(lock, folder, timeout_s)
    return folder


def _install(lock: Path, folder: Path, timeout_s: float | None) -> None:
    draft = Path(tempfile.mkdtemp(dir=folder.parent))
    try:
        for name in _FILES:
            shutil.copy(lock / name, draft)
        command = ["npm", "ci", "--ignore-scripts", "--no-audit", "--no-fund", "--silent"]
        subprocess.run(command, cwd=draft, check=True, timeout=timeout_s)
        draft.rename(folder)
    except BaseException:
        shutil.rmtree(draft, ignore_errors=True)
        raise
