"""`cell-router grant-key` makes a key that cells can trust, and keeps its private half private."""

import io
import json
import stat
from pathlib import Path

from cell_core.wire.grants import GrantSigner, GrantVerifier
from cell_router.grant_key_tool import main

NOW_S = 1_900_000_000


def run(path: Path, kid: str = "edge-1") -> tuple[int, str, str]:
    out, err = io.StringIO(), io.StringIO()
    code = main(["--kid", kid, "--out", str(path)], out=out, err=err)
    return code, out.getvalue(), err.getvalue()


def test_a_cell_that_trusts_what_was_printed_accepts_what_is_signed(tmp_path: Path):
    code, printed, _ = run(tmp_path / "key.json")

    signer = GrantSigner((tmp_path / "key.json").read_text(), issuer="edge")
    token = signer.sign(
        audience="cell", tenant="T", epoch=1, scope="tenant", now_s=NOW_S, grant_id="g"
    )
    assert code == 0
    assert GrantVerifier(printed, audience="cell").verify(token, NOW_S).tenant == "T"


def test_the_private_half_is_for_its_owner_only_and_is_not_printed(tmp_path: Path):
    _, printed, _ = run(tmp_path / "key.json")

    mode = stat.S_IMODE((tmp_path / "key.json").stat().st_mode)
    private = json.loads((tmp_path / "key.json").read_text())["d"]
    assert mode == 0o600
    assert private not in printed


def test_a_key_that_is_there_is_never_replaced(tmp_path: Path):
    run(tmp_path / "key.json")
    before = (tmp_path / "key.json").read_bytes()

    code, printed, said = run(tmp_path / "key.json")

    assert (code, printed) == (1, "")
    assert "name a new file" in said
    assert (tmp_path / "key.json").read_bytes() == before


def test_a_name_that_is_none_is_refused(tmp_path: Path):
    code, _, said = run(tmp_path / "key.json", kid="a b")

    assert code == 1
    assert "no key id" in said
    assert not (tmp_path / "key.json").exists()


def test_a_folder_that_is_not_there_is_said(tmp_path: Path):
    code, printed, said = run(tmp_path / "no" / "key.json")

    assert (code, printed) == (1, "")
    assert "cannot be written (FileNotFoundError)" in said
