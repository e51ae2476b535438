"""Build the deployable zips: exactly the locked dependencies, our code, and an entry point.

The cells' go to their clouds as they are; the router's is unpacked where it runs.

The same inputs give the same bytes, so that a deployment happens only when something changed. It
never resolves versions, and never ships a file of the other cloud.
"""

import argparse
import fcntl
import hashlib
import os
import platform
import shutil
import subprocess
import sys
import tempfile
import tomllib
import zipfile
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path, PurePosixPath
from typing import Final

from tools import cold_start, contents

ROOT: Final = Path(__file__).resolve().parent.parent
_OLDEST_TIME: Final = (1980, 1, 1, 0, 0, 0)  # The oldest that a zip can hold.
_MB: Final = 10**6


@dataclass(frozen=True, slots=True, kw_only=True)
class Deployable:
    """One zip, and what goes into it.

    Attributes:
        name: The zip's name.
        lock: The name of its lock, `requirements/<lock>.txt`.
        packages: Folders below `packages/` whose `src/` is shipped.
        unreached: How modules of ours begin that are in them and that it never imports.
        entry_files: Files for the zip's root, relative to the repository.
        entry_module: What the cloud imports, or for `__main__` what Python runs.
        started: Modules that every start imports, for measuring it.
        libraries: The folder inside the zip where libraries lie.
        size_mb_max: The build fails above it: a larger zip is a slower cold start.
        platform: Where it runs, unless that is where the clouds' functions run.
    """

    name: str
    lock: str
    packages: tuple[str, ...]
    entry_files: tuple[str, ...]
    entry_module: str
    started: tuple[str, ...]
    libraries: PurePosixPath
    size_mb_max: int
    unreached: tuple[str, ...] = ()
    platform: str | None = None

    @property
    def lock_path(self) -> Path:
        """The lock file."""
        return ROOT / "requirements" / f"{self.lock}.txt"


# The edge's and the control plane's: a cell never learns who lives where, or their credentials.
_NOT_A_CELL_S: Final = ("cell_core/wire/registry", "cell_core/wire/bearer_text")
CELLS: Final = (
    Deployable(
        name="aws_worker",
        lock="aws_worker",
        packages=("core", "adapters_aws"),
        unreached=_NOT_A_CELL_S,
        entry_files=("packages/adapters_aws/worker.py", "LICENSE"),
        entry_module="worker",
        started=("worker",),
        libraries=PurePosixPath(),
        size_mb_max=25,
    ),
    Deployable(
        name="azure_worker",
        lock="azure_worker",
        packages=("core", "adapters_azure"),
        unreached=_NOT_A_CELL_S,
        entry_files=(
            "packages/adapters_azure/function_app.py",
            "packages/adapters_azure/host.json",
            "LICENSE",
        ),
        entry_module="function_app",
        started=("function_app",),
        libraries=PurePosixPath(".python_packages/lib/site-packages"),
        size_mb_max=10,  # Of which 6.9 are the two compiled libraries, cryptography and pydantic.
    ),
)
# What asks the lake is not beside what writes it.
_NOT_A_RELAY_S: Final = (
    *_NOT_A_CELL_S,
    "cell_relay_aws/operating",
    "cell_relay_azure/operating",
    *(
        f"cell_lake/{part}"
        for part in (
            "audit",
            "cli",
            "domain/cloud_events",
            "fences_source",
            "flows/backfill",
            "flows/pass_by",
            "flows/restore",
            "housekeeping",
            "lineage_export",
            "lineage_source",
            "query",
            "table_memory",
            "views",
        )
    ),
)
RELAYS: Final = (
    Deployable(
        name="aws_relay",
        lock="aws_relay",
        packages=("core", "adapters_aws", "lake", "lake/deploy/aws"),
        unreached=_NOT_A_RELAY_S,
        entry_files=("packages/lake/deploy/aws/relay.py", "LICENSE"),
        entry_module="relay",
        started=("relay",),
        libraries=PurePosixPath(),
        size_mb_max=66,  # Of which 50 are the compiled library that writes the lake.
    ),
    Deployable(
        name="azure_relay",
        lock="azure_relay",
        packages=("core", "adapters_azure", "lake", "lake/deploy/azure"),
        unreached=_NOT_A_RELAY_S,
        entry_files=(
            "packages/lake/deploy/azure/function_app.py",
            "packages/lake/deploy/azure/host.json",
            "LICENSE",
        ),
        entry_module="function_app",
        started=("function_app",),
        libraries=PurePosixPath(".python_packages/lib/site-packages"),
        size_mb_max=66,
    ),
)
ROUTER: Final = Deployable(
    name="router",
    lock="router",
    packages=("core", "router"),
    # Of core it knows the wire format and identifiers only (see the contract `router-neutral`), and
    # the other shell is dist/worker's.
    unreached=(
        *(
            f"cell_core/{part}"
            for part in ("app", "domains", "memory", "schema", "service", "system")
        ),
        "cell_router/shell_worker",
    ),
    entry_files=("packages/router/deploy/__main__.py", "LICENSE"),
    entry_module="__main__",
    # Those of a worker; the supervisor's are on top of a few of them.
    started=("cell_router.cli", "cell_router.bootstrap", "cell_router.server.worker_process"),
    libraries=PurePosixPath("lib"),
    size_mb_max=25,
)
ROUTER_ARM: Final = replace(
    ROUTER, name="router_aarch64", platform="aarch64-manylinux_2_28", size_mb_max=25
)
DEPLOYABLES: Final = (*CELLS, *RELAYS, ROUTER, ROUTER_ARM)


