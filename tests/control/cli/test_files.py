"""Keys, tokens and backups: commands that need no server."""

from contextlib import closing
from pathlib import Path

import pytest

from cell_control.adapters.registry_url import open_registry
from cell_control.codec import write_of
from cell_control.domain.records import Cell, Tag
from cell_control.domain.recovery import JUMP
from cell_control.server.token_file import TEXTS
from cell_core.wire.registry_snapshot import open_snapshot
from tests.control.cli.terminal import Terminal
from tests.control.configured import LOCAL, configured
from tests.core.registering import snapshot_bytes, verifier

MINUTE_MS = 60_000
CELL = Cell(id="aws-alpha", ordinal=1, cloud="aws", region="x", base_url="https://a.example")


@pytest.fixture
def alone(tmp_path: Path) -> Terminal:
    return Terminal(tmp_path)


def test_a_key_is_made_published_and_signs(alone: Terminal):
    keys = ("--keys", alone.folder / "keys", "--json")

    made = alone.ok("keys", "new", "edge", "--kid", "edge-1", *keys).json
    files = alone.ok("keys", "publish", *keys).json["files"]
    signs = alone.ok("keys", "rotate", "edge", "--yes", *keys).json

    assert (made["state"], signs["state"]) == ("new", "signing")
    assert all(Path(file).is_file() for file in files)
    assert alone.ok("keys", "list", *keys).json["keys"] == [signs]


def test_no_step_of_a_rotation_is_done_too_early(alone: Terminal):
    keys = ("--keys", alone.folder / "keys")
    for _ in range(2):
        alone.ok("keys", "rotate", "control", "--yes", *keys)
    alone.ok("keys", "new", "control", "--kid", "next", *keys)
    alone.ok("keys", "rotate", "control", "--yes", *keys)

    early = alone.run("keys", "rotate", "control", "--yes", *keys)
    alone.ahead_ms = 11 * MINUTE_MS
    late = alone.ok("keys", "rotate", "control", "--yes", *keys)

    assert early.code == 1
    assert "come again in" in early.err
    assert "is signing" in late.out


def test_a_private_key_is_shown_to_nobody(alone: Terminal):
    keys = ("--keys", alone.folder / "keys")
    alone.ok("keys", "new", "edge", "--kid", "edge-1", *keys)
    secret = next((alone.folder / "keys").glob("*.private.jwk")).read_text().split('"d": "')[1][:20]

    printed = [
        alone.run("keys", *what, *keys) for what in (["list"], ["list", "--json"], ["publish"])
    ]

    assert all(secret not in ran.out + ran.err for ran in printed)


@pytest.mark.parametrize(
    ("what", "code"),
    [
        (("new", "lunch"), 2),
        (("new", "edge", "--kid", "a/b"), 2),
        (("switch", "nobody", "--yes"), 3),
        (("retire", "nobody", "--yes"), 3),
        (("rotate", "edge"), 2),
    ],
)
def test_a_key_that_cannot_be_is_refused(alone: Terminal, what: tuple[str, ...], code: int):
    assert alone.run("keys", *what, "--keys", alone.folder / "keys").code == code


def test_the_same_kid_twice_is_a_conflict(alone: Terminal):
    new = ("keys", "new", "edge", "--kid", "edge-1", "--keys", alone.folder / "keys")
    alone.ok(*new)

    assert alone.run(*new).code == 4


def test_a_token_is_shown_once_and_then_known_by_its_id(alone: Terminal):
    tokens = ("--tokens", alone.folder / "tokens.json")

    text = alone.ok("token", "new", "--name", "me", "--role", "viewer", *tokens).out.strip()
    listed = alone.ok("token", "list", "--json", *tokens)

    [one] = listed.json["tokens"]
    assert TEXTS.id_of(text.encode()) == one["id"]
    assert one.keys() == {
        "id",
        "name",
        "env",
        "role",
        "created_s",
        "expires_s",
        "revoked_s",
        "state",
    }
    assert text not in listed.out
    assert (alone.folder / "tokens.json").stat().st_mode & 0o777 == 0o600


def test_a_token_is_revoked_and_stays_on_the_list(alone: Terminal):
    tokens = ("--tokens", alone.folder / "tokens.json")
    new = ("token", "new", "--name", "me", "--role", "viewer", "--days", 1, "--json", *tokens)
    first, second = alone.ok(*new).json["id"], alone.ok(*new).json["id"]

    third = alone.run(*new)
    alone.ok("token", "revoke", first, "--yes", *tokens)
    alone.ahead_ms = 25 * 60 * MINUTE_MS
    listed = alone.ok("token", "list", "--json", *tokens).json["tokens"]

    assert third.code == 2
    assert "revoke one" in third.err
    assert {one["id"]: one["state"] for one in listed} == {first: "revoked", second: "expired"}


@pytest.mark.parametrize(
    ("what", "code"),
    [
        (("revoke", "nobody", "--yes"), 3),
        (("revoke", "nobody"), 2),
        (("new", "--name", "a b", "--role", "viewer"), 2),
        (("new", "--name", "me", "--role", "king"), 2),
        (("new", "--name", "me", "--role", "viewer", "--env", "X"), 2),
    ],
)
def test_a_token_that_cannot_be_is_refused(alone: Terminal, what: tuple[str, ...], code: int):
    tokens = alone.folder / "tokens.json"
    alone.ok("token", "new", "--name", "me", "--role", "viewer", "--tokens", tokens)

    assert alone.run("token", *what, "--tokens", tokens).code == code


