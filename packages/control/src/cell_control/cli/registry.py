"""The registry as a whole: snapshots, backups, restoring, publishing, recovery.

`export`, `restore` and `publish` open the registry itself, with the control plane's configuration
or its URL; the others ask the control plane. A restored registry is older than the cells: the
control plane compares it with them before it moves anything (`recover`).
"""

from contextlib import AbstractContextManager, closing
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

from typer import Argument, Option, Typer

from cell_control.cli.command import command
from cell_control.cli.diagnoses import target_fault
from cell_control.cli.failures import Exit, Failed, usage
from cell_control.cli.options import Why, Yes
from cell_control.cli.output import pairs
from cell_control.cli.session import Session
from cell_control.cli.translating import translated
from cell_control.errors import Unavailable

if TYPE_CHECKING:
    from cell_control.adapters.registry_sql import SqlRegistry
    from cell_control.server.config import Config

app = Typer(no_args_is_help=True, help="Back the registry up, restore and publish it.")

Into = Annotated[Path, Argument(metavar="FILE", help="The file to write.")]
From = Annotated[Path, Argument(metavar="FILE", help="A file that `registry export` wrote.")]
Config_ = Annotated[Path, Option("--config", help="The control plane's configuration.")]


@dataclass(frozen=True, slots=True, kw_only=True)
class Which:
    """Which registry to open."""

    config: Annotated[Path | None, Option(help="The control plane's configuration.")] = None
    registry: Annotated[
        str, Option(help="Or its URL: sqlite:///file or postgresql://user@host/name.")
    ] = ""


@command(app, "snapshot")
def snapshot(session: Session, file: Into) -> None:
    """Keep the registry as routers read it, signed, in a file."""
    data = session.control.snapshot()
    with translated():
        from cell_control.adapters.replacing import replace_file  # noqa: PLC0415 - no need for --help

        replace_file(file, data, mode=0o644)
    document = {"file": str(file), "bytes": len(data)}
    session.out.show(document, f"{file}: {len(data):,} bytes, signed for routers.")


@command(app, "export")
def export(session: Session, file: Into, which: Which) -> None:
    """Write everything the registry holds to a file; nothing has to stop for it."""
    from cell_control.adapters.registry_backup import export_registry  # noqa: PLC0415 - as above

    with translated(), _opened(which) as registry:
        found = export_registry(registry, file, lambda done, of: _progress(session, done, of))
    document = {"file": str(file), "rev": found.rev, "records": found.records}
    session.out.show(document, f"{file}: {found.records:,} records as of rev {found.rev}.")
    session.out.note("It is not signed: keep it where nobody else can write.")


@command(app, "restore")
def restore(
    session: Session,
    file: From,
    which: Which,
    rev_at_least: Annotated[
        int, Option(min=0, help="Above every rev that was ever given out.")
    ] = 0,
    *,
    yes: Yes = False,
) -> None:
    """Fill an empty registry, on which no control plane runs, from a file; then start one."""
    from cell_control.adapters.registry_backup import (  # noqa: PLC0415 - as above
        check_backup,
        restore_registry,
    )
    from cell_control.adapters.registry_backup_file import BackupBroken  # noqa: PLC0415 - as above
    from cell_control.codec import write_of  # noqa: PLC0415 - as above
    from cell_control.flows.recover import recovery_of  # noqa: PLC0415 - as above

    try:
        with translated():
            backup = check_backup(file)
        about = f"{backup.records:,} records as of rev {backup.rev}"
        session.confirm(f"Fill the registry with {about}?", yes=yes)
        first = recovery_of(session.around.now_ms(), by="cellctl", reason=f"restored: {about}")
        with translated(), _opened(which) as registry:
            rev = restore_registry(
                registry,
                file,
                write_of(first, 0),
                rev_at_least=rev_at_least,
                progress=lambda done, of: _progress(session, done, of),
            )
    except BackupBroken:
        raise Failed(
            f"{file} is no whole backup; nothing was written.",
            "Take another one.",
            code="backup_broken",
        ) from None
    session.out.show({"file": str(file), "rev": rev}, f"Restored; it goes on from rev {rev}.")
    session.out.note("Start the control plane on it, then: cellctl registry recover")


