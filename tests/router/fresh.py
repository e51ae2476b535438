"""The edge's pure modules, loaded anew, one of them perhaps with a planted fault."""

import importlib
import sys
import types
from pathlib import Path
from typing import Any, Final

# In the order of their imports.
NAMES: Final = (
    "limits", "messages", "problems", "breaker", "budget", "places", "registry", "decide",
    "coalesce", "tenancy", "grants", "exchange", "attempts", "replies", "edge",
)  # fmt: skip


class Modules:
    """Each module as an attribute, by the last part of its name."""

    package = "cell_router"
    names: tuple[str, ...] = NAMES

    def __init__(self, mutated: str = "", old: str = "", new: str = "") -> None:
        """Load them; in `mutated` the text `old`, which must stand there once, becomes `new`."""
        full = {name: f"{self.package}.{name}" for name in self.names}
        kept = {name: importlib.import_module(name) for name in full.values()}
        if not mutated and is_compiled(kept[f"{self.package}.{self.names[-1]}"]):
            # What is shipped is tested; a fault can be planted in sources alone.
            for name, module in zip(self.names, kept.values(), strict=True):
                setattr(self, name.rpartition(".")[2], module)
            return
        try:
            for name in full.values():
                del sys.modules[name]
            for name in self.names:
                setattr(
                    self,
                    name.rpartition(".")[2],
                    _load(full[name], kept[full[name]], (old, new) if name == mutated else None),
                )
        finally:
            sys.modules.update(kept)

    def __getattr__(self, name: str) -> Any:
        raise AttributeError(name)


def is_compiled(module: types.ModuleType) -> bool:
    """Say whether `module` is not its source (docs/adr/0016)."""
    return not str(module.__file__).endswith(".py")


def _load(full: str, module: types.ModuleType, fault: tuple[str, str] | None) -> types.ModuleType:
    path = Path(str(module.__file__)).with_name(f"{full.rpartition('.')[2]}.py")
    source = path.read_text()
    if fault is not None:
        old, new = fault
        assert source.count(old) == 1, f"{old!r} stands {source.count(old)} times in {path.name}"
        source = source.replace(old, new)
    made = types.ModuleType(full)
    made.__file__ = str(path)
    sys.modules[full] = made
    exec(compile(source, path, "exec"), made.__dict__)  # noqa: S102 - the project's own source
    return made
