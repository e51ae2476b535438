"""`cellctl lake` does what its help says, and its failures say what to do."""

import csv
import io
import json
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import pytest
from cloudevents.http import from_json
from deltalake import DeltaTable

from cell_control.cli.failures import Failed
from cell_control.cli.plugs import failed
from cell_lake.cli.main import main
from cell_lake.table_delta import DeltaLakeTable
from tests.control.cli.terminal import Terminal
from tests.lake.table_suite import DAY_MS, INGESTED_MS, ROW, rows

HOME, AWAY = "aws-alpha", "azure-beta"

MOVED = {"tenant": "T-1", "epoch": 18, "home": AWAY, "at_ms": INGESTED_MS, "by": "op",
         "base": {"mode": "planned", "source": HOME, "source_epoch": 17,
                  "positions": [{"seq": 2, "chain": ROW.chain}]}}  # fmt: skip


@dataclass
class Control:
    """A control plane that knows one tenant with one stripe."""

    seq: int
    chain: str = ROW.chain
    unknown: list[str] = field(default_factory=list)
    lineage: list[dict[str, Any]] = field(default_factory=list)

    def ask(self, path: str) -> Any:
        if path.startswith("/v1/lineage"):
            return {"rev": 9, "lineage": self.lineage, "after": None}
        if path.startswith("/v1/tenants?"):
            return {"tenants": [{"id": "T-1"}], "after": None}
        assert path == "/v1/tenants/T-1/positions"
        fence = {"cell": HOME, "stripe": 0, "role": "active", "epoch": 17, "seq": self.seq,
                 "chain": self.chain}  # fmt: skip
        standby = {**fence, "cell": AWAY, "role": "standby", "seq": 0}
        known = [] if self.unknown else [fence]
        return {"tenant": "T-1", "home": HOME, "epoch": 17, "positions": [*known, standby],
                "unknown": self.unknown}  # fmt: skip


@dataclass
class Lent:
    """What cellctl lends."""

    ask: Any
    json: bool = False
    kept: Mapping[str, str] = field(default_factory=dict)
    out: io.StringIO = field(default_factory=io.StringIO)
    err: io.StringIO = field(default_factory=io.StringIO)
    input: io.StringIO = field(default_factory=io.StringIO)
    fail: Any = failed

    def confirm(self, question: str, *, yes: bool) -> None:
        if not yes:
            raise Failed("Nothing was done.", code="usage")

    def now_ms(self) -> int:
        return INGESTED_MS + DAY_MS


class Lake:
    """A lake in a folder with three rows of one tenant, and someone who asks it."""

    def __init__(self, folder: Path) -> None:
        self.root = str(folder)
        self.table = DeltaLakeTable(f"{folder}/events")
        for n, row in enumerate(rows(1, 3), 1):
            self.table.open("aws-alpha/3").append(n, [row])

    def run(self, *words: str, control: Control | None = None, **lent: Any) -> tuple[int, str]:
        around = Lent(ask=(control or Control(3)).ask, kept={"lake": self.root}, **lent)
        code = main(words, around)
        return code, around.out.getvalue()


@pytest.fixture
def lake(tmp_path: Path) -> Lake:
    return Lake(tmp_path / "lake")


def test_a_query_is_shown_as_a_table_csv_and_json(lake: Lake):
    sql = "SELECT tenant_id, count(*) AS n, min(time) AS first FROM events_canonical GROUP BY 1"

    _, table = lake.run("query", sql)
    _, text = lake.run("query", sql, "--format", "csv")
    _, lines = lake.run("query", sql, json=True)

    assert table.split()[:5] == ["tenant_id", "n", "first", "T-1", "3"]
    [found] = csv.DictReader(io.StringIO(text))
    assert (found["tenant_id"], found["n"]) == ("T-1", "3")
    assert json.loads(lines) == {"tenant_id": "T-1", "n": 3, "first": found["first"]}


def test_a_query_goes_to_a_parquet_file_that_others_read(lake: Lake, tmp_path: Path):
    import duckdb

    file = tmp_path / "out.parquet"

    code, _ = lake.run("query", "SELECT seq FROM events ORDER BY seq;", "--format", "parquet",
                       "--output", str(file))  # fmt: skip

    assert code == 0
    assert duckdb.read_parquet(str(file)).fetchall() == [(1,), (2,), (3,)]


def test_parquet_is_not_printed(lake: Lake):
    with pytest.raises(Failed) as refused:
        lake.run("query", "SELECT 1", "--format", "parquet")

    assert refused.value.ways == ("Name it with --output.",)


def test_a_wrong_query_is_a_sentence(lake: Lake):
    with pytest.raises(Failed) as refused:
        lake.run("query", "SELECT nonsense FROM events")

    assert "nonsense" in refused.value.what
    assert "\n" not in refused.value.what


