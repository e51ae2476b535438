"""Finds where an interpreter keeps the few packages that a host lends to the program it runs.

It never lends what was not asked for by name: a zip has to bring everything else itself.
"""

import json
import subprocess
from collections.abc import Sequence
from pathlib import Path
from typing import Final

_FINDER: Final = """
import importlib.util, json, sys
folders = {}
for name in sys.argv[1:]:
    spec = importlib.util.find_spec(name)
    places = spec and (list(spec.submodule_search_locations or ()) or [spec.origin])
    folders[name] = places and places[0]
print(json.dumps([sys.version_info[:2], folders]))
"""


class MissingPackage(RuntimeError):
    """The interpreter has no such package installed."""

    def __init__(self, name: str, python: str) -> None:
        super().__init__(f"{python} has no package {name!r}; install the local world into it")
        self.name = name


class Interpreter:
    """A Python interpreter other than, or the same as, the one that runs this."""

    def __init__(self, python: str, packages: Sequence[str]) -> None:
        """Ask `python` for its version and for the folders of `packages` (absent ones are fine).

        Raises:
            subprocess.CalledProcessError: It is no working Python.
        """
        self.python = python
        answer = subprocess.run(
            [python, "-I", "-c", _FINDER, *packages],
            check=True,
            capture_output=True,
            timeout=30,
            stdin=subprocess.DEVNULL,
        )
        version, folders = json.loads(answer.stdout)
        self.version: tuple[int, int] = (version[0], version[1])
        self._folders: dict[str, str | None] = folders

    def lend(self, *packages: str) -> dict[str, Path]:
        """Return the folder that holds each of `packages`.

        Raises:
            MissingPackage: One of them is not installed there.
        """
        lent: dict[str, Path] = {}
        for name in packages:
            place = self._folders.get(name)
            if place is None:
                raise MissingPackage(name, self.python)
            lent[name] = Path(place).parent
        return lent
