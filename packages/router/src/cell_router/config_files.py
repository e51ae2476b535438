"""Whether the files that a configuration names can be used: keys, certificates, the cache's folder.

Reports all of them at once, with what to do; refuses to say anything that stands in one.
"""

import json
import os
import stat
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, Final

from cell_core.domain.canonical import parse
from cell_core.domain.errors import InvalidInput
from cell_core.wire.grants import GrantSigner
from cell_router.config import Config
from cell_router.config_findings import Finding
from cell_router.server.tls import TlsRefused, server_context, upstream_context

KEY_FILE_BYTES_MAX: Final = 64 * 1024
API_KEYS_BYTES_MAX: Final = 64 * 1024 * 1024
LOCAL_KID: Final = "local-world"
"""Every key that the local world makes for itself is named so; see `cell_core.system`."""

_PRIVATE_MEMBERS: Final = {"d", "p", "q", "dp", "dq", "qi", "oth", "k"}


def examine(config: Config) -> list[Finding]:
    """Return what is wrong with the files that `config` names."""
    return [
        *_listen_tls(config),
        *_grants(config),
        *_registry(config),
        *_issuers(config),
        *_api_keys(config),
        *_cells(config),
    ]


def _listen_tls(config: Config) -> Iterator[Finding]:
    tls = config.settings.listen.tls
    if tls is None:
        return
    yield from _private(config.path(tls.key), "listen.tls.key")
    try:
        server_context(config.path(tls.certificate), config.path(tls.key))
    except TlsRefused as refused:
        yield Finding(f"listen.tls.{refused.part}", refused.advice)


def _grants(config: Config) -> Iterator[Finding]:
    setting, path = "grants.key", config.path(config.settings.grants.key)
    yield from _private(path, setting)
    text, problem = _read(path, KEY_FILE_BYTES_MAX)
    if problem:
        yield Finding(setting, problem)
        return
    try:
        GrantSigner(text, issuer="edge")
        key = parse(text.encode())
    except (ValueError, KeyError, TypeError, InvalidInput):
        yield Finding(setting, "must be a file with one private JWK that has a kid: make a key")
        return
    yield from _not_of_development(config, key, setting)


def _registry(config: Config) -> Iterator[Finding]:
    settings = config.settings.registry
    yield from _jwks(config, settings.keys, "registry.keys", issuer="registry")
    if settings.credential_file:
        path = config.path(settings.credential_file)
        yield from _private(path, "registry.credential_file")
        if problem := _read(path, KEY_FILE_BYTES_MAX)[1]:
            yield Finding("registry.credential_file", problem)
    cache = config.path(settings.cache)
    standing = cache if cache.exists() else cache.parent
    if not standing.is_dir() or not os.access(standing, os.W_OK | os.X_OK):
        yield Finding("registry.cache", "must be a folder that the router may write to: make it")


def _issuers(config: Config) -> Iterator[Finding]:
    for place, issuer in enumerate(config.settings.issuers):
        if issuer.jwks_file:
            yield from _jwks(config, issuer.jwks_file, f"issuers[{place}].jwks_file")


def _api_keys(config: Config) -> Iterator[Finding]:
    settings = config.settings.api_keys
    if settings is None:
        return
    text, problem = _read(config.path(settings.file), API_KEYS_BYTES_MAX)
    if problem:
        yield Finding("api_keys.file", problem)
        return
    try:
        json.loads(text)
    except ValueError:
        yield Finding("api_keys.file", "is not JSON: write it with `cell-router keys`")


def _cells(config: Config) -> Iterator[Finding]:
    ca = config.settings.cells.ca
    if not ca:
        return
    try:
        upstream_context(config.path(ca))
    except TlsRefused as refused:
        yield Finding("cells.ca", refused.advice)


def _jwks(config: Config, file: str, setting: str, issuer: str = "") -> Iterator[Finding]:
    """Yield what is wrong with a file of public keys; `issuer` is what each must be bound to."""
    text, problem = _read(config.path(file), KEY_FILE_BYTES_MAX)
    keys = _keys_in(text) if not problem else None
    if keys is None:
        yield Finding(setting, problem or "must be a JWKS: an object with a list `keys`")
        return
    if not keys:
        yield Finding(setting, "holds no key: add the public key")
    for key in keys:
        yield from _public_key(key, setting, issuer)
        yield from _not_of_development(config, key, setting)


def _keys_in(text: str) -> list[Mapping[str, Any]] | None:
    try:
        keys = parse(text.encode())["keys"]
    except (InvalidInput, ValueError, KeyError, TypeError):
        return None
    sound = isinstance(keys, list) and all(isinstance(key, dict) for key in keys)
    return keys if sound else None


def _public_key(key: Mapping[str, Any], setting: str, issuer: str) -> Iterator[Finding]:
    if _PRIVATE_MEMBERS & key.keys():
        yield Finding(setting, "holds a private key: keep only its public half there")
    if not isinstance(key.get("kid"), str) or not key["kid"]:
        yield Finding(setting, "holds a key without a kid: give each key one")
    if issuer and key.get("iss") != issuer:
        yield Finding(setting, f'holds a key whose iss is not "{issuer}": say whose key it is')


def _not_of_development(config: Config, key: Mapping[str, Any], setting: str) -> Iterator[Finding]:
    if not config.settings.local and str(key.get("kid", "")).startswith(LOCAL_KID):
        yield Finding(setting, "holds a key of the local world: make one of your own")


def _private(path: Path, setting: str) -> Iterator[Finding]:
    """Yield a finding if the file at `path` is open to everybody on the machine."""
    try:
        mode = path.stat().st_mode
    except OSError:
        return  # Reading it says the same in the right words.
    if mode & (stat.S_IROTH | stat.S_IWOTH):
        yield Finding(setting, "can be read by everybody: chmod o-rwx it")


def _read(path: Path, bytes_max: int) -> tuple[str, str]:
    """Return the text of a file and "", or "" and what is wrong."""
    try:
        with path.open("rb") as file:
            raw = file.read(bytes_max + 1)
        text = raw.decode()
    except OSError as wrong:
        return "", f"cannot be read ({type(wrong).__name__}): check its path and its rights"
    except UnicodeDecodeError:
        return "", "is not UTF-8 text: write it again"
    if len(raw) > bytes_max:
        return "", f"is too large: at most {bytes_max} bytes"
    return text, ""