@pytest.mark.parametrize("sql", ["", " ; ", "-- nothing", "SELECT 1; SELECT 2"])
def test_what_is_not_one_statement_is_refused(lake: Lake, sql: str):
    with pytest.raises(Failed) as refused:
        lake.run("query", sql)

    assert "not one" in refused.value.what


def test_whole_rows_are_shown_as_cloud_events_that_the_sdk_reads(lake: Lake):
    lake.table.open("aws-alpha/3").append(4, [replace(ROW, seq=4, type=None, data=None, events=0)])

    _, text = lake.run("query", "FROM events_canonical ORDER BY seq", "--format", "cloudevents")

    events = [from_json(line) for line in text.splitlines()]
    assert [event["sequence"][:20] for event in events] == [f"{seq:020d}" for seq in (1, 2, 3)]
    assert events[0]["time"] == "2023-11-14T22:13:19.123Z"


def test_a_cloud_event_is_not_made_of_half_a_row(lake: Lake):
    with pytest.raises(Failed) as refused:
        lake.run("query", "SELECT * EXCLUDE (chain) FROM events", "--format", "cloudevents")

    assert refused.value.what == "A CloudEvent needs chain too."


def test_two_lakes_are_asked_as_one(lake: Lake, tmp_path: Path):
    other = Lake(tmp_path / "other")

    _, text = lake.run("query", "SELECT count(*) AS n FROM events", "--format", "csv",
                       "--lake", lake.root, "--lake", other.root)  # fmt: skip

    assert text == "n\n6\n"


def test_a_lake_that_is_not_there_is_an_empty_one_and_stays_so(tmp_path: Path, lake: Lake):
    nowhere = tmp_path / "nowhere"

    err = io.StringIO()

    _, text = lake.run("query", "SELECT count(*) AS n FROM events", "--format", "csv",
                       "--lake", str(nowhere), err=err)  # fmt: skip

    assert text == "n\n0\n"
    assert err.getvalue() == f"note: there is no lake at {nowhere} yet, so it is an empty one.\n"
    assert not nowhere.exists()


@pytest.mark.parametrize("words", [["compact"], ["maintain"], ["erase", "T-1", "--yes"]])
def test_what_changes_a_lake_makes_none(tmp_path: Path, lake: Lake, words: list[str]):
    nowhere = tmp_path / "nowhere"

    with pytest.raises(Failed) as refused:
        lake.run(*words, "--lake", str(nowhere))

    assert refused.value.what == f"There is no lake at {nowhere}."
    assert not nowhere.exists()


def test_a_shell_goes_on_after_a_mistake(lake: Lake):
    typed = io.StringIO("SELECT max(seq)\nFROM events;\nSELECT oops;\nSELECT 41 + 1 AS answer;\n")

    code, shown = lake.run("shell", input=typed)

    assert code == 0
    assert shown.split() == ["max(seq)", "3", "answer", "42"]


@pytest.mark.parametrize(
    ("words", "exit_code"),
    [
        (["query", "SELECT nonsense"], 1),
        (["query", "SELECT 1", "--format", "parquet"], 2),
        (["compact", "--lake", "/no/such/lake"], 3),
    ],
)
def test_a_failure_has_the_exit_code_of_its_kind(lake: Lake, words: list[str], exit_code: int):
    with pytest.raises(Failed) as refused:
        lake.run(*words)

    assert refused.value.exit_code == exit_code


def test_no_lake_named_says_how_to_name_one():
    around = Lent(ask=Control(3).ask)

    with pytest.raises(Failed) as refused:
        main(["query", "SELECT 1"], around)

    assert "CELLCTL_LAKE" in refused.value.ways[0]


def test_a_secret_on_the_command_line_is_refused(lake: Lake):
    with pytest.raises(Failed) as refused:
        lake.run("query", "SELECT 1", "--option", "aws_secret_access_key=hunter2")

    assert "hunter2" not in refused.value.what
    assert "environment" in refused.value.ways[0]


def test_a_lake_that_has_all_is_complete(lake: Lake):
    code, text = lake.run("audit")

    assert code == 0
    assert text.startswith("complete")
    assert "entries 3, sum of the fences' positions 3" in text


@pytest.mark.parametrize(
    ("control", "finding"),
    [
        (Control(5), "missing: T-1/00 4 to 5"),
        (Control(2), "ahead: T-1/00 3 to 3"),
        (Control(3, chain="00" * 32), "diverged: T-1/00 3 to 3"),
        (Control(3, unknown=[HOME]), "the home of T-1 did not answer"),
    ],
)
def test_a_lake_that_is_not_complete_says_where_and_what_to_do(lake, control, finding):
    code, text = lake.run("audit", control=control)

    assert code == 6
    assert text.startswith("NOT COMPLETE")
    assert finding in text
    assert control.unknown or "try, for" in text


