"""Write the README of each Terraform module and root: `python -m tools.terraform_docs write`.

What a module is for is written by hand in its README, above the mark; inputs, outputs and resources
below it come from its files. `check` says which are out of date.
"""

import argparse
import sys
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from tools import hcl
from tools.terraform_contract import TERRAFORM, Tree

MARK: Final = "<!-- Below this line: written by `python -m tools.terraform_docs write`. -->"


def main() -> int:
    """Write the READMEs, or check that they are current; return the exit code."""
    parser = argparse.ArgumentParser(description="Describe Terraform's modules and roots.")
    parser.add_argument("verb", choices=["check", "write"])
    verb = parser.parse_args().verb
    stale = list(stale_readmes(TERRAFORM))
    for name in stale:
        if verb == "write":
            (TERRAFORM / name).write_text(readme(TERRAFORM, Path(name).parent.as_posix()))
        print(f"{name}: {'written' if verb == 'write' else 'out of date'}", file=sys.stderr)
    return 1 if stale and verb == "check" else 0


def stale_readmes(root: Path) -> Iterator[str]:
    """Yield the READMEs below `root` that do not say what the files say."""
    for name in Tree(root).names():
        path = root / name / "README.md"
        if not path.exists() or path.read_text() != readme(root, name):
            yield f"{name}/README.md"


def readme(root: Path, name: str) -> str:
    """Return the README of one module or root: its own words, then what its files say."""
    module = Tree(root).module(name)
    path = root / name / "README.md"
    own = path.read_text().partition(MARK)[0].rstrip() if path.exists() else f"# {name}"
    parts = [own, MARK, *_inputs(module), *_outputs(module), *_resources(module)]
    return "\n\n".join(parts) + "\n"


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
