"""Which control plane cellctl talks to, and as whom."""

from pathlib import Path

import pytest

from cell_control.cli.surroundings import SERVER, TOKEN_FILE
from tests.control.cli.canned import canned, problem
from tests.control.cli.terminal import Terminal
from tests.control.server.plane import token

NOBODY = {SERVER: "", TOKEN_FILE: ""}


def test_without_a_server_it_says_how_to_name_one(tmp_path: Path):
    ran = Terminal(tmp_path, variables=NOBODY).run("cells")

    assert ran.code == 2
    assert "cellctl login --server URL" in ran.err


def test_an_option_goes_before_the_environment_and_that_before_the_profile(me: Terminal):
    me.profile.write_text('server = "http://127.0.0.1:2"\n')
    elsewhere = Terminal(me.folder, "http://127.0.0.1:3")
    nowhere = Terminal(me.folder, variables=NOBODY)

    option = elsewhere.ok("status", "--server", me.server, "--json").json

    assert option["server"] == me.server
    assert "http://127.0.0.1:3" in elsewhere.run("status").err
    assert "http://127.0.0.1:2" in nowhere.run("status").err


@pytest.mark.parametrize(
    ("url", "words"),
    [
        ("http://control.example", "show your token to the network"),
        ("ftp://control.example", "not a URL"),
        ("control.example", "not a URL"),
        ("https://", "not a URL"),
        ("https://me:secret@control.example", "holds a credential"),
        ("https://control.example?x=1", "not a URL"),
        ("http://[::1", "not a URL"),
    ],
)
def test_a_place_where_no_token_may_go_is_refused(tmp_path: Path, url: str, words: str):
    ran = Terminal(tmp_path).run("cells", "--server", url)

    assert ran.code == 2
    assert words in ran.err
    assert "secret" not in ran.err


@pytest.mark.parametrize("text", ["server = 5", "tokens = 'x'", "server = ", "\0"])
def test_a_profile_that_is_none_is_refused(tmp_path: Path, text: str):
    someone = Terminal(tmp_path, variables=NOBODY)
    someone.profile.write_text(text)

    assert someone.run("cells").code == 2


@pytest.mark.parametrize("text", ["", "two words", "x" * 300, "é"])
def test_a_file_without_a_token_is_refused_and_not_shown(tmp_path: Path, text: str):
    file = tmp_path / "some.token"
    file.write_text(text)

    ran = Terminal(tmp_path).run("cells", "--token-file", file)

    assert ran.code == 2
    assert "holds no token" in ran.err
    assert not text or text not in ran.err


def test_a_login_that_works_is_kept(me: Terminal):
    someone = Terminal(me.folder, variables=NOBODY)

    kept = someone.ok("login", "--server", me.server, typed=f"{token('viewer')}\n")
    used = someone.ok("cells")

    assert token("viewer") not in kept.out + kept.err + someone.profile.read_text()
    assert (me.folder / "cellctl.token").stat().st_mode & 0o777 == 0o600
    assert "aws-alpha" in used.out


def test_a_login_by_file_names_the_file(me: Terminal):
    someone = Terminal(me.folder, variables=NOBODY)

    someone.ok("login", "--server", me.server, "--token-file", me.token_file)

    assert str(me.token_file) in someone.profile.read_text()
    assert someone.ok("status").code == 0


def test_a_login_that_does_not_work_is_not_kept(tmp_path: Path):
    with canned(problem(401, "credential_invalid")) as server:
        ran = Terminal(tmp_path, server.url, variables={TOKEN_FILE: ""}).run(
            "login", typed="cc_live_wrong\n"
        )

    assert ran.code == 1
    assert "wrong" not in ran.err
    assert not list(tmp_path.glob("cellctl*"))


def test_a_login_without_a_token_is_a_mistake(me: Terminal):
    assert Terminal(me.folder, me.server, variables={TOKEN_FILE: ""}).run("login").code == 2