def test_a_file_of_tokens_that_is_none_is_refused_and_not_shown(alone: Terminal):
    tokens = alone.folder / "tokens.json"
    tokens.write_text('{"v": 1, "tokens": "hunter2"}')

    ran = alone.run("token", "list", "--tokens", tokens)

    assert ran.code == 2
    assert "hunter2" not in ran.err
    assert alone.run("token", "list", "--tokens", alone.folder / "none").code == 2


def test_a_registry_is_exported_and_restored(alone: Terminal):
    one, other = (f"sqlite:///{alone.folder / name}" for name in ("one.db", "other.db"))
    registry = open_registry(one)
    registry.commit([write_of(CELL, 0)])
    registry.close()
    backup = alone.folder / "backup"

    exported = alone.ok("registry", "export", backup, "--registry", one, "--json").json
    restored = alone.ok("registry", "restore", backup, "--registry", other, "--yes", "--json").json
    again = alone.run("registry", "restore", backup, "--registry", other, "--yes")

    assert exported == {"file": str(backup), "rev": 1, "records": 1}
    assert restored == {"file": str(backup), "rev": 1 + JUMP}
    assert again.code == 1
    assert "not empty; nothing was written" in again.err


def test_a_restored_registry_is_to_be_compared_with_the_cells_before_anything_else(alone: Terminal):
    one, other = (f"sqlite:///{alone.folder / name}" for name in ("one.db", "other.db"))
    backup = alone.folder / "backup"
    open_registry(one).close()
    alone.ok("registry", "export", backup, "--registry", one)

    alone.ok("registry", "restore", backup, "--registry", other, "--yes", "--rev-at-least", "7")

    restored = open_registry(other)
    assert [r.key for r in restored.list("operation", tag=Tag.OPEN, limit=9)] == ["~recovery"]
    restored.close()


def test_a_backup_that_is_none_is_refused(alone: Terminal):
    (alone.folder / "backup").write_text("no")
    restore = ("registry", "restore", alone.folder / "backup", "--registry", "sqlite:///x.db")

    assert alone.run(*restore, "--yes").code == 1
    assert alone.run("registry", "restore", alone.folder / "none", *restore[3:], "--yes").code == 2


@pytest.mark.parametrize(
    ("which", "words"),
    [
        (("--registry", "oracle://x"), "no registry's URL"),
        (("--registry", "postgresql://me:hunter2@h/x"), "holds a password"),
        (("--registry", "postgresql://h:port/x"), "no registry's URL"),
        ((), "Name the registry"),
        (("--config", "none.toml"), "The configuration is refused"),
    ],
)
def test_a_registry_that_is_none_is_refused(alone: Terminal, which: tuple[str, ...], words: str):
    ran = alone.run("registry", "export", alone.folder / "backup", *which)

    assert ran.code == 2
    assert words in ran.err
    assert "hunter2" not in ran.err


def test_a_configuration_without_targets_publishes_nothing(alone: Terminal):
    assert alone.run("registry", "publish", "--config", alone.folder / "none").code == 2


def test_a_snapshot_is_published_once_to_each_target_that_can_be_reached(alone: Terminal):
    file = alone.folder / "registry.snapshot"
    targets = {"there": file, "nowhere": alone.folder / "no-folder" / "x"}
    text = LOCAL + "".join(
        f'[[publish]]\nname = "{name}"\nurl = "file://{path}"\n' for name, path in targets.items()
    )
    config = ("registry", "publish", "--config", configured(alone.folder, text))
    with closing(open_registry(f"sqlite:///{alone.folder / 'registry.db'}")) as registry:
        registry.commit([write_of(CELL, 0)])

    first, again = alone.run(*config, "--json"), alone.ok(*config, "--to", "there", "--json")
    nowhere = alone.run(*config, "--to", "nowhere")

    assert (first.code, first.json["put"]) == (6, {"there": True})
    assert first.error["failed"] == {"nowhere": "target_unreachable"}
    assert open_snapshot(file.read_bytes(), verifier()).manifest.rev == first.json["rev"]
    assert again.json["put"] == {"there": False}
    assert (nowhere.code, "a file's folder there?" in nowhere.err) == (5, True)


def test_a_target_that_holds_more_than_the_registry_is_left_alone_and_said(alone: Terminal):
    file = alone.folder / "registry.snapshot"
    text = f'{LOCAL}[[publish]]\nname = "there"\nurl = "file://{file}"\n'
    config = ("registry", "publish", "--config", configured(alone.folder, text))
    with closing(open_registry(f"sqlite:///{alone.folder / 'registry.db'}")) as registry:
        rev = registry.commit([write_of(CELL, 0)])
    later = snapshot_bytes(rev + 7)
    file.write_bytes(later)

    ran = alone.run(*config, "--json")

    assert (ran.code, ran.error["failed"]) == (5, {"there": "target_ahead"})
    assert "recover --begin" in alone.run(*config).err
    assert file.read_bytes() == later