@dataclass(frozen=True, slots=True, kw_only=True)
class Target:
    """What a zip is built for, and with.

    Attributes:
        python: The runtime's version, such as "3.13".
        platform: The oldest platform it must load on, as the installer spells it.
        interpreter: A Python of that version, to compile with; without one, sources are shipped.
        uv: The installer's path.
    """

    python: str
    platform: str
    interpreter: str | None
    uv: str

    def platform_of(self, deployable: Deployable) -> str:
        """Return the platform that `deployable` is built for."""
        return deployable.platform or self.platform


def main() -> int:
    """Build what the command line names, report sizes and cold starts, return the exit code."""
    parser = argparse.ArgumentParser(description="Build the deployable zips.")
    parser.add_argument("names", nargs="*", help="all of them when none is named")
    parser.add_argument("--runtime", default=settings()["python"], help="such as 3.13")
    parser.add_argument("--uv", default=find_uv(), help="the installer's path")
    parser.add_argument("--here", action="store_true", help="only what this processor can run")
    options = parser.parse_args()
    target = target_for(options.runtime, uv=options.uv)
    if target.interpreter is None:
        print(
            f"WARNING: there is no Python {target.python} on this machine, so the zips hold no"
            " compiled modules: every cold start will compile them. Do not deploy these.",
            file=sys.stderr,
        )
    chosen = [
        each
        for each in DEPLOYABLES
        if (each.name in options.names or not options.names)
        and (_runs_here(each, target) or not options.here)
    ]
    too_large = [each.name for each in chosen if not _build_and_report(each, target)]
    for name in too_large:
        print(f"{name}.zip is over its size budget.", file=sys.stderr)
    return 1 if too_large else 0


def settings() -> dict[str, str]:
    """Return `[tool.bundle]` of pyproject.toml: the one place that names the runtime."""
    tool = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]
    return dict(tool["bundle"])


def find_uv() -> str:
    """Return the installer's path: on PATH, else where the Makefile puts it."""
    return shutil.which("uv") or str(ROOT / ".uv" / "bin" / "uv")


def target_for(python: str, *, uv: str) -> Target:
    """Return the target of runtime version `python`, with an interpreter if there is one."""
    if python == f"{sys.version_info.major}.{sys.version_info.minor}":
        interpreter: str | None = sys.executable
    else:
        search = [str(ROOT / "tools" / "find-python"), python]
        found = subprocess.run(search, capture_output=True, text=True, check=False)
        interpreter = found.stdout.strip() or None
    return Target(python=python, platform=settings()["platform"], interpreter=interpreter, uv=uv)


def zip_path(deployable: Deployable, target: Target) -> Path:
    """Return where the zip belongs: `dist/` is for the cloud, `build/pyXY/` for this machine."""
    if target.python == settings()["python"]:
        return ROOT / "dist" / f"{deployable.name}.zip"
    return ROOT / "build" / f"py{target.python.replace('.', '')}" / f"{deployable.name}.zip"


def ensure(deployable: Deployable, target: Target) -> Path:
    """Return the path of a zip that is current, building it if need be."""
    output = zip_path(deployable, target)
    lock = ROOT / "build" / f"{deployable.name}.lock"
    lock.parent.mkdir(exist_ok=True)
    with lock.open("w") as held:
        fcntl.flock(held, fcntl.LOCK_EX)  # Test workers share one build.
        if not is_current(output, digest(deployable, target)):
            build(deployable, target, output)
    return output


def is_current(output: Path, wanted: str) -> bool:
    """Return whether the zip at `output` was made from inputs with the digest `wanted`."""
    if not output.exists():
        return False
    with zipfile.ZipFile(output) as bundle:
        return bundle.comment.decode() == wanted


def digest(deployable: Deployable, target: Target) -> str:
    """Return a digest of everything that a build reads."""
    inputs = [deployable.lock_path, *ROOT.glob("tools/*.py")]
    inputs += [ROOT / name for name in deployable.entry_files]
    inputs += [path for path, _ in _ours(deployable)]
    compiled = "compiled" if target.interpreter else "sources only"
    total = hashlib.sha256(f"{target.python} {target.platform_of(deployable)} {compiled}".encode())
    for path in sorted(inputs):
        total.update(path.relative_to(ROOT).as_posix().encode())
        total.update(hashlib.sha256(path.read_bytes()).digest())
    return f"inputs sha256:{total.hexdigest()}"


