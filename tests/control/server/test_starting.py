"""What is refused at start, in sentences that name the setting and never a value; and one start."""

import json
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from cell_control.__main__ import main
from cell_control.bootstrap import checked
from cell_control.server.config import Config
from cell_control.server.config_findings import ConfigError
from tests.control.configured import LOCAL, configured

SECRET = "a-value-that-must-not-be-shown"
REAL = (
    LOCAL.replace("local = true", "local = false")
    + 'behind_tls = true\n[cells]\nhost_suffixes = [".on.aws"]\n'
)


def _findings(path: Path) -> str:
    with pytest.raises(ConfigError) as refused:
        checked(path)
    return str(refused.value)


def test_what_is_in_order_is_found_to_be(tmp_path: Path, capsys: Any):
    path = configured(tmp_path)

    assert main(["check", "--config", str(path)]) == 0
    assert capsys.readouterr().out.endswith("ok\n")


@pytest.mark.parametrize(
    ("change", "finding"),
    [
        (('url = "sqlite', 'url = "mysql'), "registry.url must begin with"),
        (("port = 0", "port = 70000"), "listen.port is wrong"),
        (("port = 0", 'port = "a"'), "listen.port is wrong"),
        (("port = 0", "prot = 0"), "listen.prot is not a setting"),
        (('file = "tokens.json"', 'file = "none.json"'), "tokens.file cannot be read"),
        (('grant = "grant.json"', 'grant = "control.toml"'), "keys.grant must be a file"),
        (("[listen]", "[publish]"), "publish is wrong"),
        (("local = true", "local ="), "the file is not TOML"),
        (("port = 0", 'port = 0\n[[publish]]\nname = "x"\nurl = "ftp://h/x"'), "publish[0].url"),
        (
            ("port = 0", f'port = 0\n[[publish]]\nname = "x"\nurl = "redis://u:{SECRET}@h/0"'),
            "publish[0].url holds a secret",
        ),
        (("sqlite:///registry.db", f"postgresql://u:{SECRET}@h/db"), "registry.url holds a secret"),
        (("port = 0", "port = 0\n[loops]\nshare = 2"), "loops.share must be less"),
    ],
)
def test_a_wrong_setting_is_named_with_what_to_do(
    tmp_path: Path, change: tuple[str, str], finding: str
):
    path = configured(tmp_path, LOCAL.replace(*change))

    found = _findings(path)

    assert finding in found
    assert SECRET not in found


@pytest.mark.parametrize(
    ("text", "finding"),
    [
        (REAL.replace("behind_tls = true\n", ""), "listen.tls is missing"),
        (REAL.replace('host_suffixes = [".on.aws"]', ""), "cells.host_suffixes is empty"),
        (REAL + '[[publish]]\nname="r"\nurl="redis://h/0"\n', "is plain: use rediss://"),
        (
            REAL + '[[publish]]\nname="s"\nurl="s3://b/k"\noptions={allow_http="true"}\n',
            "allow plain http",
        ),
    ],
)
def test_outside_the_local_world_what_is_plain_is_refused(tmp_path: Path, text: str, finding: str):
    assert finding in _findings(configured(tmp_path, text, env="live"))


def test_outside_the_local_world_its_keys_and_tokens_are_refused(tmp_path: Path):
    found = _findings(configured(tmp_path, REAL, kid="local-world", env="local"))

    assert "keys.registry holds a key of the local world" in found
    assert "tokens.file holds no token that is good here" in found


def test_a_key_that_everybody_can_read_is_refused(tmp_path: Path):
    path = configured(tmp_path)
    (tmp_path / "grant.json").chmod(0o644)

    assert "keys.grant can be read by everybody" in _findings(path)


def test_everything_that_is_wrong_is_said_at_once_as_json(tmp_path: Path, capsys: Any):
    path = configured(tmp_path)
    (tmp_path / "grant.json").unlink()
    (tmp_path / "registry.json").unlink()
    capsys.readouterr()

    assert main(["check", "--json", "--config", str(path)]) == 1

    found = json.loads(capsys.readouterr().out)
    assert [one["setting"] for one in found["findings"]] == ["keys.grant", "keys.registry"]


def test_a_third_live_token_of_a_name_is_refused(tmp_path: Path, capsys: Any):
    configured(tmp_path)
    made = ["token", "--file", str(tmp_path / "tokens.json"), "--name", "ci", "--role", "edge"]

    assert main(made) == 0
    assert main(made) == 1
    assert "more than 2 live tokens" in capsys.readouterr().err


def test_the_defaults_are_those_of_the_documentation():
    described = (Path(__file__).parents[3] / "docs/control-settings.md").read_text()

    for table, section in Config.parse(LOCAL, Path()).settings:
        fields = getattr(type(section), "model_fields", {table: None})
        for name in fields:
            assert f"`{table}.{name}`" in described or f"`{name}`" in described, (table, name)


@pytest.mark.slow
def test_the_program_serves_until_it_is_told_to_stop(tmp_path: Path):
    path = configured(tmp_path)
    command = [sys.executable, "-m", "cell_control", "serve", "--config", str(path)]
    with subprocess.Popen(command, stderr=subprocess.PIPE, text=True) as child:
        assert child.stderr is not None
        events = []
        for line in child.stderr:
            events.append(json.loads(line)["event"])
            if events[-1] == "listening":
                child.send_signal(signal.SIGTERM)

    assert child.returncode == 0
    assert {"listening", "stopping"} <= set(events)
    assert events[-1] == "stopped"
