"""Write the README of each Terraform module and root: `python -m tools.terraform_docs write`.

What a module is for is written by hand in its README, above the mark; inputs, outputs and resources
below it come from its files, and so does the table in SCANNER.md. `check` says which are stale.
"""

import argparse
import sys
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from tools import hcl
from tools.terraform_contract import TERRAFORM, Tree
from tools.terraform_skips import table

SCANNER: Final = "SCANNER.md"
MARK: Final = "<!-- Below this line: written by `python -m tools.terraform_docs write`. -->"


def main() -> int:
    """Write the READMEs, or check that they are current; return the exit code."""
    parser = argparse.ArgumentParser(description="Describe Terraform's modules and roots.")
    parser.add_argument("verb", choices=["check", "write"])
    verb = parser.parse_args().verb
    stale = list(stale_readmes(TERRAFORM))
    for name in stale:
        if verb == "write":
            (TERRAFORM / name).write_text(written(TERRAFORM, name))
        print(f"{name}: {'written' if verb == 'write' else 'out of date'}", file=sys.stderr)
    return 1 if stale and verb == "check" else 0


def stale_readmes(root: Path) -> Iterator[str]:
    """Yield the documents below `root` that do not say what the files say."""
    for name in [*(f"{folder}/README.md" for folder in Tree(root).names()), SCANNER]:
        path = root / name
        if not path.exists() or path.read_text() != written(root, name):
            yield name


def written(root: Path, name: str) -> str:
    """Return what the document `name` below `root` should say."""
    if name == SCANNER:
        return "\n\n".join([_own(root / name), MARK, table(root)]) + "\n"
    return readme(root, Path(name).parent.as_posix())


def readme(root: Path, name: str) -> str:
    """Return the README of one module or root: its own words, then what its files say."""
    module = Tree(root).module(name)
    own = _own(root / name / "README.md") or f"# {name}"
    parts = [own, MARK, *_inputs(module), *_outputs(module), *_resources(module)]
    return "\n\n".join(parts) + "\n"


def _own(path: Path) -> str:
    """Return what was written by hand, if anything."""
    return path.read_text().partition(MARK)[0].rstrip() if path.exists() else ""


def _inputs(module: hcl.Block) -> Iterator[str]:
    variables = sorted(module.all("variable"), key=lambda v: ("default" in v.attributes, v.address))
    if variables:
        yield "## Inputs"
        rows = ["| name | type | default | meaning |", "|---|---|---|---|"]
        for variable in variables:
            said = variable.attributes
            default = f"`{said['default']}`" if "default" in said else "**required**"
            rows.append(
                _row(
                    f"`{variable.address}`",
                    _code(said.get("type", "")),
                    default,
                    _described(variable),
                )
            )
        yield "\n".join(rows)


def _outputs(module: hcl.Block) -> Iterator[str]:
    if module.all("output"):
        yield "## Outputs"
        rows = ["| name | meaning |", "|---|---|"]
        rows += [_row(f"`{each.address}`", _described(each)) for each in module.all("output")]
        yield "\n".join(rows)


def _resources(module: hcl.Block) -> Iterator[str]:
    kinds = Counter(block.labels[0] for block in module.all("resource"))
    if kinds:
        yield "## Resources"
        yield "\n".join(
            f"- `{kind}`" + (f" ({count})" if count > 1 else "")
            for kind, count in sorted(kinds.items())
        )


def _described(block: hcl.Block) -> str:
    return hcl.unquoted(block.attributes.get("description", ""))


def _code(text: str) -> str:
    return f"`{text}`"


def _row(*cells: str) -> str:
    return "| " + " | ".join(cell.replace("|", "\\|") for cell in cells) + " |"


if __name__ == "__main__":
    sys.exit(main())