def build(deployable: Deployable, target: Target, output: Path) -> None:
    """Build one zip at `output`."""
    output.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as folder:
        stage = Path(folder) / "stage"
        _install_locked(deployable, target, stage / deployable.libraries)
        if target.interpreter:
            # Docstrings are a fifth of a library's compiled size, and nobody reads them there.
            _precompile(target.interpreter, stage, optimize=2)
        _copy_ours(deployable, stage)
        if target.interpreter:
            # Ours keep their assertions. A traceback still names file and line.
            _precompile(target.interpreter, stage, optimize=0)
        for name in deployable.entry_files:
            _copy(ROOT / name, stage / Path(name).name)
        if target.interpreter:
            # The clouds look for these sources by name.
            _precompile(target.interpreter, stage, optimize=0, where="beside")
        files = {p.relative_to(stage).as_posix(): p for p in stage.rglob("*") if p.is_file()}
        entries = ((name, path.read_bytes()) for name, path in sorted(files.items()))
        write_zip(entries, output, comment=digest(deployable, target))


def _install_locked(deployable: Deployable, target: Target, libraries: Path) -> None:
    """Install the lock into `libraries` and remove what is not shipped."""
    command = [target.uv, "pip", "install", "--quiet", "--target", str(libraries), "--no-deps"]
    command += ["--python", sys.executable]
    command += ["--python-version", target.python]
    command += ["--python-platform", target.platform_of(deployable)]
    command += ["--only-binary", ":all:", "--require-hashes"]
    command += ["--requirements", str(deployable.lock_path)]
    _run(command)
    for path in sorted(libraries.rglob("*")):
        if path.is_file() and not contents.belongs(PurePosixPath(path.relative_to(libraries))):
            path.unlink()
        elif path.name == "METADATA":
            kept = contents.without_readme(path.read_text(encoding="utf-8"))
            path.unlink()  # It may be a link into the installer's cache.
            path.write_text(kept, encoding="utf-8")


def _copy_ours(deployable: Deployable, stage: Path) -> None:
    for source, place in _ours(deployable):
        _copy(source, stage / deployable.libraries / place)


def _ours(deployable: Deployable) -> Iterator[tuple[Path, str]]:
    """Yield each file of ours that is shipped, and its place in the folder of libraries."""
    for package in deployable.packages:
        src = ROOT / "packages" / package / "src"
        for path in sorted(src.rglob("*")):
            place = path.relative_to(src).as_posix()
            cached = "__pycache__" in path.parts
            if path.is_file() and not cached and not place.startswith(deployable.unreached):
                yield path, place


def _copy(source: Path, destination: Path) -> None:
    destination.parent.mkdir(parents=True, exist_ok=True)
    # A library's file may be a link into the installer's cache: fail rather than write through it.
    with destination.open("xb") as new:
        new.write(source.read_bytes())


def _precompile(interpreter: str, stage: Path, *, optimize: int, where: str = "instead") -> None:
    # Sets of strings are written in hash order, so the seed must be fixed for equal bytes.
    environment = {"PYTHONHASHSEED": "0", "PATH": os.defpath}
    script = str(ROOT / "tools" / "precompile.py")
    _run([interpreter, "-s", "-P", script, str(stage), str(optimize), where], environment)


def write_zip(entries: Iterable[tuple[str, bytes]], output: Path, *, comment: str) -> None:
    """Write `entries` in their order: equal ones give equal bytes.

    What stood at `output` stays until the new one is complete.
    """
    draft = output.with_suffix(f".{os.getpid()}")
    with zipfile.ZipFile(draft, "w", zipfile.ZIP_DEFLATED) as bundle:
        bundle.comment = comment.encode()
        for name, data in entries:
            entry = zipfile.ZipInfo(name, _OLDEST_TIME)
            entry.external_attr = 0o644 << 16
            entry.create_system = 3  # Unix, whatever this machine is.
            bundle.writestr(entry, data, zipfile.ZIP_DEFLATED, compresslevel=9)
    draft.replace(output)


def _build_and_report(deployable: Deployable, target: Target) -> bool:
    """Build one zip, print its size and cold start, and return whether its size is in budget."""
    output = ensure(deployable, target)
    size_mb = output.stat().st_size / _MB
    print(f"{output.relative_to(ROOT)}: {size_mb:.1f} of {deployable.size_mb_max} MB", end="")
    if target.interpreter and _runs_here(deployable, target):
        phrase = cold_start.report(
            output, target.interpreter, deployable.started, str(deployable.libraries)
        )
        print(f", {phrase}", end="")
    print(f", Python {target.python}")
    return size_mb <= deployable.size_mb_max


def _runs_here(deployable: Deployable, target: Target) -> bool:
    return target.platform_of(deployable).partition("-")[0] == platform.machine()


def _run(command: list[str], environment: dict[str, str] | None = None) -> None:
    if shutil.which(command[0]) is None:
        sys.exit(f"{command[0]} is not a program: `make build` installs what is needed.")
    done = subprocess.run(command, check=False, capture_output=True, text=True, env=environment)
    if done.returncode:
        sys.exit(f"{' '.join(command)}\n{done.stdout}{done.stderr}")


if __name__ == "__main__":
    sys.exit(main())
