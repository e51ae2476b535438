"""Say which files of an installed library belong in a deployable, and why the others do not.

It never drops code of a library or its licence: only what no running cell can read.
"""

from pathlib import PurePosixPath
from typing import Final

_DROPPED_FOLDERS: Final = {
    "__pycache__": "compiled again, the same way each time",
    "bin": "commands for a terminal",
    "examples": "documentation of boto3",
    "test": "tests",
    "tests": "tests",
}
_DROPPED_NAMES: Final = {
    "INSTALLER": "written by the installer",
    "RECORD": "written by the installer, lists files that are dropped",
    "REQUESTED": "written by the installer",
    "direct_url.json": "written by the installer, differs from machine to machine",
    "uv_cache.json": "written by the installer, holds the time",
    ".lock": "written by the installer",
}
_DROPPED_SUFFIXES: Final = {
    ".c": "source of a compiled extension",
    ".h": "source of a compiled extension",
    ".pyi": "for type checkers",
}
# The AWS SDK ships the descriptions of 400 services; a cell calls these.
_SERVICES_KEPT: Final = {
    "dynamodb": "the store",
    "dynamodbstreams": "the change reader",
    "sts": "assuming a role, as the standard credential chain may",
}
_SERVICE_FOLDERS: Final = {("botocore", "data"), ("boto3", "data")}


def belongs(path: PurePosixPath) -> bool:
    """Return whether `path`, relative to the library folder, is shipped."""
    if not _DROPPED_FOLDERS.keys().isdisjoint(path.parts[:-1]):
        return False
    if path.name in _DROPPED_NAMES or path.suffix in _DROPPED_SUFFIXES:
        return False
    if path.parts[:2] in _SERVICE_FOLDERS and len(path.parts) > len(("botocore", "data", "file")):
        return path.parts[2] in _SERVICES_KEPT
    return True
