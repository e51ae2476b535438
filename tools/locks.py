"""Write the lock files of the deployables, and check that they are current.

Checking needs no network and upgrades nothing. A lock never records where a package came from.
"""

import argparse
import hashlib
import re
import shutil
import subprocess
import sys
import tomllib
from dataclasses import dataclass
from pathlib import Path
from typing import Final

ROOT: Final = Path(__file__).resolve().parent.parent
REQUIREMENTS: Final = ROOT / "requirements"
EVERY_PACKAGE: Final = tuple(
    sorted(path.parent.name for path in (ROOT / "packages").glob("*/pyproject.toml"))
)
OURS: Final = re.compile(r"cell-")
_PIN: Final = re.compile(r"(?P<name>[A-Za-z0-9._-]+)==(?P<version>\S+)(?P<marker> ; .+?)?(?: \\)?")


@dataclass(frozen=True, slots=True, kw_only=True)
class Lock:
    """One lock file, and what it is made from.

    Attributes:
        name: `requirements/<name>.txt` is written, and `requirements/<name>.in` read if it exists.
        packages: Folders below `packages/` whose declared dependencies it holds.
        extras: Names of optional dependencies of theirs that it holds too.
        within: A lock whose versions this one must repeat, so that tests run what is shipped.
    """

    name: str
    packages: tuple[str, ...] = ()
    extras: tuple[str, ...] = ()
    within: str | None = None

    @property
    def path(self) -> Path:
        """The lock file."""
        return REQUIREMENTS / f"{self.name}.txt"


# In the order of writing: a lock comes after the one that it stays within.
LOCKS: Final = (
    Lock(name="uv"),
    Lock(name="pip"),
    Lock(name="cloudflare_worker"),
    Lock(name="terraform"),
    Lock(name="dev", packages=EVERY_PACKAGE, extras=("query",)),
    Lock(name="aws_worker", packages=("core", "adapters_aws"), within="dev"),
    Lock(name="azure_worker", packages=("core", "adapters_azure"), within="dev"),
    Lock(name="aws_relay", packages=("core", "adapters_aws", "lake"), within="dev"),
    Lock(name="azure_relay", packages=("core", "adapters_azure", "lake"), within="dev"),
    Lock(name="router", packages=("core", "router"), within="dev"),
    Lock(name="control", packages=("core", "control"), within="dev"),
)


def main() -> int:
    """Check or write every lock; return the exit code."""
    parser = argparse.ArgumentParser(description="Write or check requirements/*.txt.")
    parser.add_argument("verb", choices=["check", "write", "upgrade"])
    parser.add_argument("--uv", default="uv", help="the installer's path")
    options = parser.parse_args()
    if options.verb != "check":
        for lock in LOCKS:
            write(lock, uv=options.uv, upgrade=options.verb == "upgrade")
    faults = [fault for lock in LOCKS for fault in faults_of(lock)]
    for fault in faults:
        print(fault, file=sys.stderr)
    print(f"{len(LOCKS)} locks, {len(faults)} faults")
    return 1 if faults else 0


def declared(lock: Lock) -> list[str]:
    """Return the third-party requirements that `lock` answers for, sorted."""
    found: set[str] = set()
    for package in lock.packages:
        text = (ROOT / "packages" / package / "pyproject.toml").read_text()
        project = tomllib.loads(text)["project"]
        found.update(project["dependencies"])
        for extra in lock.extras:
            found.update(project.get("optional-dependencies", {}).get(extra, []))
    source = lock.path.with_suffix(".in")
    if source.exists():
        found.update(line.partition("#")[0].strip() for line in source.read_text().splitlines())
    return sorted(line for line in found if line and not OURS.match(line))


def pins(text: str) -> dict[tuple[str, str], str]:
    """Return the version of each (name, marker) that a lock file's text pins."""
    found = (_PIN.fullmatch(line) for line in text.splitlines())
    return {(m["name"], m["marker"] or ""): m["version"] for m in found if m}


def faults_of(lock: Lock) -> list[str]:
    """Return what is wrong with `lock` in sentences; nothing is downloaded."""
    if not lock.path.exists():
        return [f"{lock.path.name} does not exist: run `make lock`."]
    text = lock.path.read_text()
    faults = []
    if _header(lock) not in text:
        faults.append(f"{lock.path.name} was made from other requirements: run `make lock`.")
    if "://" in text or " @ " in text or str(Path.home()) in text:
        faults.append(f"{lock.path.name} says where a package came from: remove that.")
    if lock.within:
        outer = pins((REQUIREMENTS / f"{lock.within}.txt").read_text())
        strays = sorted(
            f"{name}=={version}"
            for (name, marker), version in pins(text).items()
            # What the outer lock holds for every platform, it holds for this one.
            if version not in (outer.get((name, marker)), outer.get((name, "")))
        )
        faults += [f"{lock.path.name} has {pin}, {lock.within}.txt has not." for pin in strays]
    return faults


def write(lock: Lock, *, uv: str, upgrade: bool) -> None:
    """Resolve `lock` for every platform, keeping the pins it has unless `upgrade`."""
    command = [uv, "pip", "compile", "-", "--quiet", "--universal", "--generate-hashes"]
    command += ["--python-version", _oldest_python(), "--output-file", str(lock.path)]
    command += ["--no-header", "--no-annotate", "--no-emit-index-url", "--no-emit-find-links"]
    if lock.within:
        command += ["--constraints", str(REQUIREMENTS / f"{lock.within}.txt")]
    if upgrade:
        command.append("--upgrade")
    if shutil.which(uv) is None:
        sys.exit(f"{uv} is not a program: name uv with --uv.")
    subprocess.run(command, input="\n".join(declared(lock)), text=True, check=True, cwd=ROOT)
    lock.path.write_text(_header(lock) + lock.path.read_text())


def _header(lock: Lock) -> str:
    digest = hashlib.sha256("\n".join(declared(lock)).encode()).hexdigest()
    return (
        f"# Written by `make lock` for Python {_oldest_python()} and later; not by hand.\n"
        f"# Made from requirements sha256:{digest}\n"
    )


def _oldest_python() -> str:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    return str(project["requires-python"]).removeprefix(">=")


if __name__ == "__main__":
    sys.exit(main())
