"""Write a CycloneDX bill of materials beside each deployable in dist/.

It is read from the deployable itself, so that it cannot name what was not shipped; a library that
the lock does not know is an error. The same deployable gives the same bytes.
"""

import hashlib
import json
import re
import sys
import tomllib
import uuid
import zipfile
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from email.message import Message
from email.parser import HeaderParser
from importlib.metadata import distribution
from pathlib import Path
from typing import Any, Final

from tools import bundle, native_router, worker_bundle

DEV_LOCK: Final = bundle.ROOT / "requirements" / "dev.txt"
_METADATA: Final = re.compile(r".*\.dist-info/METADATA$")
_PIN: Final = re.compile(r"(?P<name>[A-Za-z0-9._-]+)==(?P<version>[^ ;\\]+)")
_HASH: Final = re.compile(r"--hash=sha256:(?P<hash>[0-9a-f]{64})")
_SPACE: Final = uuid.UUID("6ba7b811-9dad-11d1-80b4-00c04fd430c8")  # RFC 9562's for URLs.


@dataclass(frozen=True, slots=True)
class Artefact:
    """One deployable in dist/, and the lock that it was made from.

    Attributes:
        embeds: Tools of this environment that put code of theirs into what they compile.
    """

    path: Path
    lock: Path
    embeds: tuple[str, ...] = ()

    @property
    def bill(self) -> Path:
        """Where its bill of materials belongs."""
        return self.path.parent / f"{self.path.stem}.cdx.json"


class NotLocked(ValueError):
    """A deployable holds a library that is not in its lock."""


ARTEFACTS: Final = (
    *(Artefact(bundle.ROOT / "dist" / f"{d.name}.zip", d.lock_path) for d in bundle.DEPLOYABLES),
    Artefact(native_router.DIST, bundle.ROUTER.lock_path, embeds=("mypy",)),
    Artefact(worker_bundle.OUTPUT, worker_bundle.LOCK),
)


def main() -> int:
    """Write the bill of each deployable that was built; return the exit code."""
    built = [artefact for artefact in ARTEFACTS if artefact.path.exists()]
    for artefact in built:
        files = contents(artefact.path)
        lock, embedded = artefact.lock.read_text(), embedded_by(artefact.embeds)
        bill = document(artefact.path.name, files, lock, embedded)
        artefact.bill.write_text(json.dumps(bill, indent=1) + "\n")
        where = artefact.bill.relative_to(bundle.ROOT)
        print(f"{where}: {len(bill['components'])} components")
    if not built:
        print("There is nothing in dist/: run `make build`.", file=sys.stderr)
    return 0 if built else 1


def contents(path: Path) -> dict[str, bytes]:
    """Return every file of the zip or folder at `path`, by its name in there."""
    if path.is_dir():
        files = sorted(each for each in path.rglob("*") if each.is_file())
        return {each.relative_to(path).as_posix(): each.read_bytes() for each in files}
    with zipfile.ZipFile(path) as opened:
        return {name: opened.read(name) for name in sorted(opened.namelist())}


def embedded_by(tools: Iterable[str]) -> list[dict[str, Any]]:
    """Return the components that `tools`, as they are installed here, put into what they compile.

    Raises:
        NotLocked: One of them is not in the lock of this environment.
    """
    locked = _locked(DEV_LOCK.read_text())
    texts = [distribution(name).read_text("METADATA") or "" for name in tools]
    return [_component(HeaderParser().parsestr(text), locked) for text in texts]


def document(
    name: str, files: Mapping[str, bytes], lock: str, embedded: Iterable[dict[str, Any]] = ()
) -> dict[str, Any]:
    """Return the bill of the deployable `name`, which holds `files`, and `embedded` in them.

    Raises:
        NotLocked: One of its libraries is not in `lock`.
    """
    locked = _locked(lock)
    found = [
        HeaderParser().parsestr(files[each].decode()) for each in files if _METADATA.match(each)
    ]
    total = _digest(files)
    return {
        "$schema": "http://cyclonedx.org/schema/bom-1.6.schema.json",
        "bomFormat": "CycloneDX",
        "specVersion": "1.6",
        "serialNumber": f"urn:uuid:{uuid.uuid5(_SPACE, f'{name} {total}')}",
        "version": 1,
        "metadata": {
            "component": {
                "type": "application",
                "bom-ref": "deployable",
                "name": name,
                "version": _version(),
                "licenses": [{"license": {"id": "Apache-2.0"}}],
            },
            "properties": [
                {"name": "cells:content-sha256", "value": total},
                # A lock accepts each archive of a release; one of them was installed.
                {"name": "cells:component-hashes", "value": "every archive that the lock accepts"},
            ],
        },
        "components": sorted(
            [*(_component(each, locked) for each in found), *embedded],
            key=lambda each: str(each["name"]),
        ),
    }


def _locked(lock: str) -> dict[tuple[str, str], list[str]]:
    return {(_key(pin), version): hashes for pin, version, hashes in _pins(lock)}


def _component(library: Message, locked: Mapping[tuple[str, str], list[str]]) -> dict[str, Any]:
    name, version = _key(library["Name"]), library["Version"]
    if (name, version) not in locked:
        raise NotLocked(f"{name} {version} is not in the lock.")
    purl = f"pkg:pypi/{name}@{version}"
    hashes = [{"alg": "SHA-256", "content": each} for each in locked[name, version]]
    component = {
        "type": "library", "bom-ref": purl, "name": name, "version": version, "purl": purl,
        "hashes": hashes,
    }  # fmt: skip
    licence = library["License-Expression"]
    if licence:
        component["licenses"] = [{"expression": licence}]
    elif named := _licences(library):
        component["licenses"] = [{"license": {"name": each}} for each in named]
    return component


def _licences(library: Message) -> list[str]:
    """Return the names of an older library's licences, as its classifiers have them."""
    lines = library.get_all("Classifier", [])
    found = [line.rpartition(" :: ")[2] for line in lines if line.startswith("License :: ")]
    if not found and library["License"]:
        return [str(library["License"]).partition("\n")[0]]
    return found


def _pins(lock: str) -> Iterator[tuple[str, str, list[str]]]:
    """Yield name, version and hashes of each pin."""
    for block in re.split(r"\n(?=\S)", lock):
        if pin := _PIN.match(block):
            yield pin["name"], pin["version"], _HASH.findall(block)


def _key(name: str) -> str:
    return re.sub(r"[-_.]+", "-", name).lower()


def _digest(files: Mapping[str, bytes]) -> str:
    return hashlib.sha256(b"".join(_lines(files.items()))).hexdigest()


def _lines(files: Iterable[tuple[str, bytes]]) -> Iterator[bytes]:
    for name, content in sorted(files):
        yield f"{hashlib.sha256(content).hexdigest()}  {name}\n".encode()


def _version() -> str:
    project = tomllib.loads((bundle.ROOT / "pyproject.toml").read_text())["project"]
    return str(project["version"])


if __name__ == "__main__":
    sys.exit(main())
