"""Where Terraform gets its providers from in tests: a mirror on this machine, else a schema.

Nothing is downloaded unless CELL_TERRAFORM_DOWNLOAD=1 says so. Which provider was real and which a
stand-in is said at the end of each run; one that is neither here skips its tests, loudly.
"""

import os
import re
import sys
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Literal

HERE: Final = Path(__file__).parent
ROOT: Final = HERE.parents[1]
HOST: Final = "registry.terraform.io"

PYTHON: Final = ROOT / ".venv-terraform" / "bin" / "python"
"""Has what requirements/terraform.txt locks; `make terraform` makes it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Stub:
    """A schema that can stand in for a provider.

    Attributes:
        version: What it claims to be; within the modules' bounds. The file's name says what it is.
    """

    schema: Path
    version: str


STUBS: Final = {
    "hashicorp/azurerm": Stub(
        schema=HERE / "schemas" / "azurerm_4.55.0_plus.json", version="4.81.0"
    ),
    "cloudflare/cloudflare": Stub(
        schema=HERE / "schemas" / "cloudflare_5.14.0.json", version="5.14.0"
    ),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Provider:
    """Where one provider comes from.

    Attributes:
        place: The mirror's folder; None for a download.
    """

    source: str
    kind: Literal["real", "download", "stub"]
    place: Path | None = None

    def __str__(self) -> str:
        says = {
            "real": "the real provider, from a mirror",
            "download": "the real provider, downloaded",
            "stub": f"a STAND-IN that checks structure only ({self._schema_name()})",
        }
        return f"{self.source}: {says[self.kind]}"

    def _schema_name(self) -> str:
        return STUBS[self.source].schema.name if self.source in STUBS else ""


def needed(folder: Path) -> set[str]:
    """Return the sources of the providers that `folder` and the modules it calls ask for."""
    found: set[str] = set()
    for path in folder.glob("*.tf"):
        text = path.read_text()
        for source in re.findall(r'source\s*=\s*"([^"]+)"', text):
            if source.startswith("."):
                found |= needed((folder / source).resolve())
            elif re.fullmatch(r"[a-z0-9-]+/[a-z0-9-]+", source):
                found.add(source)
    return found


def find(source: str, stubs: Path) -> Provider | None:
    """Return where `source` comes from, or None if it cannot be had; makes its stub in `stubs`."""
    for mirror in _mirrors():
        if (mirror / HOST / source).is_dir():
            return Provider(source=source, kind="real", place=mirror)
    if os.environ.get("CELL_TERRAFORM_DOWNLOAD") == "1":
        return Provider(source=source, kind="download")
    if source in STUBS and PYTHON.exists():
        _write_stub(source, stubs)
        return Provider(source=source, kind="stub", place=stubs)
    return None


def configuration(providers: Iterable[Provider]) -> str:
    """Return the text of a CLI configuration with which `init` finds exactly these."""
    blocks = []
    downloads = []
    for provider in providers:
        name = f"{HOST}/{provider.source}"
        if provider.place is None:
            downloads.append(f'"{name}"')
        else:
            blocks.append(
                f'  filesystem_mirror {{\n    path    = "{provider.place}"\n'
                f'    include = ["{name}"]\n  }}\n'
            )
    if downloads:  # An empty list would include everything.
        blocks.append(f"  direct {{\n    include = [{', '.join(downloads)}]\n  }}\n")
    return "disable_checkpoint = true\nprovider_installation {\n" + "".join(blocks) + "}\n"


def _mirrors() -> list[Path]:
    """Return the folders that may hold providers: those that are named, and Terraform's own."""
    named = [Path(part) for part in os.environ.get("CELL_TERRAFORM_MIRRORS", "").split(":") if part]
    home = Path.home()
    implied = [
        home / ".terraform.d" / "plugins",
        home / ".local" / "share" / "terraform" / "plugins",
        Path("/usr/local/share/terraform/plugins"),
        Path("/usr/share/terraform/plugins"),
    ]
    machine = [path.parent for path in Path("/opt").glob(f"*/{HOST}")]
    return [*named, *implied, *machine]


def _write_stub(source: str, stubs: Path) -> None:
    """Make a program that Terraform takes for the provider `source`."""
    stub = STUBS[source]
    machine = {"x86_64": "amd64", "aarch64": "arm64"}[os.uname().machine]
    platform = f"{sys.platform}_{machine}"
    folder = stubs / HOST / source / stub.version / platform
    folder.mkdir(parents=True, exist_ok=True)
    name = source.partition("/")[2]
    program = folder / f"terraform-provider-{name}_v{stub.version}"
    program.write_text(
        f'#!/bin/sh\nexec "{PYTHON}" -P "{HERE / "schema_stub.py"}" "{stub.schema}"\n'
    )
    program.chmod(0o755)
