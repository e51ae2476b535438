"""The files that a configuration names: each that cannot be used is found, and none is quoted."""

import json

import pytest

from cell_router.config import load
from cell_router.config_files import examine
from tests.router.ops.certificates import Authority
from tests.router.ops.settings import private_jwk, write_files, write_private

NOW_S = 1_800_000_000


def found_in(path):
    return [str(finding) for finding in examine(load(path), NOW_S)]


@pytest.fixture
def path(tmp_path):
    return write_files(tmp_path)


def test_good_files_are_good(path):
    assert found_in(path) == []


@pytest.mark.parametrize(
    ("file", "setting"),
    [
        ("edge.pem", "listen.tls.certificate"),
        ("edge.key", "listen.tls.key"),
        ("ca.pem", "cells.ca"),
        ("grant-key.json", "grants.key"),
        ("registry-keys.json", "registry.keys"),
        ("jwks.json", "issuers[0].jwks_file"),
        ("api-keys.json", "api_keys.file"),
    ],
)
def test_a_file_that_is_not_there_is_named_by_its_setting(path, file, setting):
    (path.parent / file).unlink()

    assert found_in(path) == [
        f"{setting} cannot be read (FileNotFoundError): check its path and its rights."
    ]


@pytest.mark.parametrize(
    ("file", "setting"),
    [
        ("edge.pem", "listen.tls.certificate"),
        ("edge.key", "listen.tls.key"),
        ("ca.pem", "cells.ca"),
        ("grant-key.json", "grants.key"),
        ("registry-keys.json", "registry.keys"),
        ("jwks.json", "issuers[0].jwks_file"),
        ("api-keys.json", "api_keys.file"),
    ],
)
@pytest.mark.parametrize("content", [b"", b"sword-fish", b"\xff\xfe", b"{}", b"[]", b"null"])
def test_a_file_of_nonsense_is_named_and_not_quoted(path, file, setting, content):
    (path.parent / file).write_bytes(content)

    [sentence] = found_in(path)

    assert sentence.startswith(f"{setting} ")
    assert "sword-fish" not in sentence


def test_a_key_of_another_certificate_is_refused(path):
    other = path.parent / "other.pem"
    Authority().issue("edge.example", other, path.parent / "edge.key")

    assert found_in(path) == ["listen.tls.key does not belong to the certificate: pair them."]


@pytest.mark.parametrize(
    ("file", "setting"), [("edge.key", "listen.tls.key"), ("grant-key.json", "grants.key")]
)
def test_a_private_key_that_everybody_can_read_is_refused(path, file, setting):
    (path.parent / file).chmod(0o604)

    assert found_in(path) == [f"{setting} can be read by everybody: chmod o-rwx it."]


def test_a_private_key_that_its_group_can_read_is_how_kubernetes_mounts_it(path):
    (path.parent / "grant-key.json").chmod(0o440)

    assert found_in(path) == []


def test_development_keys_are_refused_outside_the_local_world(tmp_path):
    path = write_files(tmp_path, prefix="local-world")

    assert found_in(path) == [
        f"{setting} holds a key of the local world: make one of your own."
        for setting in ("grants.key", "registry.keys", "issuers[0].jwks_file")
    ]


def test_development_keys_are_good_in_the_local_world(tmp_path):
    assert found_in(write_files(tmp_path, prefix="local-world", local=True)) == []


def test_a_public_key_cannot_sign_grants(path):
    public = {k: v for k, v in private_jwk("edge").items() if k != "d"}
    write_private(path.parent / "grant-key.json", json.dumps(public))

    assert found_in(path)[0].startswith("grants.key must be a file with one private JWK")


def test_a_private_registry_key_at_the_edge_is_refused(path):
    private = {**private_jwk("r"), "iss": "registry"}
    (path.parent / "registry-keys.json").write_text(json.dumps({"keys": [private]}))

    [sentence] = found_in(path)

    assert sentence.startswith("registry.keys must be a JWKS of public")
    assert private["d"] not in sentence


def test_a_key_of_the_edge_cannot_sign_registries(path):
    keys = json.loads((path.parent / "registry-keys.json").read_text())
    keys["keys"][0]["iss"] = "edge"
    (path.parent / "registry-keys.json").write_text(json.dumps(keys))

    assert found_in(path)[0].startswith("registry.keys must be")


def test_a_cache_that_cannot_be_made_is_found(path):
    text = path.read_text().replace('cache = "cache"', 'cache = "nowhere/deep/cache"')
    path.write_text(text)

    assert found_in(path)[0].startswith("registry.cache must be a folder")


def test_a_credential_file_is_private_and_there(path):
    text = path.read_text().replace('keys = "reg', 'credential_file = "token"\nkeys = "reg')
    path.write_text(text)

    missing = found_in(path)
    (path.parent / "token").write_text("sword-fish")
    (path.parent / "token").chmod(0o644)

    assert missing[0].startswith("registry.credential_file cannot be read (FileNotFoundError): ")
    assert found_in(path) == ["registry.credential_file can be read by everybody: chmod o-rwx it."]


def test_everything_wrong_is_said_at_once(path):
    for file in ("edge.pem", "grant-key.json", "api-keys.json"):
        (path.parent / file).write_text("x")

    assert len(found_in(path)) == 3
