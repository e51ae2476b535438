"""A copy of `terraform/` that a test may run in, and plant faults in.

Terraform writes beside what it reads; the checkout stays as it is.
"""

import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import Final

ROOT: Final = Path(__file__).parents[2]
SOURCE: Final = ROOT / "terraform"

_NOT_COPIED: Final = shutil.ignore_patterns(
    ".terraform", ".terraform.lock.hcl", "*.tfstate*", "*.tfvars", "backend.hcl"
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Fault:
    """A change to one file: `old` stands there exactly once and becomes `new`."""

    file: str
    old: str
    new: str


def copied(folder: Path) -> Path:
    """Return a copy of `terraform/` below `folder`."""
    tree = folder / "terraform"
    shutil.copytree(SOURCE, tree, ignore=_NOT_COPIED)
    return tree


def plant(tree: Path, fault: Fault) -> None:
    """Change the copy at `tree`; a fault that no longer fits the text is a failed test."""
    path = tree / fault.file
    text = path.read_text()
    assert text.count(fault.old) == 1, (
        f"{fault.file} holds {fault.old!r} {text.count(fault.old)} times"
    )
    path.write_text(text.replace(fault.old, fault.new))


def configurations(tree: Path = SOURCE) -> list[Path]:
    """Return the folder of every module and root, by what they are called below `tree`."""
    folders = {path.parent for path in tree.rglob("*.tf") if ".terraform" not in path.parts}
    return sorted(folder.relative_to(tree) for folder in folders)
