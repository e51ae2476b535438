"""Keys are rotated without a moment in which something signed cannot be verified."""

import json
import stat
from pathlib import Path
from typing import Any

import pytest

from cell_control.adapters.key_folder import FileKeyFolder
from cell_control.domain.key_ring import OVERLAP_MS, PUBLISH_WAIT_MS, KeyState, Purpose
from cell_control.errors import Conflict, Invalid, NotFound, Refused
from cell_control.service.keys import CELLS, REGISTRY, RING, Keys
from cell_core.wire.grants import GrantSigner, GrantVerifier
from cell_core.wire.registry_keys import RegistrySigner, RegistryVerifier
from tests.control.services.office import Clock


class Folder:
    """Keys in a folder of their own, and a clock."""

    def __init__(self, path: Path) -> None:
        self.path, self.clock = path / "keys", Clock()
        self.keys = Keys(FileKeyFolder(self.path), self.clock)

    def first(self, purpose: Purpose, kid: str) -> None:
        self.keys.new(purpose, kid)
        self.keys.publish()
        self.keys.switch(kid)

    def states(self) -> dict[str, str]:
        return {entry.kid: entry.state.value for entry in self.keys.ring()}

    def mode(self, name: str) -> int:
        return stat.S_IMODE((self.path / name).stat().st_mode)


@pytest.fixture
def folder(tmp_path: Path) -> Folder:
    return Folder(tmp_path)


def _grant(private: str, issuer: str, now_s: int) -> str:
    return GrantSigner(private, issuer=issuer).sign(
        audience="aws-0", tenant="T-1", epoch=16, scope="tenant", now_s=now_s, grant_id="g"
    )


def _kids(published: bytes) -> list[str]:
    return [key["kid"] for key in json.loads(published)["keys"]]


def test_a_private_half_is_in_a_file_for_its_owner_alone(folder: Folder) -> None:
    folder.keys.new("control", "control-1")

    assert folder.mode("control-1.private.jwk") == 0o600
    assert stat.S_IMODE(folder.path.stat().st_mode) == 0o700


def test_what_is_published_holds_no_private_half(folder: Folder) -> None:
    folder.first("control", "control-1")
    folder.first("registry", "registry-1")

    sets = folder.keys.publish()

    assert _kids(sets[CELLS]) == ["control-1"]
    assert _kids(sets[REGISTRY]) == ["registry-1"]
    assert all("d" not in key for one in sets.values() for key in json.loads(one)["keys"])
    assert "d" not in json.loads((folder.path / RING).read_text())[0]


def test_cells_verify_grants_with_what_is_published(folder: Folder) -> None:
    folder.first("control", "control-1")
    folder.first("edge", "edge-1")
    now_s = folder.clock.now_ms() // 1000
    verifier = GrantVerifier(folder.keys.publish()[CELLS].decode(), audience="aws-0")

    for issuer in ("control", "edge"):
        private = folder.keys.private(issuer)
        assert verifier.verify(_grant(private, issuer, now_s), now_s).issuer == issuer


def test_routers_verify_the_registry_with_what_is_published(folder: Folder) -> None:
    folder.first("registry", "registry-1")
    signer = RegistrySigner(folder.keys.private("registry"))

    verify = RegistryVerifier(folder.keys.publish()[REGISTRY].decode())

    verify(signer.kid, signer.sign(b"rows"), b"rows")


def test_a_rotation_verifies_old_and_new_until_its_end(folder: Folder) -> None:
    folder.first("control", "old")
    folder.keys.new("control", "new")

    assert _kids(folder.keys.publish()[CELLS]) == ["old", "new"]
    with pytest.raises(Refused):
        folder.keys.switch("new")
    folder.clock.time_ms += PUBLISH_WAIT_MS
    folder.keys.switch("new")
    with pytest.raises(Refused):
        folder.keys.retire("old")
    assert _kids(folder.keys.publish()[CELLS]) == ["old", "new"]
    folder.clock.time_ms += OVERLAP_MS["control"]
    folder.keys.retire("old")

    assert _kids((folder.path / CELLS).read_bytes()) == ["new"]
    assert not (folder.path / "old.private.jwk").exists()
    assert folder.states() == {"old": "retired", "new": "signing"}


def test_rotate_does_one_step_after_the_other_as_they_are_due(folder: Folder) -> None:
    folder.keys.rotate("registry")
    signing = folder.keys.rotate("registry")
    published = folder.keys.rotate("registry") if _later(folder) else signing
    with pytest.raises(Refused) as early:
        folder.keys.rotate("registry")
    folder.clock.time_ms += PUBLISH_WAIT_MS
    switched = folder.keys.rotate("registry")
    folder.clock.time_ms += OVERLAP_MS["registry"]
    retired = folder.keys.rotate("registry")

    assert signing.state is KeyState.SIGNING
    assert early.value.reasons[0].code == "too_early"
    assert (published.kid, switched.state) == (switched.kid, KeyState.SIGNING)
    assert (retired.kid, retired.state) == (signing.kid, KeyState.RETIRED)


def _later(folder: Folder) -> bool:
    folder.clock.time_ms += 1000
    return True


def test_a_stolen_key_is_replaced_and_retired_at_once(folder: Folder) -> None:
    folder.first("control", "stolen")
    folder.keys.new("control", "new")
    folder.keys.publish()

    folder.keys.switch("new", at_once=True)
    folder.keys.retire("stolen", at_once=True)

    assert folder.states() == {"stolen": "retired", "new": "signing"}


@pytest.mark.parametrize(
    ("act", "error"),
    [
        (lambda keys: keys.new("control", "one"), Conflict),
        (lambda keys: keys.new("control", "a/b"), Invalid),
        (lambda keys: keys.new("tenant", "x"), Invalid),
        (lambda keys: keys.switch("nobody"), NotFound),
        (lambda keys: keys.retire("nobody"), NotFound),
        (lambda keys: keys.retire("one"), Refused),
        (lambda keys: keys.private("edge"), NotFound),
    ],
)
def test_a_step_that_may_not_be_is_refused(
    folder: Folder, act: Any, error: type[Exception]
) -> None:
    folder.first("control", "one")

    with pytest.raises(error):
        act(folder.keys)

    assert folder.states() == {"one": "signing"}


def test_a_key_is_not_switched_to_before_it_is_published(folder: Folder) -> None:
    folder.keys.new("control", "one")

    with pytest.raises(Refused) as refused:
        folder.keys.switch("one")

    assert refused.value.reasons[0].code == "not_published"


def test_a_second_new_key_waits_for_the_first(folder: Folder) -> None:
    folder.keys.new("control", "one")

    with pytest.raises(Refused):
        folder.keys.new("control", "two")


def test_a_private_key_that_others_may_read_is_refused(folder: Folder) -> None:
    folder.first("control", "one")
    (folder.path / "one.private.jwk").chmod(0o640)

    with pytest.raises(Refused) as refused:
        folder.keys.private("control")

    assert refused.value.code == "key_exposed"


def test_a_broken_list_or_a_missing_half_is_said_so_without_its_text(folder: Folder) -> None:
    folder.first("control", "one")
    (folder.path / "one.private.jwk").unlink()

    with pytest.raises(Invalid):
        folder.keys.private("control")
    (folder.path / RING).write_text('{"s3cret": 1}')
    with pytest.raises(Invalid) as broken:
        folder.keys.ring()

    assert "s3cret" not in str(broken.value)
