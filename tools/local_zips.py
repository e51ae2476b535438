"""The zips for this machine's Python, built when stale; run, it prints options that name them.

The local world runs the zips under its own interpreter, which need not be the cloud's version.
"""

import sys
from pathlib import Path

from tools.bundle import CELLS, ensure, find_uv, target_for


def local_zips() -> dict[str, Path]:
    """Return the cells' zips by cloud, `aws` and `azure`; build those that are not current."""
    target = target_for(f"{sys.version_info.major}.{sys.version_info.minor}", uv=find_uv())
    zips: dict[str, Path] = {}
    for deployable in CELLS:
        print(f"building {deployable.name}.zip unless it is current", file=sys.stderr)
        zips[deployable.name.partition("_")[0]] = ensure(deployable, target)
    return zips


def main() -> None:
    """Print `--aws-zip PATH --azure-zip PATH`."""
    print(*(f"--{cloud}-zip {path}" for cloud, path in local_zips().items()))


if __name__ == "__main__":
    main()
