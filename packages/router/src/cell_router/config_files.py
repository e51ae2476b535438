"""Whether the files that a configuration names can be used: keys, certificates, the cache's folder.

Reports all of them at once, with what to do; refuses to say anything that stands in one.
"""

import json
import os
import stat
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Final

from cell_core.wire.grants import GrantSigner
from cell_core.wire.registry_keys import RegistryVerifier
from cell_router.auth.api_key_file import FILE_BYTES_MAX, KeyFileInvalid, read_key_file
from cell_router.auth.key_set import KeySetRefused, read_key_set
from cell_router.config import Config
from cell_router.config_findings import Finding
from cell_router.server.tls import TlsRefused, server_context, upstream_context

KEY_FILE_BYTES_MAX: Final = 64 * 1024
LOCAL_KID: Final = "local-world"
"""Every key that the local world makes for itself is named so; see `cell_core.system`."""


def examine(config: Config, now_s: int) -> list[Finding]:
    """Return what is wrong with the files that `config` names; `now_s` is the wall clock's."""
    return [
        *_listen_tls(config),
        *_grants(config),
        *_registry(config),
        *_issuers(config),
        *_api_keys(config, now_s),
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
        kid = str(json.loads(text)["kid"])
    except (ValueError, KeyError, TypeError):
        yield Finding(setting, "must be a file with one private JWK that has a kid: make a key")
        return
    yield from _not_of_development(config, [kid], setting)


def _registry(config: Config) -> Iterator[Finding]:
    settings = config.settings.registry
    yield from _registry_keys(config)
    if settings.credential_file:
        path = config.path(settings.credential_file)
        yield from _private(path, "registry.credential_file")
        if problem := _read(path, KEY_FILE_BYTES_MAX)[1]:
            yield Finding("registry.credential_file", problem)
    cache = config.path(settings.cache)
    standing = cache if cache.exists() else cache.parent
    if not standing.is_dir() or not os.access(standing, os.W_OK | os.X_OK):
        yield Finding("registry.cache", "must be a folder that the router may write to: make it")


def _registry_keys(config: Config) -> Iterator[Finding]:
    setting = "registry.keys"
    text, problem = _read(config.path(config.settings.registry.keys), KEY_FILE_BYTES_MAX)
    if problem:
        yield Finding(setting, problem)
        return
    try:
        RegistryVerifier(text)
    except ValueError as wrong:
        # The message is one of a few fixed sentences; it never holds a piece of the file.
        yield Finding(setting, f"must be a JWKS of public Ed25519 keys for the registry ({wrong})")
        return
    yield from _not_of_development(config, _kids_in(text), setting)


def _issuers(config: Config) -> Iterator[Finding]:
    for place, issuer in enumerate(config.settings.issuers):
        if not issuer.jwks_file:
            continue
        setting = f"issuers[{place}].jwks_file"
        text, problem = _read(config.path(issuer.jwks_file), KEY_FILE_BYTES_MAX)
        if problem:
            yield Finding(setting, problem)
            continue
        try:
            keys = read_key_set(text.encode(), frozenset(issuer.algorithms))
        except KeySetRefused as refused:
            yield Finding(setting, f"holds no JWKS that can be used ({refused}): write it again")
            continue
        yield from _not_of_development(config, keys, setting)


def _api_keys(config: Config, now_s: int) -> Iterator[Finding]:
    settings = config.settings.api_keys
    if settings is None:
        return
    path = config.path(settings.file)
    try:
        with path.open("rb") as file:
            read_key_file(file.read(FILE_BYTES_MAX + 1), now_s)
    except OSError as wrong:
        yield Finding("api_keys.file", _unreadable(wrong))
    except KeyFileInvalid as invalid:
        where = invalid.fields["where"]
        yield Finding(
            "api_keys.file", f"breaks a rule at {where}: write it with `cell-router keys`"
        )


def _cells(config: Config) -> Iterator[Finding]:
    ca = config.settings.cells.ca
    if not ca:
        return
    try:
        upstream_context(config.path(ca))
    except TlsRefused as refused:
        yield Finding("cells.ca", refused.advice)


def _kids_in(jwks: str) -> list[str]:
    return [str(key.get("kid", "")) for key in json.loads(jwks)["keys"]]


def _not_of_development(config: Config, kids: Iterable[str], setting: str) -> Iterator[Finding]:
    if not config.settings.local and any(kid.startswith(LOCAL_KID) for kid in kids):
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
        return "", _unreadable(wrong)
    except UnicodeDecodeError:
        return "", "is not UTF-8 text: write it again"
    if len(raw) > bytes_max:
        return "", f"is too large: at most {bytes_max} bytes"
    return text, ""


def _unreadable(wrong: OSError) -> str:
    return f"cannot be read ({type(wrong).__name__}): check its path and its rights"
