"""Build the router with its data path compiled: dist/router_native.zip, or a folder to test.

The source is the same Python, which stays beside each compiled module and serves wherever that
cannot be loaded (docs/adr/0016). Needs a C compiler; without one there is no such zip.
"""

import argparse
import hashlib
import os
import shutil
import subprocess
import sys
import sysconfig
import tempfile
import zipfile
from pathlib import Path
from typing import Final

from tools import bundle

SHARED: Final = "cell_router_native"
MODULES: Final = (
    *(
        f"cell_router.{name}"
        for name in (
            "attempts", "breaker", "budget", "coalesce", "decide", "edge", "exchange", "grants",
            "messages", "places", "problems", "registry", "replies", "tenancy",
        )
    ),
    *(f"cell_router.auth.{name}" for name in ("authenticator", "principal", "recent")),
    *(
        f"cell_router.server.{name}"
        for name in (
            "access_log", "client", "express", "framing", "observer", "outbox", "pool", "serving",
            "shapes", "tally", "upstream",
        )
    ),
)  # fmt: skip
"""What a request passes, and nothing else: starting, watching and reloading stay as they are."""

DIST: Final = bundle.ROOT / "dist" / "router_native.zip"
FOLDER: Final = bundle.ROOT / "build" / "native"


def main() -> int:
    """Build the zip, or with `--tree` the folder; return the exit code."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--uv", default=bundle.find_uv(), help="the installer's path")
    parser.add_argument("--tree", action="store_true", help=f"{FOLDER.name}/ for PYTHONPATH only")
    options = parser.parse_args()
    lack = lacks()
    if lack:
        print(f"{lack}: the router is built without compiled modules.")
        return 1 if options.tree else 0
    made = tree() if options.tree else ensure(options.uv)
    print(f"{made.relative_to(bundle.ROOT)}: {len(MODULES)} modules compiled")
    return 0


def ensure(uv: str) -> Path:
    """Return the path of a zip that is current, building it if need be.

    It is `dist/router.zip`, with the compiled modules beside their sources.
    """
    target = bundle.target_for(bundle.settings()["python"], uv=uv)
    plain = bundle.ensure(bundle.ROUTER, target)
    wanted = f"{_digest()} in {bundle.digest(bundle.ROUTER, target)}"
    if not bundle.is_current(DIST, wanted):
        _zip(plain, tree(), wanted)
    return DIST


def lacks() -> str:
    """Return what this machine lacks to build it; empty if nothing."""
    python = bundle.settings()["python"]
    if python != f"{sys.version_info.major}.{sys.version_info.minor}":
        return f"This is not Python {python}"
    if shutil.which(_compiler()[0], path=os.defpath) is None:
        return "There is no C compiler here"
    if not Path(sysconfig.get_path("include"), "Python.h").is_file():
        return "The headers of this Python are not here"
    return ""


def tree() -> Path:
    """Return a folder with the sources and what was compiled of them, current."""
    stamp = FOLDER / "inputs"
    wanted = _digest()
    if stamp.exists() and stamp.read_text() == wanted:
        return FOLDER
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        for package in bundle.ROUTER.packages:
            source = bundle.ROOT / "packages" / package / "src"
            ignored = shutil.ignore_patterns("__pycache__")
            shutil.copytree(source, folder, dirs_exist_ok=True, ignore=ignored)
        script = str(bundle.ROOT / "tools" / "compile_modules.py")
        done = subprocess.run(
            [sys.executable, "-P", script, SHARED, *MODULES],
            cwd=folder,
            env={"PATH": os.defpath, "PYTHONHASHSEED": "0", "PYTHONPATH": os.fspath(folder)},
            capture_output=True,
            text=True,
            check=False,
        )
        if done.returncode:
            sys.exit(f"{done.stdout}{done.stderr}")
        for left in ("build", ".mypy_cache"):
            shutil.rmtree(folder / left, ignore_errors=True)
        shutil.rmtree(FOLDER, ignore_errors=True)
        shutil.copytree(folder, FOLDER)
    stamp.write_text(wanted)
    return FOLDER


def _zip(plain: Path, made: Path, comment: str) -> None:
    """Write the zip `plain` with the compiled modules of `made` in it."""
    with zipfile.ZipFile(plain) as source:
        entries = {name: source.read(name) for name in source.namelist()}
    for path in made.rglob("*.so"):
        place = path.relative_to(made).as_posix()
        entries[f"{bundle.ROUTER.libraries}/{place}"] = path.read_bytes()
    bundle.write_zip(sorted(entries.items()), DIST, comment=comment)


def _digest() -> str:
    version = subprocess.run([_compiler()[0], "--version"], capture_output=True, check=False)
    total = hashlib.sha256(f"{sys.version} {MODULES}".encode() + version.stdout)
    inputs = [bundle.ROOT / "requirements" / "dev.txt", *bundle.ROOT.glob("tools/*.py")]
    for package in bundle.ROUTER.packages:
        inputs += (bundle.ROOT / "packages" / package / "src").rglob("*.py")
    for path in sorted(inputs):
        total.update(path.relative_to(bundle.ROOT).as_posix().encode())
        total.update(path.read_bytes())
    return f"inputs sha256:{total.hexdigest()}"


def _compiler() -> list[str]:
    return str(sysconfig.get_config_var("CC") or "cc").split()


if __name__ == "__main__":
    sys.exit(main())
