"""Compile every module of a folder, so that a cold start compiles nothing.

Runs under the Python of the deployable's runtime and imports nothing but the standard library. It
never looks at file times: a zip's are fixed, so the compiled files are told not to check them.
"""

import py_compile
import sys
from pathlib import Path


def main() -> int:
    """Compile all sources below a folder.

    The results take the place of the sources, or with `beside` stand next to them.

    Arguments: the folder, the level of optimization, `instead` or `beside`.
    """
    folder, level, beside = Path(sys.argv[1]), int(sys.argv[2]), sys.argv[3] == "beside"
    for source in sorted(folder.rglob("*.py")):
        py_compile.compile(
            str(source),
            cfile=None if beside else str(source.with_suffix(".pyc")),
            # Not the build folder's path, which differs each time and ends up in the bytes.
            dfile=source.relative_to(folder).as_posix(),
            doraise=True,
            optimize=level,
            invalidation_mode=py_compile.PycInvalidationMode.UNCHECKED_HASH,
        )
        if not beside:
            source.unlink()
    return 0


if __name__ == "__main__":
    sys.exit(main())
