"""Rules of the scanner that a resource is excused from, as the comments beside it say.

Reads the comments only: whether the scanner heeds them is for a test that runs it.
"""

import re
from dataclasses import dataclass
from pathlib import Path
from typing import Final

WANTED: Final = {
    "CKV_AWS_18": "an access log of the bucket",
    "CKV_AWS_144": "a copy of the bucket in another region",
    "CKV_AWS_272": "a signature over the function's zip",
    "CKV_AWS_309": "an authorizer before the route",
    "CKV_AZURE_33": "the classic log of the account's queues",
    "CKV_AZURE_59": "no public address of the account",
    "CKV_AZURE_140": "no keys of the account, by the attribute's name in azurerm 3.x",
    "CKV_AZURE_206": "a copy of the account in another region",
    "CKV_AZURE_212": "two fixed instances",
    "CKV2_AZURE_1": "a key of one's own",
    "CKV2_AZURE_21": "storage insights over the container",
    "CKV2_AZURE_33": "a private address of the account",
}
"""What each rule asks for."""

_SKIP: Final = re.compile(r"#\s*checkov:skip=(?P<rule>[A-Z0-9_]+)(?::(?P<reason>.*))?")
_RESOURCE: Final = re.compile(r'^resource "(?P<kind>[^"]+)" "(?P<name>[^"]+)" \{')


@dataclass(frozen=True, slots=True, order=True)
class Skip:
    """One rule, left out for one resource.

    Attributes:
        file: Below `terraform/`.
        resource: Its address; empty where the comment stands before any.
        reason: Empty where none is given.
    """

    file: str
    resource: str
    rule: str
    reason: str

    @property
    def place(self) -> str:
        """The folder at the top: modules, roots or bootstrap."""
        return self.file.partition("/")[0]


def skips(root: Path) -> list[Skip]:
    """Return every skip below `root`, in the order of files and lines."""
    found = []
    for path in sorted(root.rglob("*.tf")):
        if ".terraform" in path.parts:
            continue
        name, resource = path.relative_to(root).as_posix(), ""
        for line in path.read_text().splitlines():
            if begins := _RESOURCE.match(line):
                resource = f"{begins['kind']}.{begins['name']}"
            if skip := _SKIP.search(line):
                found.append(Skip(name, resource, skip["rule"], (skip["reason"] or "").strip()))
    return found


def table(root: Path) -> str:
    """Return the skips below `root` as a table in Markdown."""
    rows = ["| rule | it asks for | resource | why not |", "|---|---|---|---|"]
    for skip in skips(root):
        where = f"`{skip.resource}` in `{skip.file}`"
        wanted = WANTED.get(skip.rule, "")
        rows.append(f"| {skip.rule} | {wanted} | {where} | {skip.reason} |")
    return "\n".join(rows)
