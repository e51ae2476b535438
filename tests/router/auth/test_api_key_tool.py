"""The tool that makes, lists and revokes keys: what it shows, writes and refuses."""

import io
import json
import stat
from pathlib import Path

import pytest

from cell_router.auth.api_key_file import read_key_file
from cell_router.auth.api_key_tool import main
from cell_router.auth.api_keys import ApiKeys
from cell_router.auth.refused import AuthRefused
from tests.router.auth.issuing import NOW_S

DAY_S = 24 * 3600


class Desk:
    """A folder with a file of keys, and the tool."""

    def __init__(self, folder: Path) -> None:
        self.path = folder / "keys.json"
        self.made = 0
        self.now_s = NOW_S

    def run(self, *argv: str) -> tuple[int, str]:
        out = io.StringIO()
        code = main(
            [argv[0], "--file", str(self.path), *argv[1:]],
            out=out,
            clock_s=lambda: self.now_s,
            entropy=self._entropy,
        )
        return code, out.getvalue()

    def new(self, *argv: str, client: str = "billing") -> dict:
        code, text = self.run("new", "--client", client, "--tenant", "T-a", "--json", *argv)
        assert code == 0
        return json.loads(text)

    def keys(self) -> ApiKeys:
        return ApiKeys(read_key_file(self.path.read_bytes(), self.now_s))

    def _entropy(self, size: int) -> bytes:
        self.made += 1
        return self.made.to_bytes(8, "big") * (size // 8)


@pytest.fixture
def desk(tmp_path: Path) -> Desk:
    return Desk(tmp_path)


def test_a_new_key_is_shown_once_and_lets_its_client_in(desk: Desk):
    shown = desk.new("--tenant", "T-b", "--scope", "read", "--days", "30")

    found = desk.keys().verify(shown["key"].encode(), NOW_S)
    assert (found.tenants, found.scopes) == ({"T-a", "T-b"}, {"read"})
    assert found.expires_s == NOW_S + 30 * DAY_S
    assert shown["key"].split("_")[3] not in desk.path.read_text() + desk.run("list", "--json")[1]


def test_without_json_the_key_stands_on_the_first_line(desk: Desk):
    code, text = desk.run("new", "--client", "billing", "--any-tenant")

    key, note, facts = text.splitlines()
    assert code == 0
    assert desk.keys().verify(key.encode(), NOW_S).tenants is None
    assert "not shown again" in note
    assert facts.split() == [key.split("_")[2], "live", "live", "billing", "*", "read,write"]


def test_a_revoked_key_stays_listed_and_lets_nobody_in(desk: Desk):
    shown = desk.new()

    code, text = desk.run("revoke", shown["id"], "--json")

    assert (code, json.loads(text)["revoked_s"]) == (0, NOW_S)
    with pytest.raises(AuthRefused):
        desk.keys().verify(shown["key"].encode(), NOW_S)
    [listed] = json.loads(desk.run("list", "--json")[1])
    assert (listed["id"], listed["live"]) == (shown["id"], False)


def test_the_list_says_which_key_is_live_revoked_and_expired(desk: Desk):
    ids = [desk.new("--days", "1")["id"], desk.new()["id"], desk.new(client="other")["id"]]
    desk.run("revoke", ids[1])
    desk.now_s += DAY_S

    code, text = desk.run("list")

    assert code == 0
    assert [line.split()[:2] for line in text.splitlines()] == [
        [ids[0], "expired"],
        [ids[1], "revoked"],
        [ids[2], "live"],
    ]


def test_an_empty_list_says_so(desk: Desk):
    desk.path.write_text('{"v": 1, "keys": []}')

    assert desk.run("list") == (0, "no keys\n")
    assert desk.run("list", "--json") == (0, "[]\n")


def test_a_third_live_key_of_a_client_is_refused_and_the_file_stays(desk: Desk, capsys):
    desk.new()
    desk.new()
    before = desk.path.read_bytes()

    code, text = desk.run("new", "--client", "billing", "--tenant", "T-a")

    assert (code, text) == (1, "")
    assert "more than 2 live keys" in capsys.readouterr().err
    assert desk.path.read_bytes() == before


def test_the_file_is_the_owners_alone_and_nothing_else_is_left_behind(desk: Desk):
    desk.path.write_text('{"v": 1, "keys": []}')
    desk.path.chmod(0o644)

    desk.new()

    assert stat.S_IMODE(desk.path.stat().st_mode) == 0o600
    assert list(desk.path.parent.iterdir()) == [desk.path]


@pytest.mark.parametrize(
    ("argv", "said"),
    [
        (("new", "--client", "a b", "--tenant", "T-a"), "client"),
        (("new", "--client", "a", "--tenant", "T/a"), "tenants"),
        (("new", "--client", "a", "--tenant", "T-a", "--env", "LIVE"), "--env"),
        (("new", "--client", "a", "--tenant", "T-a", "--days", "-99999"), "expires_s"),
        (("revoke", "nothere"), "no key has this id"),
    ],
)
def test_what_breaks_a_rule_is_refused_and_nothing_is_written(desk: Desk, capsys, argv, said):
    desk.path.write_text('{"v": 1, "keys": []}')

    assert desk.run(*argv) == (1, "")

    assert said in capsys.readouterr().err
    assert desk.path.read_text() == '{"v": 1, "keys": []}'


@pytest.mark.parametrize("argv", [("list",), ("revoke", "abcd")])
def test_a_file_that_is_not_there_is_said_to_be_missing(desk: Desk, capsys, argv):
    assert desk.run(*argv) == (1, "")

    assert capsys.readouterr().err == f"{desk.path}: No such file or directory\n"


@pytest.mark.parametrize("argv", [[], ["new"], ["new", "--client", "a"], ["list", "--x"]])
def test_a_command_line_that_is_not_right_exits_with_2(argv: list[str]):
    with pytest.raises(SystemExit) as error:
        main(argv)

    assert error.value.code == 2
