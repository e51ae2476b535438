"""First code of every child: ties it to its parent, arranges what it may import, runs one module.

It needs nothing but the standard library, and never decides what to run: `process` does.
"""

import importlib.machinery
import json
import os
import runpy
import signal
import sys
import threading
from collections.abc import Mapping, Sequence
from importlib.abc import MetaPathFinder
from types import ModuleType


def main(arguments: list[str]) -> None:
    """Run `arguments`: the leash's descriptor, the import plan as JSON, then the module's own."""
    leash_fd, plan_json, *module_arguments = arguments
    threading.Thread(target=die_with_parent, args=(int(leash_fd),), daemon=True).start()
    plan = json.loads(plan_json)
    sys.path[:0] = plan["import_paths"]
    lent, program = plan["lent"], plan["module"].partition(".")[0]
    sys.meta_path.append(LentPackages(lent))
    if program in lent:  # What is on the import path must not shadow the program itself.
        sys.meta_path.insert(0, LentPackages({program: lent[program]}))
    sys.argv = [plan["module"], *module_arguments]
    if os.sep in plan["module"]:
        runpy.run_path(plan["module"], run_name="__main__")
    else:
        runpy.run_module(plan["module"], run_name="__main__", alter_sys=True)


def die_with_parent(leash_fd: int) -> None:
    """End this process group when the parent is gone, however it went.

    The parent holds the other end of the pipe and never writes, so the read returns exactly when
    the kernel has closed that end. PR_SET_PDEATHSIG would not do: it fires when the *thread* that
    forked ends, and worlds are started from threads.
    """
    os.read(leash_fd, 1)
    os.killpg(0, signal.SIGKILL)


class LentPackages(MetaPathFinder):
    """Lends the named packages and nothing that lies beside them."""

    def __init__(self, folder_of: Mapping[str, str]) -> None:
        self._folder_of = folder_of

    def find_spec(
        self,
        fullname: str,
        path: Sequence[str] | None,
        target: ModuleType | None = None,
    ) -> importlib.machinery.ModuleSpec | None:
        """Find a lent top-level package; submodules are found through their package's own path."""
        if path is not None or fullname not in self._folder_of:
            return None
        return importlib.machinery.PathFinder.find_spec(
            fullname, [self._folder_of[fullname]], target
        )


if __name__ == "__main__":
    main(sys.argv[1:])
