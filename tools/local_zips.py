"""Print options that name the zips for this machine's Python, building those that are stale.

The local world runs the zips under its own interpreter, which need not be the cloud's version.
"""

import sys

from tools.bundle import CELLS, ensure, find_uv, target_for


def main() -> None:
    """Print `--aws-zip PATH --azure-zip PATH`."""
    target = target_for(f"{sys.version_info.major}.{sys.version_info.minor}", uv=find_uv())
    options = []
    for deployable in CELLS:
        print(f"building {deployable.name}.zip unless it is current", file=sys.stderr)
        options += [f"--{deployable.name.partition('_')[0]}-zip", str(ensure(deployable, target))]
    print(*options)


if __name__ == "__main__":
    main()
