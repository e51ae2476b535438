"""Modules made anew from their source with one line changed, wired to each other."""

import importlib
import sys
import types
from collections.abc import Mapping, Sequence
from functools import cache
from pathlib import Path


def made_anew(
    names: Sequence[str], changes: Mapping[str, tuple[str, str]]
) -> dict[str, types.ModuleType]:
    """Return fresh copies of the modules `names`, which come in the order of their imports.

    `changes` says for a name which text becomes which; it must be there exactly once.
    """
    originals = {name: importlib.import_module(name) for name in names}
    fresh: dict[str, types.ModuleType] = {}
    try:
        for name in names:
            made = types.ModuleType(name)
            made.__file__ = originals[name].__file__
            sys.modules[name] = made
            exec(_code(str(made.__file__), *changes.get(name, ("", ""))), made.__dict__)  # noqa: S102 - our own source, one line changed
            for other, module in fresh.items():
                # `from package import module` takes the package's attribute, the original.
                short = other.rpartition(".")[2]
                if getattr(made, short, None) is originals[other]:
                    setattr(made, short, module)
            fresh[name] = made
    finally:
        sys.modules.update(originals)
    return fresh


@cache
def _code(path: str, old: str, new: str) -> types.CodeType:
    source = Path(path).read_text()
    if old:
        assert source.count(old) == 1, (
            f"the mutant's text is there {source.count(old)} times: {old}"
        )
        source = source.replace(old, new)
    return compile(source, path, "exec")
