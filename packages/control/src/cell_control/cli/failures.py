"""How a command ends: exit codes, and failures that say what happened and what to try.

A failure's text is for people, its code for programs. Refuses to hold a secret or a traceback.
"""

from collections.abc import Mapping
from enum import IntEnum
from typing import Any, Final


class Exit(IntEnum):
    """The exit codes, for good."""

    OK = 0
    FAILED = 1
    USAGE = 2
    NOT_FOUND = 3
    CONFLICT = 4
    UNAVAILABLE = 5
    UNFINISHED = 6
    INTERRUPTED = 130


MEANINGS: Final[Mapping[Exit, str]] = {
    Exit.OK: "done",
    Exit.FAILED: "it failed, or a rule refused it",
    Exit.USAGE: "the command line is wrong",
    Exit.NOT_FOUND: "there is no such thing",
    Exit.CONFLICT: "the id is taken, or others won: look, then decide",
    Exit.UNAVAILABLE: "the control plane, or what it needs, cannot be reached",
    Exit.UNFINISHED: "it ended, and some of it failed",
    Exit.INTERRUPTED: "Ctrl-C",
}


class Failed(Exception):
    """A command that ends here.

    Attributes:
        what: What happened, in a sentence.
        ways: What to try, a sentence each; may be empty.
        code: Stable, for programs.
        fields: What else a program may see.
    """

    def __init__(
        self,
        what: str,
        *ways: str,
        exit_code: Exit = Exit.FAILED,
        code: str = "failed",
        fields: Mapping[str, Any] | None = None,
    ) -> None:
        super().__init__(code)
        self.what = what
        self.ways = ways
        self.exit_code = exit_code
        self.code = code
        self.fields = dict(fields or {})

    def document(self) -> dict[str, Any]:
        """Return it as JSON."""
        error = {"code": self.code, "message": self.what, "try": list(self.ways)}
        return {"error": {**error, "exit": int(self.exit_code), **self.fields}}


def usage(what: str, *ways: str) -> Failed:
    """Return the failure of a command line that is wrong."""
    return Failed(what, *ways, exit_code=Exit.USAGE, code="usage")
