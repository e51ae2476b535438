"""Plants faults in real code as it is imported: a text that stands there once becomes another.

For a process of its own, before it imports what is to be broken. Refuses a fault whose text is
gone: a fault that is not there would be found by nobody.
"""

import importlib.abc
import importlib.machinery
import importlib.util
import sys
import types
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True, slots=True)
class Edit:
    """In module `module` the text `old` becomes `new`."""

    module: str
    old: str
    new: str


class Planter(importlib.abc.MetaPathFinder, importlib.abc.Loader):
    """Loads the modules of its edits with the edits made."""

    def __init__(self, edits: Sequence[Edit]) -> None:
        self._edits: dict[str, list[Edit]] = {}
        for edit in edits:
            self._edits.setdefault(edit.module, []).append(edit)
        self._paths: dict[str, Path] = {}

    def find_spec(
        self, name: str, path: Sequence[str] | None, target: types.ModuleType | None = None
    ) -> importlib.machinery.ModuleSpec | None:
        if name not in self._edits:
            return None
        found = importlib.machinery.PathFinder.find_spec(name, path, target)
        assert found is not None
        self._paths[name] = Path(str(found.origin))
        return importlib.util.spec_from_loader(name, self, origin=found.origin)

    def exec_module(self, module: types.ModuleType) -> None:
        path = self._paths[module.__name__]
        source = planted(path.read_text(), self._edits[module.__name__], path.name)
        module.__file__ = str(path)
        exec(compile(source, path, "exec"), module.__dict__)  # noqa: S102 - the project's own source


def planted(source: str, edits: Sequence[Edit], name: str) -> str:
    """Return `source` with all of `edits` made."""
    for edit in edits:
        count = source.count(edit.old)
        assert count == 1, f"{edit.old!r} stands {count} times in {name}"
        source = source.replace(edit.old, edit.new)
    return source


def plant(edits: Sequence[Edit]) -> None:
    """Have the modules of `edits` imported so, none of which may be imported yet."""
    late = [edit.module for edit in edits if edit.module in sys.modules]
    assert not late, f"imported already: {late}"
    sys.meta_path.insert(0, Planter(edits))
