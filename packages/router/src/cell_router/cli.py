"""The command line: `serve`, `check`, `registry`, `keys`, `grant-key`; and `worker`, internal.

Exit codes: 0 done, 1 it did not work or something was found, 2 the command line is wrong, 78 the
configuration is refused. Each command loads what it needs and no more.
"""

import argparse
import json
import sys
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Final

_DESCRIPTION: Final = "The edge router: finds each tenant's cell in its registry and proxies to it."
_DELEGATED: Final = ("registry", "keys", "grant-key")


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command; return the exit code."""
    arguments = list(sys.argv[1:] if argv is None else argv)
    if arguments and arguments[0] in _DELEGATED:
        # Passed on whole: these tools have a help text and options of their own.
        return _delegate(arguments[0], arguments[1:])
    parsed = _parser().parse_args(arguments)
    run: Callable[[argparse.Namespace], int] = _COMMANDS[parsed.command]
    return run(parsed)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="cell-router", description=_DESCRIPTION)
    commands = parser.add_subparsers(dest="command", required=True, metavar="command")
    serve = commands.add_parser(
        "serve",
        help="run the router",
        description="Run the router until SIGTERM. SIGHUP reads the configuration again.",
    )
    _take_config(serve)
    check = commands.add_parser(
        "check",
        help="say what is wrong with a configuration",
        description="Check the configuration and every file it names; start nothing.",
    )
    _take_config(check)
    check.add_argument("--json", action="store_true", help="print the findings as JSON")
    commands.add_parser("registry", help="write and read registry files (registry --help)")
    commands.add_parser("grant-key", help="make the key that signs grants (grant-key --help)")
    commands.add_parser("keys", help="make, list and revoke API keys (keys --help)")
    worker = commands.add_parser("worker", description="Run by `serve`; of no use alone.")
    _take_config(worker)
    for name in ("slot", "generation", "listen-fd", "report-fd"):
        worker.add_argument(f"--{name}", type=int, required=True, help=argparse.SUPPRESS)
    return parser


def _take_config(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--config", type=Path, required=True, metavar="FILE", help="the TOML configuration"
    )


def _serve(parsed: argparse.Namespace) -> int:
    from cell_router.bootstrap import serve  # noqa: PLC0415 - each command loads its own

    return serve(parsed.config)


def _check(parsed: argparse.Namespace) -> int:
    from cell_router.bootstrap import checked  # noqa: PLC0415 - each command loads its own
    from cell_router.config_findings import ConfigError, errors_of  # noqa: PLC0415

    try:
        findings = checked(parsed.config)[1]
    except ConfigError as refused:
        findings = list(refused.findings)
    errors = errors_of(findings)
    if parsed.json:
        rows = [
            {"setting": f.setting, "message": f.message, "severity": f.severity} for f in findings
        ]
        sys.stdout.write(json.dumps({"ok": not errors, "findings": rows}) + "\n")
    else:
        lines = [f"{finding.severity}: {finding}" for finding in findings] or ["ok"]
        sys.stdout.write("\n".join(lines) + "\n")
    return 1 if errors else 0


def _worker(parsed: argparse.Namespace) -> int:
    from cell_router.bootstrap import WorkerArguments, work  # noqa: PLC0415 - as above

    return work(
        WorkerArguments(
            config=parsed.config,
            slot=parsed.slot,
            generation=parsed.generation,
            listen_fd=parsed.listen_fd,
            report_fd=parsed.report_fd,
        )
    )


def _delegate(command: str, arguments: Sequence[str]) -> int:
    if command == "registry":
        from cell_router.registry_file import main as registry  # noqa: PLC0415 - as above

        return registry(arguments)
    if command == "grant-key":
        from cell_router.grant_key_tool import main as grant_key  # noqa: PLC0415 - as above

        return grant_key(arguments)
    from cell_router.auth.api_key_tool import main as keys  # noqa: PLC0415 - as above

    return keys(arguments)


_COMMANDS: Final[Mapping[str, Callable[[argparse.Namespace], int]]] = {
    "serve": _serve,
    "check": _check,
    "worker": _worker,
}
