"""Hold the cells' Terraform modules against each other: `python -m tools.terraform_contract`.

Needs neither a provider nor Terraform. Refuses to judge what only a plan can know: the modules' own
tests do that. Whether the modules fit the code is `tools.terraform_code`'s part.
"""

import argparse
import re
import sys
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final, TypeAlias

from tools import hcl
from tools.terraform_skips import WANTED, skips

ROOT: Final = Path(__file__).resolve().parent.parent
TERRAFORM: Final = ROOT / "terraform"
CLOUDS: Final = ("aws", "azure")

SKIPS_MAX: Final = {"modules": 9, "roots": 0, "bootstrap": 7}
"""How often a rule of the scanner is left out; terraform/SCANNER.md lists them with reasons."""

UNUSED: Final = {
    # The worker has one route for all; the contract says what the edge may ask.
    ("aws", "routes"),
    ("azure", "routes"),
}
"""Inputs of the contract that a cloud's resources do not read, beside what the contract does."""

VERSIONS: Final = {
    "hashicorp/aws": ">= 5.100.0, < 7.0.0",
    "hashicorp/azurerm": ">= 4.81.0, < 6.0.0",
    "cloudflare/cloudflare": "~> 5.0",
}


@dataclass(frozen=True, slots=True, order=True)
class Drift:
    """What strays, and the name of the check that says so."""

    check: str
    text: str


class Tree:
    """The files below one `terraform/`, read once."""

    def __init__(self, root: Path) -> None:
        """Read nothing yet."""
        self.root = root
        self._modules: dict[str, hcl.Block] = {}

    def module(self, name: str) -> hcl.Block:
        """Return the blocks of a module or root, such as `modules/cell_aws`."""
        if name not in self._modules:
            self._modules[name] = hcl.read_module(self.root / name)
        return self._modules[name]

    def cell(self, cloud: str) -> hcl.Block:
        """Return the blocks of a cloud's cell."""
        return self.module(f"modules/cell_{cloud}")

    def file(self, name: str) -> bytes:
        """Return a file's bytes, or nothing where there is none."""
        path = self.root / name
        return path.read_bytes() if path.exists() else b""

    def names(self) -> list[str]:
        """Return every module and root."""
        folders = {p.parent for p in self.root.rglob("*.tf") if ".terraform" not in p.parts}
        return sorted(folder.relative_to(self.root).as_posix() for folder in folders)

    def contract_files(self) -> list[str]:
        """Return the names of the files that every cell's module repeats."""
        return sorted(p.name for p in (self.root / "modules").glob("*/*.contract.tf"))


Check: TypeAlias = "Callable[[Tree], Iterator[str]]"


def drifts(root: Path, checks: "Sequence[Check] | None" = None) -> list[Drift]:
    """Return everything that strays below `root`, by the checks' names."""
    tree = Tree(root)
    found = [
        Drift(check.__name__, text)
        for check in (CHECKS if checks is None else checks)
        for text in check(tree)
    ]
    return sorted(found)


def contract_files_are_identical(tree: Tree) -> Iterator[str]:
    """The contract stands byte for byte in all three modules."""
    for name in sorted(set(tree.contract_files())):
        texts = {m: tree.file(f"modules/{m}/{name}") for m in _CONTRACTED}
        for module, text in texts.items():
            if text != texts["cell_contract"]:
                yield f"{module}/{name} differs from cell_contract's"


def a_cell_has_one_output(tree: Tree) -> Iterator[str]:
    """A neighbour can ask both cells the same, and nothing else."""
    for cloud in CLOUDS:
        names = [block.address for block in tree.cell(cloud).all("output")]
        if names != ["cell"]:
            yield f"cell_{cloud} puts out {', '.join(names)}"
        elif tree.cell(cloud).all("output")[0].attributes.get("value") != "module.contract.cell":
            yield f"cell_{cloud}: its output is not the contract's"


def own_inputs_have_a_prefix_and_a_default(tree: Tree) -> Iterator[str]:
    """Whoever knows one cell can call the other."""
    shared = set(_inputs(tree.module("modules/cell_contract"))) - _found(tree)
    for cloud in CLOUDS:
        for name, block in _inputs(tree.cell(cloud)).items():
            if name not in shared and not name.startswith(f"{cloud}_"):
                yield f"cell_{cloud}: {name} is neither the contract's nor begins with {cloud}_"
            if name not in shared and "default" not in block.attributes:
                yield f"cell_{cloud}: {name} is its own and has no default"


def the_whole_contract_is_passed_on(tree: Tree) -> Iterator[str]:
    """What is published is what was asked for."""
    for cloud in CLOUDS:
        calls = [b for b in tree.cell(cloud).all("module") if b.labels == ("contract",)]
        if len(calls) != 1:
            yield f"cell_{cloud} does not pass through the contract"
            continue
        for name in sorted(set(_inputs(tree.module("modules/cell_contract"))) - _found(tree)):
            if calls[0].attributes.get(name) != f"var.{name}":
                yield f"cell_{cloud} does not pass {name} on as it was given"


