"""The command line: what it answers, with which exit code, and what it does not load."""

import json
import subprocess
import sys

import pytest

from cell_router.cli import main
from tests.router.ops.settings import write_files


def test_check_says_ok(tmp_path, capsys):
    path = write_files(tmp_path)

    assert main(["check", "--config", str(path)]) == 0
    assert capsys.readouterr().out == "ok\n"


def test_check_says_what_to_do(tmp_path, capsys):
    path = write_files(tmp_path)
    path.write_text(path.read_text().replace("workers = 2", "workers = -2"))

    assert main(["check", "--config", str(path)]) == 1
    assert capsys.readouterr().out == "error: listen.workers must be at least 0.\n"


def test_check_speaks_json(tmp_path, capsys):
    path = write_files(tmp_path)
    (tmp_path / "grant-key.json").chmod(0o644)

    assert main(["check", "--json", "--config", str(path)]) == 1
    assert json.loads(capsys.readouterr().out) == {
        "ok": False,
        "findings": [
            {
                "setting": "grants.key",
                "message": "can be read by everybody: chmod o-rwx it",
                "severity": "error",
            }
        ],
    }


def test_a_file_that_is_not_there_is_a_finding(tmp_path, capsys):
    assert main(["check", "--config", str(tmp_path / "none.toml")]) == 1
    assert "the file cannot be read" in capsys.readouterr().out


@pytest.mark.parametrize("arguments", [[], ["serve"], ["fly"], ["check", "--config"]])
def test_a_wrong_command_line_exits_with_2(arguments, capsys):
    with pytest.raises(SystemExit) as ended:
        main(arguments)

    assert ended.value.code == 2
    assert "usage:" in capsys.readouterr().err


def test_help_names_every_command_but_the_internal_one(capsys):
    with pytest.raises(SystemExit) as ended:
        main(["--help"])

    text = capsys.readouterr().out
    assert ended.value.code == 0
    assert all(f"\n    {name} " in text for name in ("serve", "check", "registry", "keys"))
    assert "--listen-fd" not in text


def test_the_tools_get_their_own_arguments(capsys):
    for tool in ("keys", "registry"):
        with pytest.raises(SystemExit) as ended:
            main([tool, "--help"])

        assert ended.value.code == 0
        assert "usage:" in capsys.readouterr().out


def test_serve_refuses_a_bad_configuration_with_78_and_one_line(tmp_path):
    path = write_files(tmp_path)
    key = json.loads((tmp_path / "grant-key.json").read_text())["d"]
    (tmp_path / "grant-key.json").chmod(0o644)
    command = [sys.executable, "-m", "cell_router", "serve", "--config", str(path)]

    done = subprocess.run(command, capture_output=True, text=True, timeout=30, check=False)

    line = json.loads(done.stderr)
    assert done.returncode == 78
    assert (line["level"], line["event"]) == ("error", "config_refused")
    assert line["findings"] == ["grants.key can be read by everybody: chmod o-rwx it."]
    assert key not in done.stderr
    assert done.stdout == ""


def test_the_command_line_loads_no_framework(tmp_path):
    code = (
        "import sys; from cell_router.cli import main\n"
        "try: main(['keys', '--help'])\n"
        "except SystemExit: pass\n"
        "heavy = ('starlette', 'uvicorn', 'lmdb', 'redis', 'obstore', 'pydantic')\n"
        "print('LOADED', [name for name in heavy if name in sys.modules])"
    )

    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, timeout=30, check=True
    )

    assert done.stdout.splitlines()[-1] == "LOADED []"
