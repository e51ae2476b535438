"""Tokens for the control plane's API: make, list, revoke. The file holds their hashes alone.

A token is shown once, when it is made. The control plane reads the file again by itself.
"""

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

from typer import Argument, Option, Typer

from cell_control.cli.command import command
from cell_control.cli.failures import Exit, Failed
from cell_control.cli.options import Yes
from cell_control.cli.output import date, table
from cell_control.cli.session import Session
from cell_control.cli.translating import translated
from cell_control.server.roles import Role

if TYPE_CHECKING:
    from cell_control.server.token_file import Token, TokenFile

app = Typer(no_args_is_help=True, help="Make, list and revoke tokens for the API.")

File = Annotated[Path, Option("--tokens", help="The control plane's file of hashed tokens.")]

_DAY_S = 86_400


@command(app, "new")
def new(
    session: Session,
    file: File,
    name: Annotated[str, Option(help="Whose it is; two live at a time.")],
    role: Annotated[Role, Option(help="What it may do.")],
    env: Annotated[str, Option(help="live, test or local ...")] = "live",
    days: Annotated[int | None, Option(min=1, help="How long it is valid.")] = None,
) -> None:
    """Make a token, and print it: this once."""
    from cell_control.server.token_file import TEXTS, with_token  # noqa: PLC0415 - not for --help
    from cell_core.wire.bearer_text import ENTROPY_BYTES  # noqa: PLC0415 - as above

    now_s = session.around.now_ms() // 1000
    expires_s = None if days is None else now_s + days * _DAY_S
    try:
        made = TEXTS.make(env, session.around.entropy(ENTROPY_BYTES))
    except ValueError:
        raise Failed("env: 2 to 8 small letters.", exit_code=Exit.USAGE, code="usage") from None
    _change(
        session,
        file,
        lambda held: with_token(held, made, name=name, role=role, now_s=now_s, expires_s=expires_s),
    )
    document = {"id": made.id, "name": name, "role": role.value, "token": made.text}
    session.out.show(document, made.text)
    session.out.note(f"It is {made.id}, shown this once: keep it in a file that only you read.")


@command(app, "list")
def list_tokens(session: Session, file: File) -> None:
    """List all tokens, revoked and expired ones too."""
    from cell_control.server.token_keeping import read_tokens  # noqa: PLC0415 - as above

    now_s = session.around.now_ms() // 1000
    with translated():
        held = read_tokens(file, now_s)
    rows = [
        (t.id, t.name, t.role.value, t.env, _state(t, now_s), date((t.expires_s or 0) * 1000))
        for t in held.tokens
    ]
    shown = table(("id", "name", "role", "env", "state", "expires"), rows)
    document = {
        "tokens": [
            {**t.model_dump(mode="json", exclude={"sha256"}), "state": _state(t, now_s)}
            for t in held.tokens
        ]
    }
    session.out.show(document, shown if rows else "No tokens yet: cellctl token new")


@command(app, "revoke")
def revoke(
    session: Session,
    token: Annotated[str, Argument(metavar="ID", help="The token's id, as `token list` shows.")],
    file: File,
    *,
    yes: Yes = False,
) -> None:
    """Revoke a token: the control plane refuses it a moment later."""
    from cell_control.server.token_file import without_token  # noqa: PLC0415 - not for --help

    session.confirm(f"Revoke {token}?", yes=yes)
    now_s = session.around.now_ms() // 1000

    def revoked(held: "TokenFile") -> "TokenFile":
        if token not in {one.id for one in held.tokens}:
            raise Failed(
                "No token has this id.",
                "See which there are with: cellctl token list",
                exit_code=Exit.NOT_FOUND,
                code="token_not_found",
            )
        return without_token(held, token, now_s)

    _change(session, file, revoked)
    session.out.show({"id": token, "state": "revoked"}, f"{token} is revoked.")


def _change(session: Session, file: Path, change: Callable[["TokenFile"], "TokenFile"]) -> None:
    from cell_control.server.token_keeping import change_tokens  # noqa: PLC0415 - as above

    with translated():
        change_tokens(file, session.around.now_ms() // 1000, change)


def _state(token: "Token", now_s: int) -> str:
    if token.revoked_s is not None:
        return "revoked"
    return "live" if token.is_live(now_s) else "expired"
