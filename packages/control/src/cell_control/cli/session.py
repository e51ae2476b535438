"""What every command gets: where to print, whom to ask, and what its shared options say.

Connects at the first question, so that commands on files need no server. Refuses to go on with
something dangerous that nobody confirmed.
"""

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

from typer import Option

from cell_control.cli.failures import usage
from cell_control.cli.output import Output
from cell_control.cli.profile import Place, kept_of, place_of
from cell_control.cli.surroundings import Surroundings

if TYPE_CHECKING:
    from cell_control.cli.client import Client
    from cell_control.cli.connection import Connection

_PANEL = "Options of every command"


@dataclass(frozen=True, slots=True, kw_only=True)
class Shared:
    """The options of every command."""

    json: Annotated[
        bool, Option("--json", help="Print JSON for programs.", rich_help_panel=_PANEL)
    ] = False
    server: Annotated[
        str | None, Option(help="The control plane's URL.", rich_help_panel=_PANEL)
    ] = None
    token_file: Annotated[
        Path | None, Option(help="Holds your token alone.", rich_help_panel=_PANEL)
    ] = None


class Session:
    """One command's run."""

    def __init__(self, around: Surroundings, shared: Shared) -> None:
        self.around = around
        self.shared = shared
        self.out = Output(around.out, around.err, json=shared.json)
        self._opened = ExitStack()

    def close(self) -> None:
        """Let go of what was opened."""
        self._opened.close()

    @cached_property
    def place(self) -> Place:
        """Where to connect. Raises `Failed` if nobody says."""
        return place_of(self.around, self.shared.server, self.shared.token_file)

    @cached_property
    def kept(self) -> dict[str, str]:
        """What the environment, else the profile says. Raises `Failed` if the profile is none."""
        return kept_of(self.around)

    @cached_property
    def control(self) -> "Client":
        """The control plane. Raises `Failed` if it is not known where it is, or as whom to ask."""
        from cell_control.cli.client import Client  # noqa: PLC0415 - half a second for --help

        return Client(self.connection)

    @cached_property
    def connection(self) -> "Connection":
        """Requests to it. Raises `Failed` as `control`."""
        from cell_control.cli.connection import read_token  # noqa: PLC0415 - as above

        found = self._connect(read_token(self.place.token_file))
        self._opened.callback(found.close)
        return found

    @contextmanager
    def connected(self, token: str) -> Iterator["Client"]:
        """Lend the control plane as it answers to `token`."""
        from cell_control.cli.client import Client  # noqa: PLC0415 - as above

        connection = self._connect(token)
        try:
            yield Client(connection)
        finally:
            connection.close()

    def confirm(self, question: str, *, yes: bool) -> None:
        """Return if `yes`, or if whoever sits there says so.

        Raises:
            Failed: They do not, or nobody sits there.
        """
        if yes:
            return
        if self.out.json or not self.around.is_asked:
            raise usage(f"{question} Nobody is there to say so.", "Say --yes if you mean it.")
        self.around.err.write(f"{question} [y/N] ")
        self.around.err.flush()
        if self.around.input.readline().strip().lower() not in ("y", "yes"):
            raise usage("Nothing was done.")

    def _connect(self, token: str) -> "Connection":
        from cell_control.cli.connection import Connection, trusting  # noqa: PLC0415 - as above

        return Connection(
            self.place.server,
            token,
            verify=trusting(self.place.server, self.place.ca),
            sleep=self.around.sleep,
            generator=self.around.generator,
            read_s=self.around.read_s,
        )
