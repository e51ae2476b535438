"""Whether the files that a configuration names can be used: keys, tokens, certificates.

Reports all of them at once, with what to do; refuses to say anything that stands in one.
"""

import json
import os
import ssl
import stat
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Final

from cell_control.errors import Invalid
from cell_control.server.config import Config
from cell_control.server.config_findings import Finding
from cell_control.server.token_file import FILE_BYTES_MAX, read_token_file
from cell_core.wire.grants import GrantSigner
from cell_core.wire.registry_keys import RegistrySigner

KEY_FILE_BYTES_MAX: Final = 64 * 1024
LOCAL_KID: Final = "local-world"
"""Every key that the local world makes for itself is named so."""


def examine(config: Config, now_s: int) -> list[Finding]:
    """Return what is wrong with the files that `config` names; `now_s` is the wall clock's."""
    settings = config.settings
    return [
        *_key(
            config, "keys.grant", settings.keys.grant, lambda t: GrantSigner(t, issuer="control")
        ),
        *_key(config, "keys.registry", settings.keys.registry, RegistrySigner),
        *_tokens(config, now_s),
        *_tls(config),
        *_secrets(config),
        *_registry(config),
    ]


def grant_signer(private_jwk: str) -> GrantSigner:
    """Return what signs the control plane's grants.

    Raises:
        ValueError: It is no private key with a `kid`.
    """
    return GrantSigner(private_jwk, issuer="control")


def read_text(path: Path, bytes_max: int = KEY_FILE_BYTES_MAX) -> str:
    """Return the text of a small file.

    Raises:
        OSError: It cannot be read.
        ValueError: It is no UTF-8, or too large.
    """
    with path.open("rb") as file:
        raw = file.read(bytes_max + 1)
    if len(raw) > bytes_max:
        raise ValueError("too large")
    return raw.decode()


def _key(
    config: Config, setting: str, name: str, load: Callable[[str], object]
) -> Iterator[Finding]:
    path = config.path(name)
    yield from _private(path, setting)
    try:
        text = read_text(path)
        load(text)
        kid = str(json.loads(text)["kid"])
    except OSError as wrong:
        yield Finding(setting, _unreadable(wrong))
    except (ValueError, KeyError, TypeError):
        yield Finding(setting, "must be a file with one private JWK that has a kid: make a key")
    else:
        if kid.startswith(LOCAL_KID) and not config.settings.local:
            yield Finding(setting, "holds a key of the local world: make one of your own")


def _tokens(config: Config, now_s: int) -> Iterator[Finding]:
    setting, path = "tokens.file", config.path(config.settings.tokens.file)
    yield from _private(path, setting)
    try:
        with path.open("rb") as file:
            found = read_token_file(file.read(FILE_BYTES_MAX + 1), now_s)
    except OSError as wrong:
        yield Finding(setting, _unreadable(wrong))
    except Invalid as wrong:
        yield Finding(setting, f"breaks a rule at {wrong.fields['at']}: write it by command")
    else:
        live = [t for t in found.tokens if t.is_live(now_s)]
        if not config.settings.local:
            live = [token for token in live if token.env != "local"]
        if not live:
            yield Finding(setting, "holds no token that is good here: make one")


def _tls(config: Config) -> Iterator[Finding]:
    tls = config.settings.listen.tls
    if tls is not None:
        yield from _private(config.path(tls.key), "listen.tls.key")
        try:
            context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            context.load_cert_chain(config.path(tls.certificate), config.path(tls.key))
        except (OSError, ssl.SSLError):
            yield Finding("listen.tls", "names no certificate with its key: check both files")
    if config.settings.cells.ca:
        try:
            ssl.create_default_context(cafile=str(config.path(config.settings.cells.ca)))
        except (OSError, ssl.SSLError):
            yield Finding("cells.ca", "holds no certificate in PEM form: check the file")


def _secrets(config: Config) -> Iterator[Finding]:
    named = {"registry.password_file": config.settings.registry.password_file}
    for place, target in enumerate(config.settings.publish):
        named[f"publish[{place}].credential_file"] = target.credential_file
    for setting, name in named.items():
        if not name:
            continue
        yield from _private(config.path(name), setting)
        try:
            read_text(config.path(name))
        except OSError as wrong:
            yield Finding(setting, _unreadable(wrong))
        except ValueError:
            yield Finding(setting, "is no small text file: write it again")


def _registry(config: Config) -> Iterator[Finding]:
    path = sqlite_path(config)
    if path is not None and not (path.parent.is_dir() and os.access(path.parent, os.W_OK)):
        yield Finding("registry.url", "must lie in a folder that may be written to: make it")


def sqlite_path(config: Config) -> Path | None:
    """Return the file of an embedded registry, or None if it is another one."""
    scheme, found, rest = config.settings.registry.url.partition(":///")
    return config.path(rest) if found and scheme == "sqlite" else None


def _private(path: Path, setting: str) -> Iterator[Finding]:
    """Yield a finding if the file at `path` is open to everybody on the machine."""
    try:
        mode = path.stat().st_mode
    except OSError:
        return  # Reading it says the same in the right words.
    if mode & (stat.S_IROTH | stat.S_IWOTH):
        yield Finding(setting, "can be read by everybody: chmod o-rwx it")


def _unreadable(wrong: OSError) -> str:
    return f"cannot be read ({type(wrong).__name__}): check its path and its rights"
