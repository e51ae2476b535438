"""`cellctl lake audit`, `maintain` and the other commands of whoever keeps a lake."""

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from deltalake import DeltaTable

from cell_control.cli.failures import Failed
from cell_lake.cli.main import main
from tests.lake.asked import HOME, MOVED, Control, Lake, Lent
from tests.lake.table_suite import ROW


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


@pytest.mark.parametrize("words", [["compact"], ["maintain"], ["erase", "T-1", "--yes"]])
def test_what_changes_a_lake_makes_none(tmp_path: Path, lake: Lake, words: list[str]):
    nowhere = tmp_path / "nowhere"

    with pytest.raises(Failed) as refused:
        lake.run(*words, "--lake", str(nowhere))

    assert refused.value.what == f"There is no lake at {nowhere}."
    assert not nowhere.exists()


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
