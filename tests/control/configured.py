"""A control plane's own files: its configuration, the keys and the tokens that it names."""

import json
from pathlib import Path

from cell_control.__main__ import main
from tests.core.granting import control_key
from tests.core.registering import private_key

LOCAL = """
local = true
[registry]
url = "sqlite:///registry.db"
[tokens]
file = "tokens.json"
[keys]
grant = "grant.json"
registry = "registry.json"
[listen]
port = 0
"""


def configured(
    folder: Path, text: str = LOCAL, *, kid: str = "registry-1", env: str = "local"
) -> Path:
    """Write all of them; return the configuration's path."""
    (folder / "grant.json").write_text(json.dumps(control_key().private_jwk()))
    (folder / "registry.json").write_text(private_key(kid))
    for name in ("grant.json", "registry.json"):
        (folder / name).chmod(0o600)
    made = ["token", "--file", str(folder / "tokens.json"), "--name", "ci", "--role", "admin"]
    assert main([*made, "--env", env]) == 0
    path = folder / "control.toml"
    path.write_text(text)
    return path
