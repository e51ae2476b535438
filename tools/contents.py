"""Say which files of an installed library belong in a deployable, and why the others do not.

It drops what no running cell can read, and modules that no cell imports; never a licence. The
metadata of every locked library stays, so that an audit of the zip finds each of them.
"""

from pathlib import PurePosixPath
from typing import Final

_DROPPED_FOLDERS: Final = {
    "__pycache__": "compiled again, the same way each time",
    "bin": "commands for a terminal",
    "sboms": "what a wheel was built from; ours is made from the lock",
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
    ".pxd": "source of a compiled extension",
    ".pyi": "for type checkers",
    ".pyx": "source of a compiled extension",
}
# The AWS SDK ships the descriptions of 400 services; a cell calls these.
_SERVICES_KEPT: Final = {
    "dynamodb": "the store",
    "dynamodbstreams": "the change reader",
    "sts": "assuming a role, as the standard credential chain may",
    "xray": "the sampling rules of the tracer, with CELL_TRACING",
}
_SERVICE_FOLDERS: Final = {("botocore", "data"), ("boto3", "data")}
# Modules that a cell never imports, below the folder of their library. A test imports each handler
# from the zip and answers requests with it, so what is missed here shows.
_MODULES_DROPPED: Final = {
    "aws_lambda_powertools/event_handler/openapi/swagger_ui": "pages that describe another API",
    "azure/cosmos/aio": "the asynchronous client; both clouds' handlers are synchronous",
    "azure/cosmos/_change_feed/aio": "as above",
    "azure/cosmos/_execution_context/aio": "as above",
    "azure/identity/aio": "the asynchronous credentials",
    "azure/core/pipeline/transport/_aiohttp.py": "a transport of the asynchronous client",
    "azure/core/pipeline/transport/_requests_asyncio.py": "as above",
    "azure/core/pipeline/transport/_requests_trio.py": "as above",
    "cffi": "builds extensions; what cryptography runs with is the module _cffi_backend",
    "charset_normalizer/cd": "compiled twice: the plain module does the same",
    "charset_normalizer/md": "compiled twice: the plain module does the same",
    "msal/__main__.py": "a command for a terminal",
    "msal_extensions": "token caches on disk, which a function has no use for",
    "pycparser": "cffi's parser of C",
    "pydantic/experimental/pipeline.py": "another way to write models",
    "pydantic/v1": "a copy of the major version before",
    "pydantic/mypy.py": "a plugin of the type checker",
    "urllib3/contrib/emscripten": "for browsers",
    "urllib3/contrib/pyopenssl.py": "for Pythons without TLS of their own",
    "werkzeug/debug": "the debugger's pages",
    "werkzeug/middleware": "parts of a web server",
}


def belongs(path: PurePosixPath) -> bool:
    """Return whether `path`, relative to the library folder, is shipped."""
    if not _DROPPED_FOLDERS.keys().isdisjoint(path.parts[:-1]):
        return False
    if path.name in _DROPPED_NAMES or path.suffix in _DROPPED_SUFFIXES:
        return False
    if any(_is_below(path, module) for module in _MODULES_DROPPED):
        return False
    if path.parts[:2] in _SERVICE_FOLDERS and len(path.parts) > len(("botocore", "data", "file")):
        return path.parts[2] in _SERVICES_KEPT
    return True


def _is_below(path: PurePosixPath, module: str) -> bool:
    if module.startswith("charset_normalizer/"):
        # Only the extension goes: its name continues with the interpreter and the platform.
        return path.suffix == ".so" and path.as_posix().startswith(f"{module}.")
    return path.is_relative_to(module)


def without_readme(metadata: str) -> str:
    """Return a library's METADATA up to its description, which is the project's front page."""
    return metadata.partition("\n\n")[0].rstrip("\n") + "\n"