def test_what_is_written_during_an_audit_is_not_held_against_it(lake: Lake):
    control = Control(2)
    answers = iter([2, 3])

    def growing(path: str) -> Any:
        if path.endswith("/positions"):
            return Control(next(answers)).ask(path)
        return control.ask(path)

    around = Lent(ask=growing, kept={"lake": lake.root}, json=True)
    code = main(["audit"], around)

    told = json.loads(around.out.getvalue())
    assert (code, told["complete"], told["seqs"], told["findings"]) == (0, True, 2, [])


def test_an_audit_of_one_tenant_leaves_out_the_others(lake: Lake):
    lake.table.open("aws-alpha/5").append(1, [replace(ROW, tenant_id="T-2", seq=7)])

    whole, text = lake.run("audit")
    alone, _ = lake.run("audit", "T-1")

    assert (whole, alone) == (6, 0)
    assert "unknown: T-2/00" in text


def test_lineage_is_exported_once(lake: Lake):
    control = Control(3, lineage=[{"rev": 4, "lineage": MOVED}])

    first, again = (lake.run("lineage", json=True, control=control)[1] for _ in range(2))

    assert json.loads(first)["rows"] == 1
    assert json.loads(again)["rows"] == 0
    _, orphans = lake.run("query", "SELECT seq FROM events_orphaned", "--format", "csv")
    assert orphans == "seq\n3\n"


def test_compaction_joins_files_and_keeps_rows(lake: Lake):
    code, text = lake.run("compact", "--keep-h", "0", json=True)

    assert code == 0
    assert json.loads(text)["files_before"] == 3
    assert len(DeltaTable(lake.table.url).file_uris()) == 1
    assert lake.run("audit")[0] == 0


def test_maintaining_compacts_and_brings_lineage(lake: Lake):
    control = Control(3, lineage=[{"rev": 4, "lineage": MOVED}])

    code, text = lake.run("maintain", json=True, control=control)

    compacted, exported = map(json.loads, text.splitlines())
    assert (code, compacted["files_before"], exported["rows"]) == (0, 3, 1)


def test_maintaining_compacts_although_the_control_plane_is_dark(lake: Lake):
    def dark(path: str) -> Any:
        raise Failed("dark")

    with pytest.raises(Failed, match="failed"):
        main(["maintain"], Lent(ask=dark, kept={"lake": lake.root}))

    assert len(DeltaTable(lake.table.url).file_uris()) == 1


def test_a_lake_that_may_not_be_read_is_a_sentence(lake: Lake, tmp_path: Path):
    (tmp_path / "lake" / "events" / "_delta_log" / "00000000000000000001.json").write_text("{")

    with pytest.raises(Failed) as refused:
        lake.run("query", "SELECT 1")

    assert refused.value.what == "The lake does not answer, or may not be read."
    assert (refused.value.code, refused.value.exit_code) == ("lake_unavailable", 5)


def test_a_tenant_is_erased_only_when_that_was_confirmed(lake: Lake):
    with pytest.raises(Failed):
        lake.run("erase", "T-1")
    before = lake.run("query", "SELECT count(*) FROM events", "--format", "csv")[1]

    code, text = lake.run("erase", "T-1", "--now", "--yes")

    after = lake.run("query", "SELECT count(*) FROM events", "--format", "csv")[1]
    assert code == 0
    assert text.startswith("3 rows erased")
    assert [before.split()[1], after.split()[1]] == ["3", "0"]


def test_a_backfill_needs_the_relays_settings(lake: Lake, tmp_path: Path):
    settings = tmp_path / "relay.env"
    settings.write_text("CELL_ID=aws-alpha\n")
    words = ["backfill", "T-1", "--cloud", "aws", "--settings", str(settings)]

    with pytest.raises(Failed) as refused:
        lake.run(*words)

    assert "CELL_TABLE" in refused.value.what


def test_cellctl_runs_it_with_the_profiles_lake(lake: Lake, tmp_path: Path):
    terminal = Terminal(tmp_path, variables={"CELLCTL_LAKE": lake.root})

    ran = terminal.ok("lake", "query", "SELECT count(*) AS n FROM events", "--json")
    dark = terminal.run("lake", "audit")

    assert ran.json == {"n": 3}
    assert dark.code == 5
    assert "cannot be reached" in dark.err


def test_cellctl_without_the_lake_says_what_to_install(tmp_path: Path):
    ran = Terminal(tmp_path, plugs="cellctl.no.such.group").run("lake", "audit")

    assert ran.code == 5
    assert "cell-lake[query]" in ran.err
