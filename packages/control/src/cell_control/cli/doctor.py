"""Looks for what is wrong, everywhere at once; each finding says what to do.

Goes on after a finding as far as it can. Refuses to change anything.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Annotated, Final, Literal, TypeAlias

from rich.text import Text
from typer import Option, Typer

from cell_control.cli.command import command
from cell_control.cli.diagnoses import (
    Finding,
    of_cells,
    of_keys,
    of_lag,
    of_recovery,
    of_targets,
)
from cell_control.cli.failures import Failed
from cell_control.cli.output import printable
from cell_control.cli.session import Session
from cell_control.cli.translating import translated

SKEW_WARNED_MS: Final = 2_000
SKEW_MS_MAX: Final = 15_000
"""Half of a grant's life."""

Check: TypeAlias = Callable[[Session], Iterator[Finding]]
Outcome: TypeAlias = Literal["well", "findings", "not looked at"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Files:
    """What of the control plane's own files to look at, where they are."""

    config: Annotated[Path | None, Option(help="The control plane's configuration.")] = None
    keys: Annotated[Path | None, Option(help="The folder of keys.")] = None


def add_to(app: Typer) -> None:
    """Add this command to `app`."""
    command(app, "doctor")(doctor)


def doctor(session: Session, files: Files) -> None:
    """Say what is wrong, and what to do: configuration, keys, clocks, reachability, parity.

    Exit code 1 if something is broken; warnings alone are 0.
    """
    checks = _of_files(session, files) + _of_server(session)
    findings = [finding for _name, _outcome, found in checks for finding in found]
    errors = [finding for finding in findings if finding.level == "error"]
    document = {
        "ok": not errors,
        "checks": [{"check": name, "outcome": outcome} for name, outcome, _found in checks],
        "findings": [asdict(finding) for finding in findings],
    }
    session.out.show(document, *_shown(checks))
    if errors:
        raise Failed(f"{len(errors)} of {len(findings)} findings are errors.", code="findings")


_Checked: TypeAlias = tuple[str, Outcome, Sequence[Finding]]


def _of_files(session: Session, files: Files) -> list[_Checked]:
    checks: list[_Checked] = []
    if files.config is not None:
        config = files.config
        checks.append(_run("configuration", lambda _s: _configuration(config), session))
    if files.keys is not None:
        keys = files.keys
        checks.append(_run("keys", lambda s: _keys(s, keys), session))
    checks.append(_run("token", _token, session))
    return checks


def _of_server(session: Session) -> list[_Checked]:
    checks = [_run("reachability", _reachable, session)]
    rest: dict[str, Check] = {
        "clocks": _clocks,
        "token's role": _admitted,
        "cells and parity": lambda s: of_cells(s.control.cells().value.cells, s.around.now_ms()),
        "replication": lambda s: of_lag(s.control.replication().value.totals),
        "recovery": lambda s: of_recovery(s.control.recovery().value),
        "publishing": lambda s: of_targets(s.control.status().value.targets),
    }
    gone = checks[0][1] == "findings" and any(f.subject == "server" for f in checks[0][2])
    for name, check in rest.items():
        checks.append((name, "not looked at", ()) if gone else _run(name, check, session))
    return checks


def _run(name: str, check: Check, session: Session) -> _Checked:
    try:
        found = list(check(session))
    except Failed as failed:
        way = " ".join(failed.ways) or "Look at what it names."
        subject = "server" if name == "reachability" else name
        found = [Finding(level="error", subject=subject, text=failed.what, way=way)]
    return name, "findings" if found else "well", found


def _configuration(path: Path) -> Iterator[Finding]:
    from cell_control.bootstrap import checked  # noqa: PLC0415 - not for --help
    from cell_control.server.config_findings import ConfigError  # noqa: PLC0415 - as above

    try:
        checked(path)
    except ConfigError as refused:
        for one in refused.findings:
            yield Finding(
                level="error",
                subject=one.setting,
                text=f"The configuration is refused at {one.setting}.",
                way=f"{one.setting} {one.message}.",
            )


def _keys(session: Session, folder: Path) -> Iterator[Finding]:
    from cell_control.adapters.key_folder import FileKeyFolder  # noqa: PLC0415 - as above
    from cell_control.service.keys import Keys  # noqa: PLC0415 - as above

    with translated():
        kept = Keys(FileKeyFolder(folder), session.around)
        ring = kept.ring()
        for entry in ring:
            if entry.state.value == "signing":
                kept.private(entry.purpose)
    yield from of_keys(ring, session.around.now_ms())


def _token(session: Session) -> Iterator[Finding]:
    from cell_control.cli.connection import read_token  # noqa: PLC0415 - as above

    file = session.place.token_file
    read_token(file)
    if file is None:
        yield Finding(
            level="error",
            subject="token",
            text="No token is named.",
            way="Keep one with: cellctl login --server URL",
        )
    elif file.stat().st_mode & 0o077:
        yield Finding(
            level="warning",
            subject=str(file),
            text="Others may read your token.",
            way=f"chmod 600 {file}",
        )


def _reachable(session: Session) -> Iterator[Finding]:
    found = session.connection.look("/readyz")
    if found.status == 200:
        return
    is_ours = found.status == 503 and b'"missing"' in found.body
    if not is_ours:
        raise Failed(
            f"{session.place.server} answers {found.status}, and not as a control plane does.",
            "Check --server, and what stands before the control plane.",
        )
    yield Finding(
        level="error",
        subject="readiness",
        text="The control plane is not ready.",
        way="It says what it waits for: cellctl status; then look at its log.",
    )


def _clocks(session: Session) -> Iterator[Finding]:
    from email.utils import parsedate_to_datetime  # noqa: PLC0415 - as above

    before_ms = session.around.now_ms()
    date = session.connection.look("/healthz").headers.get("date", "")
    after_ms = session.around.now_ms()
    try:
        there_ms = round(parsedate_to_datetime(date).timestamp() * 1000)
    except ValueError:
        return
    # The header has whole seconds, cut off.
    apart_ms = max(before_ms - (there_ms + 1000), there_ms - after_ms, 0)
    if apart_ms > SKEW_WARNED_MS:
        yield Finding(
            level="error" if apart_ms > SKEW_MS_MAX else "warning",
            subject="clocks",
            text=f"This clock and the control plane's are {apart_ms / 1000:.0f} s apart.",
            way="Let both follow NTP: grants live 30 s, so cells refuse those of a wrong clock.",
        )


def _admitted(session: Session) -> Iterator[Finding]:
    session.control.status()
    yield from ()


def _shown(checks: Sequence[_Checked]) -> Iterator[Text]:
    styles = {"well": "green", "findings": "yellow", "not looked at": "dim"}
    for name, outcome, found in checks:
        yield Text(f"{name}: ").append(outcome, styles[outcome])
        for one in found:
            style = "bold red" if one.level == "error" else "yellow"
            yield Text("  ").append(one.level, style).append(printable(f": {one.text}"))
            yield Text(f"    {printable(one.way)}")