@command(app, "publish")
def publish(
    session: Session,
    config: Config_,
    target: Annotated[str, Option("--to", help="Only to this target of the configuration.")] = "",
) -> None:
    """Publish a signed snapshot now to the targets of a configuration.

    A target that holds one as new is left alone; one that fails stops no other.
    """
    from cell_control.bootstrap import opened_registry, opened_targets  # noqa: PLC0415 - as above
    from cell_control.server.config_files import read_text  # noqa: PLC0415 - as above
    from cell_control.service.publishing import (  # noqa: PLC0415 - as above
        build_snapshot,
        put_newer,
    )
    from cell_core.wire.registry_keys import RegistrySigner  # noqa: PLC0415 - as above

    found = _checked(config)
    chosen = [one for one in found.settings.publish if target in ("", one.name)]
    if not chosen:
        raise usage("No such target is configured.", "See [[publish]] in the configuration.")
    put: dict[str, bool] = {}
    failed: dict[str, str] = {}
    with translated():
        signer = RegistrySigner(read_text(found.path(found.settings.keys.registry)))
        with closing(opened_registry(found)) as registry:
            made = build_snapshot(registry, signer, session.around.now_ms())
            for settings, place in opened_targets(found):
                with closing(place):
                    if settings not in chosen:
                        continue
                    try:
                        put[settings.name] = put_newer(place, made, registry.rev)
                    except Unavailable as error:
                        failed[settings.name] = error.code
    document = {"rev": made.rev, "tenants": made.tenants, "put": put}
    rows = [(name, "published" if done else "has one as new") for name, done in put.items()]
    session.out.show(document, pairs([("rev", made.rev), ("tenants", made.tenants), *rows]))
    if failed:
        raise Failed(
            f"Not published to {', '.join(failed)}.",
            *(f"{name} {target_fault(code)}" for name, code in failed.items()),
            exit_code=Exit.UNFINISHED if put else Exit.UNAVAILABLE,
            code="not_published",
            fields={"failed": failed},
        )


@command(app, "recover")
def recover(
    session: Session,
    without: Annotated[
        list[str] | None, Option(help="A cell that is lost for good; may be repeated.")
    ] = None,
    reason: Why = "",
    *,
    begin: Annotated[
        bool, Option("--begin", help="Begin it: the database was set back by its own means.")
    ] = False,
    yes: Yes = False,
) -> None:
    """Say whether a restored registry is being compared with the cells, and what that waits for.

    It begins by itself after `registry restore`, and when a router of the feed holds more than the
    registry does. A cell that does not answer stops it, until you say that it is lost.
    """
    if begin and without:
        raise usage("--begin and --without are two steps.", "Begin it, then see what it waits for.")
    if begin:
        session.confirm("Let feed and writes wait while every record is compared?", yes=yes)
        found = session.control.begin_recovery(reason)
    elif without:
        names = ", ".join(without)
        session.confirm(f"Is {names} lost for good, with all that only it had?", yes=yes)
        found = session.control.recover_without(without, reason)
    else:
        found = session.control.recovery()
    now = found.value
    text = "A recovery runs." if now.running else "No recovery runs."
    session.out.show(found.json, text)
    if now.dark:
        raise Failed(
            f"It waits for {', '.join(now.dark)}, which does not answer.",
            "Bring it back; or, if it is lost for good: cellctl registry recover --without CELL",
            code="recovery_waits",
            fields={"dark": list(now.dark)},
        )


def _opened(which: Which) -> "AbstractContextManager[SqlRegistry]":
    if (which.config is None) == (not which.registry):
        raise usage("Name the registry: --config, or --registry.")
    if which.config is not None:
        from cell_control.bootstrap import opened_registry  # noqa: PLC0415 - as above

        return closing(opened_registry(_checked(which.config)))
    from urllib.parse import urlsplit  # noqa: PLC0415 - as above

    from cell_control.adapters.registry_url import open_registry  # noqa: PLC0415 - as above

    try:
        if urlsplit(which.registry).password:
            raise usage(
                "The registry's URL holds a password, which others can see in the process list.",
                "Name it with --config, and the password in registry.password_file.",
            )
        return closing(open_registry(which.registry))
    except ValueError:
        raise usage(
            "That is no registry's URL.", "Say sqlite:///file or postgresql://user@host/name."
        ) from None


def _checked(path: Path) -> "Config":
    from cell_control.bootstrap import checked  # noqa: PLC0415 - as above
    from cell_control.server.config_findings import ConfigError  # noqa: PLC0415 - as above

    try:
        return checked(path)
    except ConfigError as refused:
        raise usage("The configuration is refused.", *map(str, refused.findings)) from None


def _progress(session: Session, done: int, total: int) -> None:
    if done and done % 100_000 == 0:
        session.out.note(f"{done:,} of about {total:,} records")
