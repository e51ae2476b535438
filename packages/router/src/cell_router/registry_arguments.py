"""What one may type after `cell-router registry`.

Refuses to act on it; `registry_file` does.
"""

import argparse
from pathlib import Path

from cell_core.wire.message import AUTHORIZATION, GRANT


def parser() -> argparse.ArgumentParser:
    """Return the parser of every command."""
    top = argparse.ArgumentParser(
        prog="cell-router registry",
        description="Write the registry that routers read, until the control plane does.",
    )
    top.add_argument("--file", type=Path, default=Path("registry.json"), help="the draft")
    top.add_argument("--json", action="store_true", help="answer in JSON")
    commands = top.add_subparsers(dest="command", required=True, metavar="COMMAND")
    _keys(commands.add_parser("keys", help="make a signing key").add_subparsers(required=True))
    commands.add_parser("init", help="begin a draft")
    _cell(commands.add_parser("add-cell", help="add a cell, or describe it anew"))
    _group(commands.add_parser("put-group", help="place a group of tenants"))
    _tenant(commands.add_parser("put-tenant", help="place a tenant, or change one"))
    commands.add_parser("remove-tenant", help="forget a tenant").add_argument("tenant")
    many = commands.add_parser("import", help="put the tenants of a CSV or JSON-lines file")
    many.add_argument("path", type=Path)
    listing = commands.add_parser("list", help="what the draft holds")
    listing.add_argument("--limit", type=int, default=20, help="tenants to list (default: 20)")
    commands.add_parser("show", help="where one tenant lives").add_argument("tenant")
    _publish(commands.add_parser("publish", help="sign the draft and put it where routers look"))
    return top


def _keys(kinds: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    new = kinds.add_parser("new", help="make a key pair; the public half joins the key set")
    new.add_argument("--kid", default="registry-1")
    new.add_argument("--private", type=Path, default=Path("registry-key.json"))
    new.add_argument("--public", type=Path, default=Path("registry-keys.json"))


def _cell(command: argparse.ArgumentParser) -> None:
    command.add_argument("cell")
    command.add_argument("--ordinal", type=int, required=True, help="0 to 15, for good")
    command.add_argument("--cloud", required=True)
    command.add_argument("--region", required=True)
    command.add_argument("--url", required=True, help="https://host[:port][/prefix]")
    command.add_argument("--grant-header", choices=[AUTHORIZATION, GRANT], default=AUTHORIZATION)


def _place(command: argparse.ArgumentParser) -> None:
    place = command.add_mutually_exclusive_group()
    place.add_argument("--cell", default="")
    place.add_argument("--epoch", type=int)


def _group(command: argparse.ArgumentParser) -> None:
    command.add_argument("group")
    _place(command)


def _tenant(command: argparse.ArgumentParser) -> None:
    command.add_argument("tenant")
    _place(command)
    command.add_argument("--stripes", type=int)
    command.add_argument("--group")
    command.add_argument("--status", choices=["active", "held", "blocked"])
    command.add_argument("--standby", help="the cell that acknowledges writes beside the home")
    acks = ["local", "refuse", "degrade"]
    command.add_argument("--ack", choices=acks, help="what to do while the standby is away")


def _publish(command: argparse.ArgumentParser) -> None:
    command.add_argument("to", help="a path, or a URL: file, redis, rediss, s3, az")
    command.add_argument("--key", type=Path, default=Path("registry-key.json"))
    command.add_argument("--ca", type=Path)
    command.add_argument("--credential-file", type=Path)
    command.add_argument("--option", action="append", default=[], metavar="NAME=VALUE")
    command.add_argument("--restore", action="store_true", help="even over a later one")
