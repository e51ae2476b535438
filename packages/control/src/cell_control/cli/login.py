"""Keeps which control plane to talk to, and as whom, in the profile."""

from getpass import getpass
from typing import Final

from typer import Typer

from cell_control.cli.command import command
from cell_control.cli.failures import usage
from cell_control.cli.profile import write_profile
from cell_control.cli.session import Session
from cell_control.cli.translating import translated

TOKEN_CHARS_MAX: Final = 256


def add_to(app: Typer) -> None:
    """Add this command to `app`."""
    command(app, "login")(login)


def login(session: Session) -> None:
    """Keep --server, and --token-file or a token that you type, in the profile.

    A token that is typed, or comes from the standard input, is kept in a file beside the profile
    that only you may read. It is tried first: nothing is kept that does not work.
    """
    from cell_control.adapters.replacing import replace_file  # noqa: PLC0415 - not for --help
    from cell_control.cli.connection import read_token  # noqa: PLC0415 - as above

    place, profile, file = session.place, session.around.profile, session.shared.token_file
    token = read_token(file) if file is not None else _typed(session)
    with session.connected(token) as control:
        found = control.status()
    if file is None:
        file = profile.with_suffix(".token")
        with translated():
            profile.parent.mkdir(parents=True, exist_ok=True)
            replace_file(file, token.encode(), mode=0o600)
    kept = {"server": place.server, "token_file": str(file.absolute())}
    if place.ca is not None:
        kept["ca"] = str(place.ca.absolute())
    write_profile(profile, kept)
    document = {"profile": str(profile), "server": place.server, "process": found.value.process}
    session.out.show(document, f"cellctl talks to {place.server} from now on, as {profile} says.")


def _typed(session: Session) -> str:
    if session.around.is_asked:
        token = getpass("Token: ", session.around.err)
    else:
        token = session.around.input.readline(TOKEN_CHARS_MAX + 2)
    token = token.strip()
    if not token or len(token) > TOKEN_CHARS_MAX or not token.isascii():
        raise usage("That is no token.", "Type it, pipe it in, or name its file: --token-file")
    return token
