"""The keys that sign grants and the registry: make, publish, switch, retire, list.

A private key stays in its file: nothing here prints one.
"""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

from typer import Argument, Option, Typer

from cell_control.cli.command import command
from cell_control.cli.failures import usage
from cell_control.cli.options import Yes
from cell_control.cli.output import date, table
from cell_control.cli.session import Session
from cell_control.cli.translating import translated
from cell_control.domain.key_ring import PURPOSES, KeyEntry, KeyState, Purpose

if TYPE_CHECKING:
    from cell_control.service.keys import Keys

app = Typer(no_args_is_help=True, help="Make and rotate the keys that sign.")

Folder = Annotated[Path, Option("--keys", help="The folder of keys.")]
For = Annotated[str, Argument(metavar="PURPOSE", help=f"One of: {', '.join(PURPOSES)}.")]
Kid = Annotated[str, Argument(metavar="KID", help="The key's name.")]
AtOnce = Annotated[
    bool, Option("--at-once", help="Wait for nobody: for a stolen key; requests may be refused.")
]

_NEXT = {
    KeyState.NEW: "publish it: cellctl keys publish",
    KeyState.PUBLISHED: "switch to it: cellctl keys rotate",
    KeyState.SIGNING: "",
    KeyState.OLD: "retire it: cellctl keys rotate",
    KeyState.RETIRED: "",
}


@command(app, "list")
def list_keys(session: Session, folder: Folder) -> None:
    """List all keys, what each is for, and what is next."""
    with translated():
        ring = _keys(session, folder).ring()
    rows = [(e.kid, e.purpose, e.state.value, date(e.since_ms)) for e in ring]
    shown = table(("key", "for", "state", "since"), rows)
    document = {"keys": [_json(entry) for entry in ring]}
    session.out.show(document, shown if rows else "No keys yet: cellctl keys new")
    for entry in ring:
        if _NEXT[entry.state]:
            when = f", from {date(entry.next_ms)} on" if entry.next_ms else ""
            session.out.note(f"Next{when}: {entry.kid}: {_NEXT[entry.state]}")


@command(app, "new")
def new(
    session: Session,
    purpose: For,
    folder: Folder,
    kid: Annotated[str, Option(help="Its name; left out, it gets one.")] = "",
) -> None:
    """Make a key beside the one that signs now."""
    with translated():
        entry = _keys(session, folder).new(_purpose(purpose), kid)
    session.out.show(_json(entry), f"{entry.kid} is made. Next: {_NEXT[entry.state]}")


@command(app, "publish")
def publish(session: Session, folder: Folder) -> None:
    """Write the key sets that cells and routers trust; deploy them next."""
    with translated():
        sets = _keys(session, folder).publish()
    files = [str(folder / name) for name in sets]
    session.out.show({"files": files}, *(f"{file} is written." for file in files))
    session.out.note("Deploy them: to every cell, and to every router.")


@command(app, "rotate")
def rotate(session: Session, purpose: For, folder: Folder, *, yes: Yes = False) -> None:
    """Do the next step of a rotation that is due: make and publish, switch, or retire."""
    session.confirm(f"Do the next step of rotating the {purpose} key?", yes=yes)
    with translated():
        entry = _keys(session, folder).rotate(_purpose(purpose))
    _changed(session, entry)


@command(app, "switch")
def switch(
    session: Session, kid: Kid, folder: Folder, *, at_once: AtOnce = False, yes: Yes = False
) -> None:
    """Let a published key sign from now on."""
    session.confirm(f"Let {kid} sign?", yes=yes)
    with translated():
        entry = _keys(session, folder).switch(kid, at_once=at_once)
    _changed(session, entry)


@command(app, "retire")
def retire(
    session: Session, kid: Kid, folder: Folder, *, at_once: AtOnce = False, yes: Yes = False
) -> None:
    """Stop to trust a key, and remove its private half."""
    session.confirm(f"Retire {kid} for good?", yes=yes)
    with translated():
        entry = _keys(session, folder).retire(kid, at_once=at_once)
    _changed(session, entry)


def _changed(session: Session, entry: KeyEntry) -> None:
    again = f" Next, from {date(entry.next_ms)}: {_NEXT[entry.state]}" if entry.next_ms else ""
    session.out.show(_json(entry), f"{entry.kid} is {entry.state.value}.{again}")
    if entry.state is not KeyState.SIGNING:
        session.out.note("Deploy the key sets again: to every cell, and to every router.")
    else:
        session.out.note("Restart whatever signs with it, so that it reads the new key.")


def _purpose(text: str) -> Purpose:
    for purpose in PURPOSES:
        if text == purpose:
            return purpose
    raise usage(f"A key is for one of: {', '.join(PURPOSES)}.")


def _keys(session: Session, folder: Path) -> "Keys":
    from cell_control.adapters.key_folder import FileKeyFolder  # noqa: PLC0415 - not for --help
    from cell_control.service.keys import Keys  # noqa: PLC0415 - as above

    return Keys(FileKeyFolder(folder), session.around)


def _json(entry: KeyEntry) -> dict[str, object]:
    return {
        "kid": entry.kid,
        "purpose": entry.purpose,
        "state": entry.state.value,
        "made_ms": entry.made_ms,
        "since_ms": entry.since_ms,
        "next_ms": entry.next_ms,
    }
