"""The tool behind `python -m cell_router keys`: makes, lists and revokes API keys in a file.

A key is shown once, on standard output, when it is made; the file never holds it. A router takes a
changed file over at its next reload.
"""

import argparse
import fcntl
import json
import os
import secrets
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final, TextIO

from cell_router.auth.api_key_file import (
    EVERY_TENANT,
    FILE_BYTES_MAX,
    NO_KEYS,
    ApiKey,
    KeyFile,
    KeyFileInvalid,
    read_key_file,
    with_key,
    without_key,
    write_key_file,
)
from cell_router.auth.api_key_text import ENTROPY_BYTES, make_key
from cell_router.auth.principal import SCOPES
from cell_router.replacing import replace_file

_DAY_S: Final = 24 * 3600


def main(
    argv: Sequence[str],
    *,
    out: TextIO | None = None,
    clock_s: Callable[[], float] = time.time,  # noqa: TID251 - a shell: keys carry this clock's time
    entropy: Callable[[int], bytes] = secrets.token_bytes,
) -> int:
    """Run `new`, `list` or `revoke`; return 0, or 1 if the file or the change is not right.

    A command line that is not right exits with 2, as argparse does.
    """
    wanted = _parser().parse_args(argv)
    now_s = int(clock_s())
    try:
        shown = _COMMANDS[wanted.command](wanted, now_s, entropy)
    except KeyFileInvalid as invalid:
        _write(sys.stderr, f"{wanted.file}: {invalid.fields['where']}: {invalid.fields['problem']}")
        return 1
    except OSError as failed:
        _write(sys.stderr, f"{wanted.file}: {os.strerror(failed.errno or 0)}")
        return 1
    _write(out or sys.stdout, json.dumps(shown) if wanted.json else _plain(shown))
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="cell-router keys", description="API keys of clients")
    commands = parser.add_subparsers(dest="command", required=True)
    every = argparse.ArgumentParser(add_help=False)
    every.add_argument("--file", type=Path, default=Path("api-keys.json"))
    every.add_argument("--json", action="store_true", help="answer in JSON")
    new = commands.add_parser("new", parents=[every], help="make a key and show it once")
    new.add_argument("--client", required=True, help="whose it is; two live keys at most")
    tenants = new.add_mutually_exclusive_group(required=True)
    tenants.add_argument("--tenant", action="append", help="may be repeated")
    tenants.add_argument("--any-tenant", action="store_true")
    new.add_argument("--scope", action="append", choices=SCOPES, help="default: read and write")
    new.add_argument("--env", default="live", help="live, test, local ...")
    new.add_argument("--days", type=int, help="how long it is valid; default: until revoked")
    commands.add_parser("list", parents=[every], help="show what is known of each key")
    revoke = commands.add_parser("revoke", parents=[every], help="refuse a key from now on")
    revoke.add_argument("id", help="the third part of ck_<env>_<id>_...")
    return parser


def _new(
    wanted: argparse.Namespace, now_s: int, entropy: Callable[[int], bytes]
) -> Mapping[str, Any]:
    try:
        made = make_key(wanted.env, entropy(ENTROPY_BYTES))
    except ValueError as problem:
        raise KeyFileInvalid("--env", str(problem)) from None
    with _locked(wanted.file):
        file = with_key(
            _read(wanted.file, now_s, missing=NO_KEYS),
            made,
            client=wanted.client,
            tenants=EVERY_TENANT if wanted.any_tenant else wanted.tenant,
            scopes=wanted.scope or ["read", "write"],
            now_s=now_s,
            expires_s=None if wanted.days is None else now_s + wanted.days * _DAY_S,
        )
        replace_file(wanted.file, [write_key_file(file)], mode=0o600)
    return {"key": made.text, **_facts(file.keys[-1], now_s)}


def _list(
    wanted: argparse.Namespace, now_s: int, _entropy: Callable[[int], bytes]
) -> list[Mapping[str, Any]]:
    return [_facts(key, now_s) for key in _read(wanted.file, now_s).keys]


def _revoke(
    wanted: argparse.Namespace, now_s: int, _entropy: Callable[[int], bytes]
) -> Mapping[str, Any]:
    with _locked(wanted.file):
        file = without_key(_read(wanted.file, now_s), wanted.id, now_s)
        replace_file(wanted.file, [write_key_file(file)], mode=0o600)
    return next(_facts(key, now_s) for key in file.keys if key.id == wanted.id)


_COMMANDS: Final[Mapping[str, Callable[..., Any]]] = {
    "new": _new,
    "list": _list,
    "revoke": _revoke,
}


def _facts(key: ApiKey, now_s: int) -> Mapping[str, Any]:
    return {
        "id": key.id,
        "client": key.client,
        "env": key.env,
        "tenants": key.tenants,
        "scopes": key.scopes,
        "created_s": key.created_s,
        "expires_s": key.expires_s,
        "revoked_s": key.revoked_s,
        "live": key.is_live(now_s),
    }


def _plain(shown: Any) -> str:  # noqa: ANN401 - what a command answers
    if isinstance(shown, list):
        return "\n".join(map(_line, shown)) if shown else "no keys"
    if "key" in shown:
        return f"{shown['key']}\nKeep it now: it is not shown again.\n{_line(shown)}"
    return _line(shown)


def _line(facts: Mapping[str, Any]) -> str:
    state = "live" if facts["live"] else "expired" if facts["revoked_s"] is None else "revoked"
    tenants = EVERY_TENANT if facts["tenants"] == EVERY_TENANT else ",".join(facts["tenants"])
    scopes = ",".join(facts["scopes"])
    return f"{facts['id']}  {state}  {facts['env']}  {facts['client']}  {tenants}  {scopes}"


def _read(path: Path, now_s: int, missing: KeyFile | None = None) -> KeyFile:
    if missing is not None and not path.exists():
        return missing
    with path.open("rb") as file:
        return read_key_file(file.read(FILE_BYTES_MAX + 1), now_s)


@contextmanager
def _locked(path: Path) -> Iterator[None]:
    # The folder is locked, as the file itself is replaced; a lock ends with its process.
    folder = os.open(path.absolute().parent, os.O_RDONLY)
    try:
        fcntl.flock(folder, fcntl.LOCK_EX)
        yield
    finally:
        os.close(folder)


def _write(to: TextIO, text: str) -> None:
    to.write(f"{text}\n")
