"""Compile modules of ours ahead of time, with mypyc: each beside its source, which stays.

Runs in a folder of its own, as mypyc looks around there, and reads nothing but what it is told.
"""

import sys
from pathlib import Path
from typing import Final

import setuptools
from mypyc.build import mypycify

_TYPES: Final = ("--strict", "--follow-imports=silent", "--python-version=3.13")
# The modules call each other, and nobody else calls them by symbol: no detour over a table.
_FLAGS: Final = ("-fvisibility=hidden", "-fno-semantic-interposition", "-fno-plt")


def main() -> int:
    """Compile in the folder where this runs.

    Arguments: the name of the library that all share, and the names of the modules.
    """
    shared, *modules = sys.argv[1:]
    paths = [Path(*module.split(".")).with_suffix(".py").as_posix() for module in modules]
    extensions = mypycify(
        [*_TYPES, *paths], opt_level="2", debug_level="0", group_name=shared, verbose=False
    )
    for extension in extensions:
        extension.extra_compile_args = [*extension.extra_compile_args, *_FLAGS]
    setuptools.setup(
        name=shared,
        packages=[],
        ext_modules=extensions,
        script_args=["--quiet", "build_ext", "--inplace"],
    )
    return 0


if __name__ == "__main__":
    sys.exit(main())
