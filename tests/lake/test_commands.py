"""`cellctl lake query` and `shell` do what their help says, and failures say what to do."""

import csv
import io
import json
import os
from dataclasses import replace
from pathlib import Path

import pytest
from cloudevents.http import from_json

from cell_control.cli.failures import Failed
from cell_lake.cli.main import main
from tests.control.cli.terminal import Terminal
from tests.lake.asked import Control, Lake, Lent
from tests.lake.table_suite import ROW


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


@pytest.mark.parametrize("form", ["csv", "parquet"])
def test_a_query_that_fails_leaves_the_file_of_before(lake: Lake, tmp_path: Path, form: str):
    file = tmp_path / "out"
    file.write_text("of before")

    with pytest.raises(Failed):
        lake.run("query", "SELECT (seq - 4)::UTINYINT FROM events", "--format", form,
                 "--output", str(file))  # fmt: skip

    assert file.read_text() == "of before"
    assert [path.name for path in tmp_path.iterdir() if "out" in path.name] == ["out"]


def test_a_query_may_go_into_a_pipe(lake: Lake, tmp_path: Path):
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    reader = os.open(pipe, os.O_RDONLY | os.O_NONBLOCK)

    lake.run("query", "SELECT max(seq) FROM events", "--format", "csv", "--output", str(pipe))
    text = os.read(reader, 100)
    os.close(reader)

    assert text.split() == [b"max(seq)", b"3"]


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


def test_a_lake_that_may_not_be_read_is_a_sentence(lake: Lake, tmp_path: Path):
    (tmp_path / "lake" / "events" / "_delta_log" / "00000000000000000001.json").write_text("{")

    with pytest.raises(Failed) as refused:
        lake.run("query", "SELECT 1")

    assert refused.value.what == "The lake does not answer, or may not be read."
    assert (refused.value.code, refused.value.exit_code) == ("lake_unavailable", 5)


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
