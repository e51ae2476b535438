"""What the help and docs/cellctl.md say is what there is, and saying it is quick."""

import os
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from cell_control.cli.failures import MEANINGS
from cell_control.cli.main import commands, run
from cell_control.cli.surroundings import VARIABLES
from tests.control.cli.terminal import Terminal

DOCUMENT = (Path(__file__).parents[3] / "docs" / "cellctl.md").read_text()
PYTHON = [sys.executable, "-I"]
MAIN = "from cell_control.cli.main import main; main()"


def _commands(group: Any, before: str) -> list[tuple[str, Any]]:
    found: list[tuple[str, Any]] = []
    for name, command in group.commands.items():
        path = f"{before} {name}"
        found += _commands(command, path) if hasattr(command, "commands") else [(path, command)]
    return found


def _options(command: Any) -> set[str]:
    return {parameter.name for parameter in command.params}


def test_every_command_is_documented_and_no_other():
    documented = re.findall(r"^\| `(cellctl [a-z ]+)`", DOCUMENT, flags=re.MULTILINE)

    assert sorted(documented) == sorted(p for p, _ in _commands(commands(), "cellctl"))


def test_every_exit_code_and_variable_is_documented(tmp_path: Path):
    shown = re.sub(r"[\s│]+", " ", Terminal(tmp_path).ok("--help").out)

    codes = {int(code) for code in re.findall(r"^\| (\d+) \|", DOCUMENT, flags=re.MULTILINE)}
    assert codes == {code.value for code in MEANINGS}
    assert set(re.findall(r"^\| `(CELLCTL_\w+)`", DOCUMENT, flags=re.MULTILINE)) == set(VARIABLES)
    assert all(f"{code.value} {text}." in shown for code, text in MEANINGS.items())
    assert all(name in shown for name in VARIABLES)


def test_every_command_takes_json():
    lacking = [
        path for path, command in _commands(commands(), "") if "json" not in _options(command)
    ]

    # Those that another package parses.
    assert lacking == [" lake", " up"]


def test_whatever_moves_can_be_tried_first():
    moving = {" tenant move", " tenant standby", " cell drain", " cell failback"}

    found = {path for path, command in _commands(commands(), "") if "dry_run" in _options(command)}
    waiting = {path for path, command in _commands(commands(), "") if "wait" in _options(command)}

    assert found == moving
    assert waiting == moving | {" tenant create"}


def test_a_help_loads_nothing_heavy():
    program = (
        "import sys; from cell_control.cli.main import commands; commands(); "
        "print([m for m in ('httpx', 'sqlalchemy', 'pydantic', 'starlette', 'cell_devstack')"
        " if m in sys.modules])"
    )

    done = subprocess.run([*PYTHON, "-c", program], capture_output=True, text=True, check=True)

    assert done.stdout.strip() == "[]"


def test_a_shell_can_complete_commands():
    env = {"PATH": os.defpath, "_CELLCTL_COMPLETE": "complete_bash",
           "COMP_WORDS": "cellctl te", "COMP_CWORD": "1"}  # fmt: skip

    program = [*PYTHON, "-c", "import sys; sys.argv[0] = 'cellctl'; " + MAIN]
    done = subprocess.run(program, capture_output=True, text=True, check=False, env=env)

    assert done.stdout.split() == ["tenant"]


def test_a_command_that_is_none_is_a_mistake(tmp_path: Path):
    terminal = Terminal(tmp_path)

    codes = [terminal.run(*words).code for words in (["lunch"], ["cells", "--lunch"], ["cell"])]

    assert codes == [2, 2, 2]


def test_a_local_world_that_is_not_installed_is_said_so(tmp_path: Path):
    terminal = Terminal(tmp_path, plugs="cellctl.no.such.group")

    ran = terminal.run("up")

    assert ran.code == 5
    assert "The local world is not installed here." in ran.err


def test_the_local_world_needs_zips_that_are_there(tmp_path: Path):
    pytest.importorskip("cell_devstack.up")
    terminal = Terminal(tmp_path)

    one = terminal.run("up", "--aws-zip", "none.zip")
    none = terminal.run("up", "--aws-zip", "none.zip", "--azure-zip", "none.zip")

    assert (one.code, none.code) == (2, 2)
    assert "`make build` makes the cells' zips." in none.err


def _raises(error: BaseException) -> Any:
    def sleep(_seconds: float) -> None:
        raise error

    return sleep


def test_a_bug_is_a_sentence_and_not_a_traceback(tmp_path: Path, capsys: Any):
    around = Terminal(tmp_path, sleep=_raises(KeyError("hunter2"))).around()

    code = run(["cells"], around)

    said = around.err.getvalue()  # type: ignore[attr-defined]  # a StringIO
    assert code == 1
    assert "cellctl has a bug: KeyError at test_documented.py" in said
    assert "hunter2" not in said
    assert "Traceback" not in said + capsys.readouterr().err


@pytest.mark.parametrize(("error", "code"), [(KeyboardInterrupt(), 130), (BrokenPipeError(), 1)])
def test_who_goes_away_gets_no_traceback(tmp_path: Path, error: BaseException, code: int):
    ran = Terminal(tmp_path, sleep=_raises(error)).run("cells")

    assert ran.code == code
