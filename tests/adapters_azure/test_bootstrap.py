"""A cell starts without a network, refuses to start unsafely, and refuses a weaker account."""

import os
import subprocess
import sys

import pytest
from azure.identity import ManagedIdentityCredential

from cell_adapters_azure.bootstrap import Settings, managed_identity
from cell_core.domain.errors import BackendError
from cell_core.system import SettingsError
from tests.adapters_azure.wire import local_cosmos

JWKS = (
    '{"keys":[{"kty":"OKP","crv":"Ed25519","kid":"k1","iss":"edge","use":"sig","alg":"EdDSA",'
    '"iss":"edge","x":"11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo"}]}'
)
ENVIRONMENT = {
    "CELL_ID": "azure-beta",
    "CELL_ORDINAL": "1",
    "CELL_GRANT_KEYS": JWKS,
    "CELL_COSMOS_ENDPOINT": "https://cells.documents.example/",
    "CELL_COSMOS_DATABASE": "cells",
    "CELL_COSMOS_CONTAINER": "azure-beta",
}
LOCAL = {
    "CELL_LOCAL": "true",
    "CELL_COSMOS_KEY": "a2V5",
    "CELL_COSMOS_ENDPOINT": "http://127.0.0.1:1/",
}


def test_production_needs_no_key_and_the_local_world_may_have_one():
    assert Settings.load(ENVIRONMENT).CELL_COSMOS_KEY == ""
    assert Settings.load(ENVIRONMENT | LOCAL).CELL_COSMOS_KEY == "a2V5"


@pytest.mark.parametrize(
    ("changes", "problem"),
    [
        ({"CELL_COSMOS_KEY": "c2VjcmV0"}, "cosmos_key_outside_the_local_world"),
        ({"CELL_COSMOS_ENDPOINT": "http://cells.example/"}, "plain_http_outside_the_local_world"),
        ({"CELL_COSMOS_ENDPOINT": "cells.example"}, "CELL_COSMOS_ENDPOINT"),
        ({"CELL_COSMOS_DATABASE": ""}, "CELL_COSMOS_DATABASE"),
        ({"CELL_COSMOS_CONTAINER": "a/b"}, "CELL_COSMOS_CONTAINER"),
        ({"CELL_STORE_READ_TIMEOUT_S": "-1"}, "CELL_STORE_READ_TIMEOUT_S"),
    ],
)
def test_a_cell_that_would_be_unsafe_does_not_start_and_says_why(changes, problem):
    with pytest.raises(SettingsError, match=problem) as refused:
        Settings.load(ENVIRONMENT | changes)

    assert "c2VjcmV0" not in str(refused.value)


@pytest.mark.parametrize("name", ENVIRONMENT)
def test_each_setting_without_a_default_must_be_given(name):
    given = {key: value for key, value in ENVIRONMENT.items() if key != name}

    with pytest.raises(SettingsError, match=name):
        Settings.load(given)


def test_a_key_is_not_shown_where_settings_are():
    assert "a2V5" not in repr(Settings.load(ENVIRONMENT | LOCAL))


def started(code: str) -> str:
    """Run `code` in a new interpreter with a cell's environment, and return what it printed."""
    environment = {**os.environ, **ENVIRONMENT, **LOCAL}
    done = subprocess.run(
        [sys.executable, "-c", code], env=environment, capture_output=True, text=True, check=True
    )
    return done.stdout.strip()


def test_a_cell_starts_with_its_database_down_and_without_its_sdk():
    printed = started(
        "import sys\n"
        "from cell_adapters_azure.bootstrap import bootstrap\n"
        "names = [f.get_function_name() for f in bootstrap().get_functions()]\n"
        "heavy = {'azure.core', 'azure.cosmos', 'azure.identity', 'requests'} & set(sys.modules)\n"
        "print(sorted(names), sorted(heavy))\n"
    )

    assert printed == "['serve', 'sweep'] []"


def test_a_cell_whose_database_is_down_answers():
    printed = started(
        "import azure.functions as func\n"
        "from cell_adapters_azure.bootstrap import bootstrap\n"
        "serve = {f.get_function_name(): f for f in bootstrap().get_functions()}['serve']\n"
        "for path in ('healthz', 'readyz'):\n"
        "    event = func.HttpRequest('GET', f'http://h/api/{path}', body=b'')\n"
        "    print(serve.get_user_function()(event).status_code)\n"
    )

    assert printed.split() == ["200", "503"]


@pytest.mark.parametrize("level", ["Session", "BoundedStaleness", "Eventual"])
def test_an_account_that_could_serve_stale_reads_is_refused(level: str):
    with local_cosmos() as cosmos:
        cosmos.wire.consistency = level

        with pytest.raises(BackendError):
            cosmos.open_store().ping()


@pytest.mark.parametrize("client_id", ["", "11111111-2222-3333-4444-555555555555"])
def test_a_cell_s_identity_is_the_managed_one(client_id: str):
    settings = Settings.load(ENVIRONMENT | {"AZURE_CLIENT_ID": client_id})

    assert isinstance(managed_identity(settings), ManagedIdentityCredential)
