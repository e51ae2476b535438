"""What cellctl lends a command of the lake.

Refuses to be more than that: connections, tokens and the profile stay cellctl's.
"""

from collections.abc import Callable, Mapping
from typing import Any, Protocol, TextIO


class Around(Protocol):
    """See `cell_control.cli.plugs.Lent`, which is one."""

    @property
    def ask(self) -> Callable[[str], Any]:
        """Returns the JSON at a path of the control plane's API."""

    @property
    def fail(self) -> Callable[..., Exception]:
        """Returns what to raise: `fail(what, *ways, code=...)`.

        cellctl's exit code follows from `code`: `usage`, or that it ends in `not_found`,
        `conflict` or `unavailable`.
        """

    @property
    def confirm(self) -> Callable[..., None]:
        """Returns if `yes`, or if whoever sits there says so: `confirm(question, yes=...)`."""

    @property
    def out(self) -> TextIO:
        """For what was asked."""

    @property
    def err(self) -> TextIO:
        """For the rest."""

    @property
    def input(self) -> TextIO:
        """Where lines are typed."""

    @property
    def json(self) -> bool:
        """Whether a program reads it."""

    @property
    def kept(self) -> Mapping[str, str]:
        """What the profile says; `lake` of it."""

    @property
    def now_ms(self) -> Callable[[], int]:
        """Returns the wall clock."""