def every_input_is_used(tree: Tree) -> Iterator[str]:
    """An input that nothing reads is a promise that nothing keeps."""
    for cloud in CLOUDS:
        cell = tree.cell(cloud)
        texts = [
            text
            for block in cell.blocks
            if block.type != "variable" and block.labels != ("contract",)
            for text in block.text()
        ]
        for name in _inputs(cell):
            used = any(re.search(rf"\bvar\.{name}\b", text) for text in texts)
            if not used and (cloud, name) not in UNUSED:
                yield f"cell_{cloud} reads {name} nowhere"


def every_input_is_described_and_bounded(tree: Tree) -> Iterator[str]:
    """Each has a type and a description, and a module's a rule that is a sentence."""
    for module in tree.names():
        for name, block in _inputs(tree.module(module)).items():
            wanted = ["type", "description"]
            if block.attributes.get("default") != "null":
                wanted.append("nullable")
            lacks = [a for a in wanted if a not in block.attributes]
            if lacks:
                yield f"{module}: {name} has no {', '.join(lacks)}"
            rules = block.all("validation")
            bounded = rules or name in _WITHOUT_RULE or block.attributes.get("type") == "bool"
            if not bounded and module.startswith("modules/"):  # A root's are bounded where they go.
                yield f"{module}: {name} takes anything"
            for rule in rules:
                if not hcl.unquoted(rule.attributes["error_message"]).endswith("."):
                    yield f"{module}: a rule of {name} does not speak in a sentence"


def versions_are_the_same_everywhere(tree: Tree) -> Iterator[str]:
    """No module asks for another Terraform or another provider than the rest."""
    for module in tree.names():
        for block in tree.module(module).all("terraform"):
            if block.attributes.get("required_version") != '">= 1.11.0, < 2.0.0"':
                yield f"{module} asks for another Terraform"
            for needs in block.all("required_providers"):
                for text in needs.attributes.values():
                    source, version = (_of(text, name) for name in ("source", "version"))
                    if VERSIONS.get(source) != version:
                        yield f"{module} asks for {source} {version}"


def a_module_has_no_provider_and_a_root_a_locked_state(tree: Tree) -> Iterator[str]:
    """A module is at home anywhere; a cell's root keeps its state in the cell's own cloud."""
    for name in tree.names():
        backends = {
            b.address: b for t in tree.module(name).all("terraform") for b in t.all("backend")
        }
        if name.startswith("modules/") and (backends or tree.module(name).all("provider")):
            yield f"{name} brings a provider or a state of its own"
        wanted = _BACKENDS.get(name.rpartition("-")[2]) if name.startswith("roots/") else None
        if wanted is not None:
            kind, setting = wanted
            if backends.keys() != {kind} or backends[kind].attributes.get(setting) != "true":
                yield f"{name} has its state not in its own cloud, or without {setting}"


def what_the_scanner_skips_has_a_reason(tree: Tree) -> Iterator[str]:
    """A rule that is left out says why, next to it, and there are few."""
    found = skips(tree.root)
    for skip in found:
        if len(skip.reason.split()) < 5:
            yield f"{skip.file} skips {skip.rule} without a reason"
        if skip.rule not in WANTED:
            yield f"{skip.file} skips {skip.rule}, and nothing says what that rule asks for"
    for place, most in SKIPS_MAX.items():
        count = sum(skip.place == place for skip in found)
        if count > most:
            yield f"{count} rules are skipped in {place}, of {most}"


CHECKS: Final[tuple[Check, ...]] = (
    contract_files_are_identical,
    a_cell_has_one_output,
    own_inputs_have_a_prefix_and_a_default,
    the_whole_contract_is_passed_on,
    every_input_is_used,
    every_input_is_described_and_bounded,
    versions_are_the_same_everywhere,
    a_module_has_no_provider_and_a_root_a_locked_state,
    what_the_scanner_skips_has_a_reason,
)

_CONTRACTED: Final = ("cell_contract", "cell_aws", "cell_azure")
_BACKENDS: Final = {"aws": ("s3", "use_lockfile"), "azure": ("azurerm", "use_azuread_auth")}

# What a resource said of itself; the resource's own rules bound it.
_WITHOUT_RULE: Final = frozenset({"found", "resources"})


def main() -> int:
    """Check `terraform/`, print what strays, return the exit code."""
    # Where the code itself is read; whoever compares modules alone need not load the cells.
    from tools import terraform_code  # noqa: PLC0415 - see above

    parser = argparse.ArgumentParser(description="Hold the cells' modules against each other.")
    parser.add_argument("root", nargs="?", type=Path, default=TERRAFORM)
    root = parser.parse_args().root
    checks = (*CHECKS, *terraform_code.CHECKS)
    found = drifts(root, checks)
    for drift in found:
        print(f"{drift.check}: {drift.text}", file=sys.stderr)
    print(f"{len(checks)} checks, {len(found)} drifts")
    return 1 if found else 0


def _inputs(module: hcl.Block) -> dict[str, hcl.Block]:
    return {block.address: block for block in module.all("variable")}


def _found(tree: Tree) -> set[str]:
    """Return the inputs of the contract's own module: what a cloud's module found."""
    text = tree.file("modules/cell_contract/variables.found.tf").decode()
    return set(_inputs(hcl.read(text)))


def _of(object_text: str, name: str) -> str:
    found = re.search(rf'\b{name}\s*=\s*"([^"]*)"', object_text)
    return found[1] if found else ""


if __name__ == "__main__":
    sys.exit(main())
