"""The tool makes registries that routers take, keeps the rules of epochs, and says what to do."""

import io
import json
from pathlib import Path
from typing import Any

import pytest

from cell_core.wire.registry import TenantRecord
from cell_core.wire.registry_keys import RegistryVerifier
from cell_core.wire.registry_snapshot import open_snapshot
from cell_router.registry_draft import Draft, read_draft, write_draft
from cell_router.registry_file import DONE, REFUSED, UNREACHABLE, main
from cell_router.registry_import import LINE_BYTES_MAX
from cell_router.registry_publish import write_snapshot
from tests.core.registering import ALPHA, BETA, GROUP, NOW_MS, TENANTS, signer, verifier
from tests.router.redis_process import PROGRAM, redis_running

ALPHA_SAID = (
    "add-cell", "aws-alpha", "--ordinal", "1", "--cloud", "aws", "--region", "eu-central-1",
    "--url", "https://alpha.on.aws/",
)  # fmt: skip
BETA_SAID = (
    "add-cell", "az-beta", "--ordinal", "2", "--cloud", "azure", "--region", "westeurope",
    "--url", "https://beta.azurewebsites.net/api", "--grant-header", "x-cell-grant",
)  # fmt: skip


class Tool:
    """The tool in one folder; remembers what it said last."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.error = ""

    def run(self, *words: object) -> int:
        out, err = io.StringIO(), io.StringIO()
        argv = ["--file", str(self.folder / "registry.json"), "--json", *map(str, words)]
        code = main(argv, now_ms=lambda: NOW_MS, out=out, err=err)
        self.error, self.said = err.getvalue(), out.getvalue()
        return code

    def ask(self, *words: object) -> dict[str, Any]:
        assert self.run(*words) == DONE, self.error
        said: dict[str, Any] = json.loads(self.said)
        return said

    def refuse(self, *words: object) -> str:
        assert self.run(*words) == REFUSED
        return self.error

    @property
    def key(self) -> Path:
        return self.folder / "key.json"

    @property
    def keys(self) -> Path:
        return self.folder / "keys.json"

    def make_keys(self, kid: str = "registry-1") -> None:
        self.ask("keys", "new", "--kid", kid, "--private", self.key, "--public", self.keys)


@pytest.fixture
def tool(tmp_path: Path) -> Tool:
    tool = Tool(tmp_path)
    tool.ask("init")
    tool.ask(*ALPHA_SAID)
    tool.ask(*BETA_SAID)
    return tool


def test_a_registry_from_nothing_to_a_router(tool: Tool):
    tool.make_keys()
    tool.ask("put-group", "pilot", "--cell", "az-beta")
    tool.ask("put-tenant", "T-1", "--cell", "aws-alpha", "--stripes", 4)
    tool.ask("put-tenant", "T-2", "--group", "pilot")

    said = tool.ask("publish", tool.folder / "out", "--key", tool.key)

    snapshot = open_snapshot(
        (tool.folder / "out").read_bytes(), RegistryVerifier(tool.keys.read_text())
    )
    assert [row for run in snapshot for row in run] == [(b"T-1", b"1 4"), (b"T-2", b"2 1 pilot")]
    assert [cell.id for cell in snapshot.manifest.cells] == ["aws-alpha", "az-beta"]
    assert snapshot.manifest.cells[0].base_url == "https://alpha.on.aws"
    assert (snapshot.manifest.rev, snapshot.manifest.created_ms) == (said["rev"], NOW_MS)


def test_every_change_raises_the_rev(tool: Tool):
    revs = [
        tool.ask("put-tenant", "T-1", "--cell", "aws-alpha")["rev"],
        tool.ask("put-tenant", "T-1", "--status", "held")["rev"],
        tool.ask("remove-tenant", "T-1")["rev"],
    ]

    assert revs == [3, 4, 5]


def test_moving_a_tenant_takes_the_next_epoch_that_the_cell_owns(tool: Tool):
    tool.ask("put-tenant", "T-1", "--cell", "az-beta")

    moved = tool.ask("put-tenant", "T-1", "--cell", "aws-alpha")
    again = tool.ask("put-tenant", "T-1", "--cell", "aws-alpha", "--status", "held")

    assert (moved["epoch"], again["epoch"], again["status"]) == (17, 17, "held")


def test_a_tenant_may_have_its_writes_acknowledged_by_a_second_cell(tool: Tool):
    tool.ask("put-tenant", "T-1", "--cell", "aws-alpha", "--standby", "az-beta", "--ack", "refuse")

    kept = tool.ask("put-tenant", "T-1", "--status", "held")
    softer = tool.ask("put-tenant", "T-1", "--ack", "degrade")
    without = tool.ask("put-tenant", "T-1", "--ack", "local")

    assert [(said["standby"], said["ack"]) for said in (kept, softer, without)] == [
        (2, "refuse"), (2, "degrade"), (None, "local"),
    ]  # fmt: skip


def test_a_tenant_that_moves_to_its_standby_needs_another_one(tool: Tool):
    tool.ask("put-tenant", "T-1", "--cell", "aws-alpha", "--standby", "az-beta", "--ack", "refuse")

    refused = tool.refuse("put-tenant", "T-1", "--cell", "az-beta")
    moved = tool.ask("put-tenant", "T-1", "--cell", "az-beta", "--standby", "aws-alpha")

    assert "name another --standby" in refused
    assert (moved["epoch"], moved["standby"], moved["ack"]) == (2, 1, "refuse")


def test_a_group_moves_its_tenants(tool: Tool):
    tool.ask("put-group", "pilot", "--cell", "aws-alpha")
    tool.ask("put-tenant", "T-1", "--group", "pilot")
    before = tool.ask("show", "T-1")

    tool.ask("put-group", "pilot", "--cell", "az-beta")

    after = tool.ask("show", "T-1")
    assert (before["cell"], after["cell"], after["effective_epoch"]) == ("aws-alpha", "az-beta", 2)


def test_a_list_counts_everyone_and_names_a_few(tool: Tool):
    for number in range(4):
        tool.ask("put-tenant", f"T-{number}", "--cell", "aws-alpha")

    said = tool.ask("list", "--limit", 2)

    assert (said["tenant_count"], list(said["tenants"])) == (4, ["T-0", "T-1"])
    assert set(said["cells"]) == {"aws-alpha", "az-beta"}


@pytest.mark.parametrize(
    ("words", "advice"),
    [
        (("put-tenant", "T-9"), "--cell or --epoch"),
        (("put-tenant", "T-9", "--cell", "nowhere"), "add-cell it first"),
        (("put-tenant", "T-9", "--group", "nobody"), "put-group it first"),
        (("put-tenant", "T 9", "--cell", "aws-alpha"), "tenant is not well formed"),
        (("put-tenant", "T-1", "--ack", "refuse"), "say which cell"),
        (("put-tenant", "T-1", "--standby", "az-beta"), "say what to do without"),
        (("put-tenant", "T-1", "--standby", "nowhere", "--ack", "refuse"), "add-cell it first"),
        (("put-tenant", "T-1", "--standby", "aws-alpha", "--ack", "degrade"), "name another"),
        (("put-tenant", "T-1", "--epoch", "1"), "never goes back"),
        (("put-tenant", "T-1", "--stripes", "2"), "for good"),
        (("put-tenant", "T-9", "--cell", "aws-alpha", "--stripes", "65"), "not well formed"),
        (("put-group", "g"), "--cell or --epoch"),
        (("remove-tenant", "T-9"), "no tenant"),
        (("show", "T-9"), "no tenant"),
        (("init",), "not overwritten"),
        ((*ALPHA_SAID[:3], "3", *ALPHA_SAID[4:]), "for good"),
        (("add-cell", "other", *ALPHA_SAID[2:]), "take another"),
        ((*ALPHA_SAID[:-1], "https://a/?q"), "cell is not well formed"),
        (("import", "absent.csv"), "cannot be read"),
    ],
)
def test_what_cannot_be_done_says_what_to_do_and_changes_nothing(
    tool: Tool, words: tuple[str, ...], advice: str
):
    tool.ask("put-tenant", "T-1", "--epoch", 17)
    before = (tool.folder / "registry.json").read_bytes()

    assert advice in tool.refuse(*words)

    assert (tool.folder / "registry.json").read_bytes() == before


def test_wrong_usage_ends_with_two(tool: Tool, capsys: pytest.CaptureFixture[str]):
    with pytest.raises(SystemExit) as ended:
        tool.run("put-tenant")

    assert ended.value.code == 2


def test_a_draft_that_is_missing_or_spoiled_is_named(tmp_path: Path):
    tool = Tool(tmp_path)
    assert "make it with init" in tool.refuse("list")

    for text in ("", "{}", "[]", '{"rev":1,"cells":[],"groups":{},"tenants":{"T":"x"}}'):
        (tmp_path / "registry.json").write_text(text)
        assert "is not a registry" in tool.refuse("list")


def test_a_draft_reads_back_as_it_was_written(tmp_path: Path):
    draft = Draft(7, {ALPHA.id: ALPHA, BETA.id: BETA}, {"g": 18}, {"T-1": "17 4 g held"})

    for held in (draft, Draft()):
        write_draft(tmp_path / "draft", held)

        assert read_draft(tmp_path / "draft") == held


# ── Keys ─────────────────────────────────────────────────────────────────────


def test_a_private_key_is_for_its_owner_alone_and_never_overwritten(tool: Tool):
    tool.make_keys()
    before = tool.key.read_bytes()

    assert tool.key.stat().st_mode & 0o777 == 0o600
    words = ("keys", "new", "--kid", "registry-2", "--private", tool.key, "--public", tool.keys)
    assert "not overwritten" in tool.refuse(*words)
    assert tool.key.read_bytes() == before
    assert json.loads(before)["d"] not in tool.keys.read_text()


def test_a_second_key_joins_the_set_under_a_name_of_its_own(tool: Tool):
    tool.make_keys()
    other = tool.folder / "other.json"
    words = ("keys", "new", "--private", other, "--public", tool.keys)

    assert "choose another --kid" in tool.refuse(*words)
    tool.ask(*words, "--kid", "registry-2")

    kids = [key["kid"] for key in json.loads(tool.keys.read_text())["keys"]]
    assert kids == ["registry-1", "registry-2"]


# ── Import ───────────────────────────────────────────────────────────────────


def test_tenants_come_from_csv_and_from_json_lines(tool: Tool):
    table, lines = tool.folder / "a.csv", tool.folder / "b.jsonl"
    table.write_text(
        "\ufefftenant,cell,epoch,stripes,status\nT-1,aws-alpha,,4,\nT-2,,18,,held\n", "utf-8"
    )
    lines.write_text(
        '{"tenant":"T-3","cell":"az-beta","standby":"aws-alpha","ack":"degrade"}\n\n'
        '{"tenant":"T-2","cell":"aws-alpha"}\n'
    )

    assert tool.ask("import", table)["imported"] == 2
    assert tool.ask("import", lines)["imported"] == 2

    held = tool.ask("list")["tenants"]
    assert held == {"T-1": "1 4", "T-2": "33 1 - held", "T-3": "2 1 - active 1d"}


@pytest.mark.parametrize(
    ("name", "text", "advice"),
    [
        ("a.csv", "tenant,cell\nT-1,aws-alpha\nT-2,nowhere\n", "line 3: there is no cell"),
        ("a.csv", "tenant,epoch\nT-1,x\n", "line 2: a field"),
        ("a.csv", "tenant,epoch\n,1\n", "line 2: needs tenant"),
        ("a.csv", "tenant,colour\nT-1,red\n", "line 2: needs tenant"),
        ("a.csv", "tenant,epoch\nT-1,1,2,3\n", "line 2: needs tenant"),
        ("a.csv", "tenant,epoch\nT 1,1\n", "line 2: a field"),
        ("a.jsonl", '{"tenant":"T-1","epoch":1}\n{"tenant"\n', "line 2: not JSON"),
        ("a.csv", "tenant,epoch,standby,ack\nT-1,1,az-beta,soon\n", "line 2: a field"),
        ("a.csv", "tenant,epoch,ack\nT-1,1,refuse\n", "line 2: say which cell"),
        ("a.jsonl", "3\n", "line 1: not a JSON object"),
        ("a.jsonl", '{"tenant":3,"epoch":1}\n', "line 1: a field"),
        ("a.jsonl", '{"tenant":"T","epoch":[1]}\n', "line 1: a field"),
        ("a.jsonl", " " * LINE_BYTES_MAX + "\n", "line 1: longer"),
        ("a.txt", "T-1\n", ".csv or .jsonl"),
    ],
)
def test_a_wrong_line_is_named_and_nothing_is_imported(
    tool: Tool, name: str, text: str, advice: str
):
    path = tool.folder / name
    path.write_text(text)

    assert advice in tool.refuse("import", path)

    assert tool.ask("list")["tenants"] == {}


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def test_a_large_import_shows_how_far_it_is_on_a_terminal_only(tool: Tool):
    path = tool.folder / "many.csv"
    rows = "".join(f"T-{number},aws-alpha\n" for number in range(25_000))
    path.write_text("tenant,cell\n" + rows)
    terminal = Terminal()
    argv = ["--file", str(tool.folder / "registry.json"), "import", str(path)]

    assert main(argv, out=io.StringIO(), err=terminal) == DONE

    assert "10,000 tenants" in terminal.getvalue()
    assert terminal.getvalue().endswith("] 25,000 tenants\n")
    assert (tool.run("import", path), tool.error) == (DONE, "")


# ── Publish ──────────────────────────────────────────────────────────────────


@pytest.fixture
def ready(tool: Tool) -> Tool:
    tool.make_keys()
    tool.ask("put-tenant", "T-1", "--cell", "aws-alpha")
    return tool


def test_an_older_draft_is_not_published_over_a_later_one(ready: Tool):
    out, draft = ready.folder / "out", ready.folder / "registry.json"
    older = draft.read_bytes()
    ready.ask("put-tenant", "T-2", "--cell", "aws-alpha")
    ready.ask("publish", out, "--key", ready.key)
    later = out.read_bytes()
    draft.write_bytes(older)

    assert "is it an old draft?" in ready.refuse("publish", out, "--key", ready.key)
    assert out.read_bytes() == later
    assert ready.ask("publish", out.as_uri(), "--key", ready.key, "--restore")["rev"] == 3


def test_a_tenant_whose_epoch_no_cell_owns_is_not_published(ready: Tool):
    ready.ask("put-tenant", "T-2", "--epoch", 5)

    assert "no cell owns the epoch of T-2" in ready.refuse(
        "publish", ready.folder / "out", "--key", ready.key
    )


@pytest.mark.parametrize(
    ("to", "advice"),
    [
        ("https://control.example/registry", "is published to file"),
        ("ftp://host/x", "is published to file"),
        ("file://host/x", "file:///absolute/path"),
        ("s3://bucket", "s3://bucket/key"),
    ],
)
def test_a_place_that_cannot_be_published_to_is_refused(ready: Tool, to: str, advice: str):
    assert advice in ready.refuse("publish", to, "--key", ready.key)


def test_a_place_that_cannot_be_reached_ends_with_three(ready: Tool):
    code = ready.run("publish", "redis://user:hidden@127.0.0.1:1/0", "--key", ready.key)

    assert code == UNREACHABLE
    assert "hidden" not in ready.error


def test_a_public_key_cannot_publish_and_is_not_repeated(ready: Tool):
    assert "cannot be published" in ready.refuse(
        "publish", ready.folder / "out", "--key", ready.keys
    )
    assert "cannot be used" in ready.refuse("publish", ready.folder / "out", "--key", "absent")


@pytest.mark.skipif(PROGRAM is None, reason="NOT TESTED: no redis-server on PATH")
def test_a_draft_is_published_to_redis(ready: Tool, tmp_path: Path):
    with redis_running(tmp_path) as port:
        to = f"redis://127.0.0.1:{port}/0"

        first = ready.ask("publish", to, "--key", ready.key)
        ready.ask("put-tenant", "T-2", "--cell", "az-beta")
        second = ready.ask("publish", to, "--key", ready.key)

    assert (first["rev"], second["rev"]) == (3, 4)


def test_a_snapshot_written_by_a_program_is_one(tmp_path: Path):
    path = tmp_path / "snapshot"

    write_snapshot(
        path,
        rev=3,
        created_ms=NOW_MS,
        cells=(BETA, ALPHA),
        groups=(GROUP,),
        tenants=[*reversed(TENANTS), TenantRecord(tenant="A", epoch=17)],
        signer=signer(),
    )

    snapshot = open_snapshot(path.read_bytes(), verifier())
    assert [name for run in snapshot for name, _ in run] == [b"A", b"T-1", b"T-2", b"T-3"]
    assert list(tmp_path.iterdir()) == [path]
