"""Which control plane to talk to, and as whom: options, then the environment, then the profile.

The profile is a TOML file with `server`, `token_file`, `ca` and `lake`; it names the file of a
token and never holds one. Refuses to send a token over plain http to another machine.
"""

import ipaddress
import json
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final
from urllib.parse import urlsplit

from cell_control.adapters.replacing import replace_file
from cell_control.cli.failures import usage
from cell_control.cli.surroundings import CA, LAKE, SERVER, TOKEN_FILE, Surroundings

FILE_BYTES_MAX: Final = 16 * 1024
_NAMES: Final = ("server", "token_file", "ca", "lake")
_LOGIN: Final = "Name one with --server, or keep one with: cellctl login --server URL"


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """Where to connect.

    Attributes:
        server: `http(s)://host[:port]`.
        token_file: None for no token.
        ca: None for the usual authorities.
        origin: Who said which server: `--server`, a variable, or the profile.
    """

    server: str
    token_file: Path | None
    ca: Path | None
    origin: str


def place_of(around: Surroundings, server: str | None, token_file: Path | None) -> Place:
    """Return where the options, else the environment, else the profile say to connect.

    Raises:
        Failed: Nobody says, or it is no place to send a token to.
    """
    kept = read_profile(around.profile)
    said = [
        ("--server", server or ""),
        (SERVER, around.variables.get(SERVER, "")),
        (str(around.profile), kept.get("server", "")),
    ]
    origin, url = next(((who, url) for who, url in said if url), ("", ""))
    if not url:
        raise usage("No control plane is named.", _LOGIN)
    token = str(token_file or "") or around.variables.get(TOKEN_FILE) or kept.get("token_file")
    ca = around.variables.get(CA) or kept.get("ca")
    return Place(
        server=checked_server(url),
        token_file=Path(token) if token else None,
        ca=Path(ca) if ca else None,
        origin=origin,
    )


def kept_of(around: Surroundings) -> dict[str, str]:
    """Return what the environment, else the profile says, by the profile's names.

    Raises:
        Failed: The profile is none.
    """
    named = {"server": SERVER, "token_file": TOKEN_FILE, "ca": CA, "lake": LAKE}
    said = {name: around.variables.get(variable, "") for name, variable in named.items()}
    return {**read_profile(around.profile), **{n: text for n, text in said.items() if text}}


def read_profile(path: Path) -> dict[str, str]:
    """Return what the profile says; empty if there is none.

    Raises:
        Failed: It is none.
    """
    again = f"Correct {path}, or write it anew with: cellctl login --server URL"
    try:
        with path.open("rb") as file:
            found = tomllib.loads(file.read(FILE_BYTES_MAX).decode())
    except FileNotFoundError:
        return {}
    except OSError as wrong:
        raise usage(f"The profile cannot be read ({type(wrong).__name__}).", again) from None
    except ValueError:
        raise usage("The profile is not TOML.", again) from None
    for name, value in found.items():
        if name not in _NAMES or not isinstance(value, str):
            raise usage(f"The profile may hold {', '.join(_NAMES)}, each a text.", again)
    return found


def write_profile(path: Path, members: Mapping[str, str]) -> None:
    """Replace the profile.

    Raises:
        Failed: It cannot be written.
    """
    # A JSON string without its exotic escapes is a TOML string.
    lines = [f"{name} = {json.dumps(value)}" for name, value in members.items() if value]
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        replace_file(path, ("\n".join(lines) + "\n").encode(), mode=0o600)
    except OSError as wrong:
        raise usage(f"{path} cannot be written ({type(wrong).__name__}).") from None


def checked_server(url: str) -> str:
    """Return `url` without a slash at its end.

    Raises:
        Failed: It is no URL of a server, holds a secret, or would show a token to the network.
    """
    try:
        parts = urlsplit(url)
        host, _ = parts.hostname or "", parts.port
    except ValueError:
        host, parts = "", urlsplit("")
    if parts.scheme not in ("http", "https") or not host or parts.query or parts.fragment:
        raise usage("The server is not a URL such as https://control.example.", _LOGIN)
    if parts.username or parts.password:
        raise usage("The server's URL holds a credential.", "Keep a token with: cellctl login")
    if parts.scheme == "http" and not is_loopback(host):
        raise usage("Plain http would show your token to the network.", "Use https://.")
    return url.rstrip("/")


def is_loopback(host: str) -> bool:
    """Say whether `host` is this machine."""
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False
