"""`cellctl up`: the local world in the foreground, until Ctrl-C, ready for cellctl and curl.

Found by cellctl through the entry point `up`. Refuses to replace a profile that names a control
plane elsewhere.
"""

import argparse
import json
import signal
import subprocess
import sys
import threading
from collections.abc import Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import Any, Final
from urllib.parse import urlsplit

from rich.console import Console
from rich.table import Table

from cell_control.cli.failures import Exit, Failed, usage
from cell_control.cli.profile import is_loopback, read_profile, write_profile
from cell_control.cli.surroundings import of_this_process
from cell_control.server.roles import Role
from cell_devstack.local_control import ControlSettings
from cell_devstack.process import ChildDidNotStart
from cell_devstack.world import World, Zips

_LOCAL_ZIPS: Final = Path("tools") / "local_zips.py"
_BUILD_S_MAX: Final = 900.0


def main(arguments: Sequence[str]) -> int:
    """Run the world until Ctrl-C; return the exit code."""
    options = _parser().parse_args(arguments)
    console = Console(highlight=False, markup=False, stderr=options.json)
    profile = of_this_process().profile
    try:
        zips = _zips(options)
        with ExitStack() as stack:
            console.print("Starting two clouds, the edge and the control plane ...")
            world = stack.enter_context(
                World(zips, folder=options.folder, control=ControlSettings(), lake=True)
            )
            kept = _keep(world, profile)
            stack.callback(_forget, world, profile)
            _show(world, console, profile if kept else None, as_json=options.json)
            _until_told()
    except ChildDidNotStart as broken:
        raise Failed(f"The local world did not start: {broken.program} {broken.reason}.",
                     *broken.log_tail.splitlines()[-3:]) from None  # fmt: skip
    except KeyboardInterrupt:
        pass
    console.print("Stopped; everything that was started has been ended.")
    return int(Exit.INTERRUPTED)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="cellctl up",
        description="Run the local world here until Ctrl-C: a cell of each cloud from its zip, "
        "the edge router, a control plane and a lake. Nothing here reaches a cloud.",
    )
    parser.add_argument("--aws-zip", type=Path, help="in a checkout it is built if it is stale")
    parser.add_argument("--azure-zip", type=Path, help="as --aws-zip")
    parser.add_argument("--folder", type=Path, help="keep databases and logs here")
    parser.add_argument("--json", action="store_true", help="print where all is as JSON")
    return parser


def _zips(options: argparse.Namespace) -> Zips:
    if options.aws_zip is None or options.azure_zip is None:
        if options.aws_zip or options.azure_zip:
            raise usage("Name both zips, or neither.")
        if not _LOCAL_ZIPS.exists():
            raise usage(
                "This is no checkout, so the cells' zips have to be named.",
                "cellctl up --aws-zip FILE --azure-zip FILE; `make build` makes them.",
            )
        options = _parser().parse_args(_built())
    for path in (options.aws_zip, options.azure_zip):
        if not path.is_file():
            raise usage(f"{path} is no file.", "`make build` makes the cells' zips.")
    return Zips(options.aws_zip, options.azure_zip)


def _built() -> list[str]:
    try:
        done = subprocess.run(
            [sys.executable, "-m", "tools.local_zips"],
            stdout=subprocess.PIPE,
            timeout=_BUILD_S_MAX,
            check=True,
        )
    except (subprocess.SubprocessError, OSError):
        raise Failed("The cells' zips could not be built.", "make build") from None
    return done.stdout.decode().split()


def _keep(world: World, profile: Path) -> bool:
    """Let cellctl talk to this world; say whether it does."""
    server = read_profile(profile).get("server", "")
    if server and not is_loopback(urlsplit(server).hostname or ""):
        return False
    token_file = str(world.control.token_path(Role.ADMIN).absolute())
    members = {"server": world.control.url, "token_file": token_file, "lake": world.lake.url}
    write_profile(profile, members)
    return True


def _forget(world: World, profile: Path) -> None:
    if read_profile(profile).get("server") == world.control.url:
        profile.unlink(missing_ok=True)


def _show(world: World, console: Console, profile: Path | None, *, as_json: bool) -> None:
    control = world.control
    tokens = {str(role): str(control.token_path(role)) for role in Role}
    if as_json:
        cells = {cell.id: cell.base_url for cell in world.cells.values()}
        document: dict[str, Any] = {
            "edge": world.router.url,
            "edge_operators": world.router.admin_url,
            "control": control.url,
            "cells": cells,
            "lake": world.lake.url,
            "token_files": tokens,
            "profile": str(profile) if profile else None,
        }
        sys.stdout.write(json.dumps(document) + "\n")
        sys.stdout.flush()
        return
    console.print(_addresses(world))
    console.print()
    console.print(_lines(world, profile), soft_wrap=True)


def _addresses(world: World) -> Table:
    table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0), show_header=False)
    table.add_row("edge router", world.router.url, "all that a client knows")
    table.add_row("its operators", f"{world.router.admin_url}/metrics", "")
    table.add_row("control plane", world.control.url, "its API: /openapi.json")
    for cell in world.cells.values():
        table.add_row(cell.id, cell.base_url, cell.cloud)
    table.add_row("lake", world.lake.url, "all that both have written")
    return table


def _lines(world: World, profile: Path | None) -> str:
    control = world.control
    token = control.token_path(Role.ADMIN)
    command = (
        '{"tenant_id":"T-1","domain":"ledger","command":"open_account",'
        '"command_id":"my-first","data":{"account":"alice"}}'
    )
    ready = (
        f"cellctl talks to it, as {profile} says:"
        if profile
        else "Your profile names another control plane and stays as it is. For this one:\n\n"
        f"export CELLCTL_SERVER={control.url}\nexport CELLCTL_TOKEN_FILE={token}"
    )
    return (
        f"Tokens, one a role, are in {control.folder}/*.token\n\n"
        f"From another terminal while this runs: {ready}\n\n"
        "cellctl cells\n"
        "cellctl tenant create --id T-1\n"
        "cellctl tenant move T-1\n"
        'cellctl lake query "from ledger_balances"\n'
        "cellctl lake audit\n\n"
        f'curl -s {control.url}/v1/cells -H "authorization: Bearer $(cat {token})"\n\n'
        "And as a client, through the edge:\n\n"
        f"export CELL_API_KEY={world.router.api_key}\n"
        f"curl -si {world.router.url}/process -H 'content-type: application/json' \\\n"
        f"     -H \"x-api-key: $CELL_API_KEY\" -d '{command}'\n\n"
        "Ctrl-C ends everything."
    )


def _until_told() -> None:
    told = threading.Event()
    before = signal.signal(signal.SIGTERM, lambda _signal, _frame: told.set())
    try:
        told.wait()
    finally:
        signal.signal(signal.SIGTERM, before)
