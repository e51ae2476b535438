"""A Worker with wrong settings serves nobody, says which setting, and never what stands in it."""

import json

import pytest

from cell_router.shell_worker_settings import SettingsRefused, read_settings
from tests.router.worker.edge import ALPHA_EPOCH, JSON, Edge, command

EDGE = Edge()


def _read(**changed):
    held = EDGE.secrets(**changed)
    return read_settings(*(held.get(name) for name in ("SETTINGS", "GRANT_KEY", "API_KEYS")), 1_000)


def _settings(**changed):
    return {"SETTINGS": json.dumps(EDGE.settings(**changed))}


def _grant_key(**changed):
    return {"GRANT_KEY": json.dumps(json.loads(EDGE.secrets()["GRANT_KEY"]) | changed)}


def _registry_key(**changed):
    (key,) = EDGE.settings()["registry_keys"]["keys"]
    return _settings(registry_keys={"keys": [key | changed]})


def _issuer(**changed):
    (issuer,) = EDGE.settings()["issuers"]
    return _settings(issuers=[issuer | changed])


def test_settings_that_are_right_are_taken():
    settings = _read()

    assert settings.host_suffixes == (".on.aws", ".azurewebsites.net")
    assert settings.grant_key["kid"] == "edge-1"
    assert not settings.limits.coalesce
    assert not settings.local


WRONG = {
    "no settings": ({"SETTINGS": None}, "SETTINGS"),
    "no JSON": ({"SETTINGS": "{"}, "SETTINGS"),
    "two of one name": ({"SETTINGS": '{"local":true,"local":true}'}, "SETTINGS"),
    "a misspelt setting": (_settings(host_sufixes=[]), "SETTINGS"),
    "a limit out of range": (_settings(limits={"total_ms": 1}), "SETTINGS.limits.total_ms"),
    "no hosts": (_settings(host_suffixes=[]), "SETTINGS.host_suffixes"),
    "no registry key": (_settings(registry_keys={"keys": []}), "SETTINGS.registry_keys.keys"),
    "a private registry key": (_registry_key(d="AAAA"), "SETTINGS.registry_keys.keys[0]"),
    "an edge key for the registry": (_registry_key(iss="edge"), "SETTINGS.registry_keys.keys[0]"),
    "a development registry key": (
        _registry_key(kid="local-world"),
        "SETTINGS.registry_keys.keys[0]",
    ),
    "no grant key": ({"GRANT_KEY": None}, "GRANT_KEY"),
    "a grant key that is no JSON": ({"GRANT_KEY": "hunter2"}, "GRANT_KEY"),
    "a public grant key": (_grant_key(d=None), "GRANT_KEY"),
    "a grant key without a name": (_grant_key(kid=""), "GRANT_KEY"),
    "a grant key of another kind": (_grant_key(kty="RSA"), "GRANT_KEY"),
    "a development grant key": (_grant_key(kid="local-world"), "GRANT_KEY"),
    "API keys that are no file": ({"API_KEYS": "[]"}, "API_KEYS"),
    "a key without its tenants": (
        {"API_KEYS": '{"v":1,"keys":[{"id":"abcd"}]}'},
        "API_KEYS.keys[0]",
    ),
    "no way to know a client": (_settings(issuers=[]) | {"API_KEYS": None}, "API_KEYS"),
    "an issuer without keys": (_issuer(jwks=None), "SETTINGS.issuers[0]"),
    "an issuer with two sets": (_issuer(jwks_url="https://idp/jwks"), "SETTINGS.issuers[0]"),
    "keys over plain http": (
        _issuer(jwks=None, jwks_url="http://idp/jwks"),
        "SETTINGS.issuers[0].jwks_url",
    ),
    "a shared secret as algorithm": (_issuer(algorithms=["HS256"]), "SETTINGS.issuers[0]"),
}


@pytest.mark.parametrize("name", WRONG)
def test_a_wrong_setting_is_named(name):
    changed, setting = WRONG[name]

    with pytest.raises(SettingsRefused) as refused:
        _read(**changed)

    assert refused.value.setting == setting
    assert "hunter2" not in str(refused.value)


@pytest.mark.xdist_group("worker_isolate")
@pytest.mark.parametrize(
    "changed",
    [
        {
            "GRANT_KEY": json.dumps(
                {"kty": "OKP", "crv": "Ed25519", "kid": "e", "d": "c2VjcmV0", "x": "eA"}
            )
        },
        {"GRANT_KEY": "hunter2-hunter2"},
        {"API_KEYS": '{"v":1,"keys":"hunter2"}'},
        {"SETTINGS": None},
    ],
    ids=["a key that cannot be loaded", "no key", "no file", "nothing"],
)
def test_a_worker_with_wrong_settings_serves_nobody_and_keeps_its_secrets(isolate, changed):
    isolate.begin(secrets=EDGE.secrets(**changed), values=EDGE.snapshot({"acme": ALPHA_EPOCH}))

    reply = isolate.call(
        "POST", "/process", headers=[JSON, ("x-api-key", EDGE.api_key)], body=command()
    )

    assert (reply.status, reply.json["code"]) == (503, "edge_misconfigured")
    assert int(reply.headers["retry-after"]) >= 1
    assert json.loads(reply.logged[0])["setting"].startswith(next(iter(changed)))
    said = reply.body.decode() + "".join(reply.logged)
    assert not any(secret in said for secret in ("hunter2", "c2VjcmV0", EDGE.api_key))
