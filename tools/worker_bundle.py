"""Build dist/worker/: what `wrangler deploy` uploads to Cloudflare, and nothing else.

Our modules are those that the entry module reaches by imports; libraries come from the lock, as
built for Pyodide. It never resolves versions; the same inputs give the same files.
"""

import ast
import fcntl
import gzip
import hashlib
import subprocess
import sys
import tempfile
import zipfile
from collections.abc import Iterator
from pathlib import Path, PurePosixPath
from typing import Final

from tools import bundle, contents

ROOT: Final = Path(__file__).resolve().parent.parent
SOURCES: Final = ROOT / "packages" / "router" / "worker"
LOCK: Final = ROOT / "requirements" / "cloudflare_worker.txt"
PIP_LOCK: Final = ROOT / "requirements" / "pip.txt"
OUTPUT: Final = ROOT / "dist" / "worker"
SIZE_MB_MAX: Final = 3
"""Compressed: what Cloudflare takes on its free plan."""

PYTHON: Final = "3.14"
PLATFORM: Final = "pyemscripten_2026_0_wasm32"
"""Pyodide 314, which the compatibility date in wrangler.toml selects."""

_ENTRY: Final = "entry"
_PACKAGES: Final = {
    "cell_core": ROOT / "packages/core/src",
    "cell_router": ROOT / "packages/router/src",
}
_SHIPPED_BESIDE: Final = ("wrangler.toml",)
_STAND_INS: Final = ("jwt/__init__.py", "jwt/algorithms.py")
# The SDK's bridges to web frameworks and workflows: the Worker uses neither.
_SDK_DROPPED: Final = {"asgi.py", "workers/asgi.py", "workers/wsgi.py", "workers/workflows.js"}


def main() -> int:
    """Build dist/worker, print its size, return the exit code."""
    build(OUTPUT)
    size_mb = compressed_bytes(OUTPUT) / 10**6
    print(f"{OUTPUT.relative_to(ROOT)}: {size_mb:.2f} of {SIZE_MB_MAX} MB compressed")
    if size_mb > SIZE_MB_MAX:
        print("dist/worker is over its size budget.", file=sys.stderr)
        return 1
    return 0


def build(output: Path) -> None:
    """Write the bundle to `output`; what stood there stays until the new one is complete."""
    output.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=output.parent, prefix=".worker-") as folder:
        stage = Path(folder) / "stage"
        for name in _SHIPPED_BESIDE:
            _write(stage / name, (SOURCES / name).read_bytes())
        for name in _STAND_INS:
            _write(stage / "src" / name, (SOURCES / name).read_bytes())
        for path, source in our_modules():
            _write(stage / "src" / path, source.read_bytes())
        for wheel in wheels():
            _unpack(wheel, stage / "python_modules")
        # Marks the folder as a virtual environment's, as the runtime expects it.
        _write(stage / "python_modules" / "pyvenv.cfg", b"")
        if output.exists():
            output.rename(Path(folder) / "old")
        stage.rename(output)


def compressed_bytes(folder: Path) -> int:
    """Return the size of the files in `folder`, each compressed."""
    files = (path for path in folder.rglob("*") if path.is_file())
    return sum(len(gzip.compress(path.read_bytes(), mtime=0)) for path in files)


def our_modules() -> list[tuple[str, Path]]:
    """Return (path in the bundle, source) of each module that the entry module reaches."""
    entry = SOURCES / f"{_ENTRY}.py"
    found = {f"{_ENTRY}.py": entry}
    waiting = [entry]
    while waiting:
        for name in _imported(waiting.pop()):
            for path, source in _files_of(name):
                if path not in found:
                    found[path] = source
                    waiting.append(source)
    return sorted(found.items())


def wheels() -> list[Path]:
    """Return the locked wheels for Pyodide, downloading them once for each lock."""
    digest = hashlib.sha256(LOCK.read_bytes() + PLATFORM.encode()).hexdigest()[:16]
    folder = ROOT / "build" / "cloudflare_worker" / digest
    folder.parent.mkdir(parents=True, exist_ok=True)
    with (folder.parent / "lock").open("w") as held:
        fcntl.flock(held, fcntl.LOCK_EX)  # Test workers share one download.
        if not folder.exists():
            with tempfile.TemporaryDirectory(dir=folder.parent) as draft:
                _download(Path(draft, "wheels"))
                Path(draft, "wheels").rename(folder)
    return sorted(folder.glob("*.whl"))


def _download(folder: Path) -> None:
    # uv cannot be told to install for this platform yet, and .venv has no pip.
    pip = folder.parent / "pip"
    tool = [bundle.find_uv(), "pip", "install", "--quiet", "--python", sys.executable]
    tool += ["--require-hashes", "--requirements", str(PIP_LOCK), "--target", str(pip)]
    subprocess.run(tool, check=True)
    command = [sys.executable, str(pip / "pip"), "download", "--quiet", "--no-deps"]
    command += ["--only-binary", ":all:", "--platform", PLATFORM, "--python-version", PYTHON]
    command += ["--implementation", "cp", "--abi", f"cp{PYTHON.replace('.', '')}"]
    command += ["--disable-pip-version-check", "--require-hashes", "--requirement", str(LOCK)]
    subprocess.run([*command, "--dest", str(folder)], check=True)


def _imported(source: Path) -> Iterator[str]:
    """Yield the full names that `source` imports at run time; a name may be a module's member."""
    for node in _running_nodes(ast.parse(source.read_bytes())):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module:
            yield node.module
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


def _running_nodes(node: ast.AST) -> Iterator[ast.AST]:
    for child in ast.iter_child_nodes(node):
        if isinstance(child, ast.If) and ast.unparse(child.test) == "TYPE_CHECKING":
            continue
        yield child
        yield from _running_nodes(child)


def _files_of(name: str) -> Iterator[tuple[str, Path]]:
    """Yield the files that importing module `name` of ours runs; nothing if it is not one."""
    top, *rest = name.split(".")
    if top not in _PACKAGES:
        return
    parts = [top]
    for part in [*rest, ""]:
        package = PurePosixPath(*parts, "__init__.py")
        module = PurePosixPath(*parts).with_suffix(".py")
        for path in (package, module):
            if (_PACKAGES[top] / path).exists():
                yield str(path), _PACKAGES[top] / path
        parts.append(part)


def _unpack(wheel: Path, folder: Path) -> None:
    with zipfile.ZipFile(wheel) as opened:
        for name in opened.namelist():
            kept = contents.belongs(PurePosixPath(name)) and name not in _SDK_DROPPED
            if kept and not name.endswith("/"):
                _write(folder / name, opened.read(name))


def _write(path: Path, content: bytes) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("xb") as new:
        new.write(content)


if __name__ == "__main__":
    sys.exit(main())
