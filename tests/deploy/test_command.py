"""The command line names cells by their roots, and needs a key to probe with."""

import io

import pytest

from tools import deploy


def test_a_cell_that_has_no_root_is_named(capsys):
    assert deploy.main(["plan", "omega"]) == 2
    assert "No cell 'omega': terraform/roots/ has alpha, beta." in capsys.readouterr().err


@pytest.mark.parametrize("name", ["../roots", "*", ""])
def test_a_cell_is_named_by_a_word(name, capsys):
    assert deploy.main(["plan", name]) == 2
    assert capsys.readouterr().err.startswith("No cell")


def test_a_cells_name_may_have_hyphens(tmp_path):
    for root in ("east-1-aws", "east-aws", "edge"):
        (tmp_path / root).mkdir()

    waves = [deploy.wave_of(name, tmp_path) for name in ("east-1", "east")]

    assert [wave.root for wave in waves] == ["east-1-aws", "east-aws"]


def test_a_cell_in_two_clouds_is_not_guessed_at(tmp_path):
    for root in ("alpha-aws", "alpha-azure"):
        (tmp_path / root).mkdir()

    with pytest.raises(ValueError, match="alpha, alpha"):
        deploy.wave_of("alpha", tmp_path)


def test_nothing_is_deployed_that_could_not_be_probed(capsys):
    assert deploy.main(["deploy", "alpha"]) == 2
    assert "--control-key" in capsys.readouterr().err


class Typed(io.StringIO):
    def isatty(self) -> bool:
        return True


@pytest.mark.parametrize(("typed", "confirmed"), [("alpha\n", True), ("y\n", False), ("", False)])
def test_only_the_cells_own_name_confirms(typed, confirmed):
    assert deploy.Terminal(Typed(typed)).confirms("Apply?", "alpha") is confirmed


def test_nobody_confirms_where_nobody_can_type(capsys):
    assert not deploy.Terminal(io.StringIO("alpha\n")).confirms("Apply?", "alpha")
    assert "--yes alpha" in capsys.readouterr().out
