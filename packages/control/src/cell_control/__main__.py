"""`python -m cell_control serve | check | token`; operators have `cellctl`.

Exit codes: 0 done, 1 it did not work or something was found, 2 the command line is wrong, 78 the
configuration is refused.
"""

import argparse
import json
import secrets
import sys
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Final

from cell_control.bootstrap import SystemClock, checked, run
from cell_control.errors import Invalid
from cell_control.server.config_findings import ConfigError
from cell_control.server.roles import Role
from cell_control.server.token_file import TEXTS, with_token
from cell_control.server.token_keeping import change_tokens
from cell_core.wire.bearer_text import ENTROPY_BYTES

_DAY_S: Final = 86_400


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command; return the exit code."""
    parsed = _parser().parse_args(argv)
    command: Callable[[argparse.Namespace], int] = _COMMANDS[parsed.command]
    return command(parsed)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="cell-control", description="The control plane.")
    commands = parser.add_subparsers(dest="command", required=True, metavar="command")
    for name, text in (("serve", "run it until SIGTERM"), ("check", "say what is wrong with it")):
        command = commands.add_parser(name, help=text)
        command.add_argument("--config", type=Path, required=True, metavar="FILE")
        if name == "check":
            command.add_argument("--json", action="store_true", help="print findings as JSON")
    token = commands.add_parser("token", help="make a token; it is shown once")
    token.add_argument("--file", type=Path, required=True, help="the file of hashed tokens")
    token.add_argument("--name", required=True, help="whose it is; two live at a time")
    token.add_argument("--role", required=True, choices=[role.value for role in Role])
    token.add_argument("--env", default="live", help="live, test, local ...")
    token.add_argument("--days", type=int, help="how long it is valid; default: until revoked")
    return parser


def _serve(parsed: argparse.Namespace) -> int:
    return run(parsed.config)


def _check(parsed: argparse.Namespace) -> int:
    try:
        checked(parsed.config)
        found = []
    except ConfigError as refused:
        found = list(refused.findings)
    if parsed.json:
        rows = [{"setting": one.setting, "message": one.message} for one in found]
        sys.stdout.write(json.dumps({"ok": not found, "findings": rows}) + "\n")
    else:
        sys.stdout.write("\n".join([f"error: {one}" for one in found] or ["ok"]) + "\n")
    return 1 if found else 0


def _token(parsed: argparse.Namespace) -> int:
    now_s = SystemClock().now_ms() // 1000
    expires_s = None if parsed.days is None else now_s + parsed.days * _DAY_S
    try:
        made = TEXTS.make(parsed.env, secrets.token_bytes(ENTROPY_BYTES))
        added = partial(
            with_token,
            new=made,
            name=parsed.name,
            role=Role(parsed.role),
            now_s=now_s,
            expires_s=expires_s,
        )
        change_tokens(parsed.file, now_s, added)
    except (Invalid, ValueError, OSError) as wrong:
        fields = wrong.fields if isinstance(wrong, Invalid) else {}
        problem = fields.get("problem") or type(wrong).__name__
        sys.stderr.write(f"No token was made ({fields.get('at', 'the file')}: {problem}).\n")
        return 1
    sys.stdout.write(f"{made.text}\n")
    return 0


_COMMANDS: Final[Mapping[str, Callable[[argparse.Namespace], int]]] = {
    "serve": _serve,
    "check": _check,
    "token": _token,
}

if __name__ == "__main__":
    sys.exit(main())
