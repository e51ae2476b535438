"""What a command finds around it: streams, clocks, chance, and the environment, read here alone.

Refuses to read anything of the environment that is not listed here.
"""

import os
import random  # noqa: TID251 - composition root of the command line: the one generator
import secrets
import sys
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final, TextIO

SERVER: Final = "CELLCTL_SERVER"
TOKEN_FILE: Final = "CELLCTL_TOKEN_FILE"  # noqa: S105 - a variable's name
CA: Final = "CELLCTL_CA"
PROFILE: Final = "CELLCTL_PROFILE"
LAKE: Final = "CELLCTL_LAKE"
VARIABLES: Final[Mapping[str, str]] = {
    SERVER: "where the control plane is, such as https://control.example",
    TOKEN_FILE: "a file that holds your token alone",
    CA: "a PEM file of the authorities that its certificate comes from",
    PROFILE: "another profile than ~/.config/cellctl.toml",
    LAKE: "the root of the lake, or several with a space between them",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Surroundings:
    """What there is around a command.

    Attributes:
        variables: Those of `VARIABLES` that are set.
        profile: The profile's file, which need not exist.
        is_asked: Whether someone sits there who can answer a question.
        now_s: The monotonic clock.
        read_s: How long to wait for an answer.
    """

    out: TextIO
    err: TextIO
    input: TextIO
    is_asked: bool
    variables: Mapping[str, str]
    profile: Path
    now_ms: Callable[[], int]
    now_s: Callable[[], float]
    sleep: Callable[[float], None]
    generator: random.Random
    entropy: Callable[[int], bytes]
    read_s: float = 60.0

    def new_id(self, kind: str) -> str:
        """Return an id for something of this kind that nobody has used."""
        return f"{kind}-{self.entropy(5).hex()}"


def of_this_process() -> Surroundings:
    """Return what is around this process."""
    variables = {name: os.environ[name] for name in VARIABLES if os.environ.get(name)}  # noqa: TID251 - composition root
    profile = variables.get(PROFILE)
    return Surroundings(
        out=sys.stdout,
        err=sys.stderr,
        input=sys.stdin,
        is_asked=sys.stdin.isatty() and sys.stderr.isatty(),
        variables=variables,
        profile=Path(profile) if profile else Path.home() / ".config" / "cellctl.toml",
        now_ms=lambda: time.time_ns() // 1_000_000,
        now_s=time.monotonic,
        sleep=time.sleep,
        generator=random.Random(),  # noqa: S311 - jitter, no secrets
        entropy=secrets.token_bytes,
    )
