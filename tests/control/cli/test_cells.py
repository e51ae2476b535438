"""Cells by cellctl."""

from tests.control.cli.terminal import Terminal

GAMMA = ("cell", "add", "gcp-gamma", "--ordinal", 3, "--cloud", "gcp", "--region", "local")


def test_cells_are_listed_with_what_is_free(me: Terminal):
    shown, document = me.ok("cells"), me.ok("cells", "--json").json

    assert "aws-alpha" in shown.out
    assert "well" in shown.out
    assert {one["cell"]["id"] for one in document["cells"]} >= {"aws-alpha", "azure-beta"}
    assert document["cells"][0].keys() == {"cell", "usage", "free"}


def test_a_cell_is_shown_with_its_probe(me: Terminal):
    shown = me.ok("cell", "show", "aws-alpha").out

    assert "https://aws-alpha.example" in shown
    assert "for contract 1: well" in shown


def test_an_unknown_cell_is_not_found(me: Terminal):
    ran = me.run("cell", "show", "nowhere")

    assert ran.code == 3
    assert "There is no cell nowhere." in ran.err
    assert "cellctl cells" in ran.err


def test_a_cell_that_answers_wrongly_is_not_opened(me: Terminal):
    ran = me.run(*GAMMA, "--url", "https://azure-beta.example", "--activate")

    assert ran.code == 1
    assert "does not answer as every cell has to" in ran.err
    assert me.ok("cell", "show", "gcp-gamma", "--json").json["cell"]["lifecycle"] == "provisioning"


def test_what_is_for_good_is_not_changed(me: Terminal):
    ran = me.run("cell", "add", "other", *GAMMA[3:3], "--ordinal", 1, "--cloud", "aws",
                 "--region", "local", "--url", "https://other.example")  # fmt: skip

    assert ran.code == 1
    assert "Ordinal 1 is that of aws-alpha: choose another one." in ran.err


def test_one_size_is_changed_and_the_others_stay(me: Terminal):
    before = me.ok("cell", "show", "azure-beta", "--json").json["cell"]["capacity"]

    changed = me.ok("cell", "set", "azure-beta", "--tenants", 20_000, "--json").json

    assert changed["capacity"] == {**before, "tenants": 20_000}


def test_a_change_of_nothing_is_a_mistake(me: Terminal):
    assert me.run("cell", "set", "azure-beta").code == 2


def test_a_probe_says_what_it_found(me: Terminal):
    assert "well" in me.ok("cell", "probe", "aws-alpha").out
    assert me.ok("cell", "probe", "aws-alpha", "--json").json["probe"]["problems"] == []


def test_nobody_closes_a_cell_by_accident(me: Terminal):
    ran = me.run("cell", "lifecycle", "aws-alpha", "quarantined")

    assert ran.code == 2
    assert "--yes" in ran.err


def test_someone_who_is_asked_may_say_no(me: Terminal):
    ran = me.run("cell", "lifecycle", "aws-alpha", "retired", typed="n\n", asked=True)

    assert ran.code == 2
    assert "Nothing was done." in ran.err


def test_someone_who_is_asked_may_say_yes(me: Terminal):
    ran = me.run("cell", "lifecycle", "gcp-gone", "retired", typed="y\n", asked=True)

    assert ran.code == 3


def test_a_cell_becomes_what_it_is_already(me: Terminal):
    assert "aws-alpha is active" in me.ok("cell", "lifecycle", "aws-alpha", "active").out


def test_a_viewer_changes_no_cell(me: Terminal):
    ran = me.as_role("viewer").run("cell", "set", "aws-alpha", "--weight", 5)

    assert ran.code == 1
    assert "It takes one of: admin." in ran.err
