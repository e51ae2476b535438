"""cellctl as someone sees it: what they typed, what it printed, how it ended."""

import contextlib
import io
import json
import random
import time
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Final

from cell_control.cli.main import run
from cell_control.cli.plugs import GROUP
from cell_control.cli.surroundings import SERVER, TOKEN_FILE, Surroundings
from tests.control.server.plane import token

NOWHERE: Final = "http://127.0.0.1:1"


def _briefly(seconds: float) -> None:
    time.sleep(min(seconds, 0.03))


class Kept(io.StringIO):
    """What was printed, also after it was closed."""

    def close(self) -> None:
        pass


@dataclass(frozen=True)
class Ran:
    """What a command came to."""

    code: int
    out: str
    err: str

    @property
    def json(self) -> Any:
        return json.loads(self.out)

    @property
    def error(self) -> Any:
        """The error of a command with `--json`."""
        return json.loads(self.err)["error"]


@dataclass
class Terminal:
    """Someone at a command line, who has a token of a role."""

    folder: Path
    server: str = NOWHERE
    role: str = "admin"
    read_s: float = 20.0
    variables: dict[str, str] = field(default_factory=dict)
    ahead_ms: int = 0
    sleep: Callable[[float], None] = _briefly
    plugs: str = GROUP

    def as_role(self, role: str) -> "Terminal":
        return replace(self, role=role)

    @property
    def token_file(self) -> Path:
        path = self.folder / f"{self.role}.token"
        path.write_text(token(self.role))
        path.chmod(0o600)
        return path

    @property
    def profile(self) -> Path:
        return self.folder / "cellctl.toml"

    def run(self, *arguments: object, typed: str = "", asked: bool = False) -> Ran:
        """Run one command and see that it printed neither a secret nor a traceback."""
        around = self.around(typed=typed, asked=asked)
        out, err = around.out, around.err
        assert isinstance(out, io.StringIO)
        assert isinstance(err, io.StringIO)
        with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
            code = run([str(one) for one in arguments], around, plugs=self.plugs)
        ran = Ran(code, out.getvalue(), err.getvalue())
        for secret in ("Traceback", token(self.role)):
            assert secret not in ran.out + ran.err
        assert "cellctl has a bug" not in ran.err, ran.err
        return ran

    def around(self, *, typed: str = "", asked: bool = False) -> Surroundings:
        """Return what is around a command of theirs."""
        variables = {SERVER: self.server, TOKEN_FILE: str(self.token_file), **self.variables}
        return Surroundings(
            out=Kept(),
            err=Kept(),
            input=io.StringIO(typed),
            is_asked=asked,
            variables={name: value for name, value in variables.items() if value},
            profile=self.profile,
            now_ms=lambda: time.time_ns() // 1_000_000 + self.ahead_ms,
            now_s=time.monotonic,
            sleep=self.sleep,
            generator=random.Random(1),
            entropy=random.SystemRandom().randbytes,
            read_s=self.read_s,
        )

    def ok(self, *arguments: object, **given: Any) -> Ran:
        """Run one command that has to succeed."""
        ran = self.run(*arguments, **given)
        assert ran.code == 0, ran.err
        return ran
