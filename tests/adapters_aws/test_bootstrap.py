"""A cell on AWS starts from its environment alone, without a network, and refuses a wrong one."""

import json
import os
import subprocess
import sys
from typing import Any

import pytest

from cell_adapters_aws.bootstrap import Settings, bootstrap, change_reader, connect
from cell_adapters_aws.store import DynamoCellStore
from cell_core.domain.errors import BackendError, Unavailable
from cell_core.system import SettingsError
from tests.adapters_aws.events import Context, url_event

_X = "11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo"
ENVIRONMENT = {
    "AWS_REGION": "eu-west-1",
    "CELL_ID": "aws-alpha",
    "CELL_ORDINAL": "0",
    "CELL_TABLE": "cell-table",
    "CELL_GRANT_KEYS": json.dumps(
        {
            "keys": [
                {
                    "kty": "OKP",
                    "crv": "Ed25519",
                    "alg": "EdDSA",
                    "kid": "edge-1",
                    "iss": "edge",
                    "x": _X,
                }
            ]
        }
    ),
}
_LOCAL = {"CELL_LOCAL": "true", "CELL_DYNAMODB_ENDPOINT": "http://127.0.0.1:1"}
_NOBODY = {"AWS_ACCESS_KEY_ID": "nobody", "AWS_SECRET_ACCESS_KEY": "nothing"}


@pytest.fixture
def environment(monkeypatch: pytest.MonkeyPatch) -> Any:
    """Return a function that makes the environment exactly what it is given."""

    def become(variables: dict[str, str]) -> None:
        kept = {name: os.environ[name] for name in ("PATH", "HOME") if name in os.environ}
        for name in list(os.environ):
            monkeypatch.delenv(name)
        for name, value in (kept | variables).items():
            monkeypatch.setenv(name, value)

    return become


def test_a_cell_starts_and_answers_without_a_database(environment):
    environment(ENVIRONMENT | _LOCAL | _NOBODY)
    handler = bootstrap()

    alive = handler(url_event(path="/healthz"), Context())
    ready = handler(url_event(path="/readyz"), Context())

    assert alive["statusCode"] == 200
    assert ready["statusCode"] == 503
    assert json.loads(ready["body"])["code"] == "store_unavailable"


def test_a_cell_starts_without_credentials_and_says_that_it_is_not_ready(environment):
    environment(ENVIRONMENT)
    handler = bootstrap()

    assert handler(url_event(path="/healthz"), Context())["statusCode"] == 200
    assert handler(url_event(path="/readyz"), Context())["statusCode"] == 503


@pytest.mark.parametrize("missing", list(ENVIRONMENT))
def test_a_cell_does_not_start_without_each_of_its_settings(environment, missing):
    environment({name: value for name, value in ENVIRONMENT.items() if name != missing})

    with pytest.raises(SettingsError, match=missing):
        bootstrap()


@pytest.mark.parametrize(
    "wrong",
    [
        {"CELL_DYNAMODB_ENDPOINT": "http://127.0.0.1:8000"},
        {"CELL_DYNAMODB_ENDPOINT": "https://dynamodb.example", "CELL_LOCAL": "false"},
        {"CELL_TABLE": "a/b"},
        {"CELL_TABLE": ""},
        {"AWS_REGION": "eu west"},
        {"CELL_ORDINAL": "16"},
        {"CELL_GRANT_KEYS": "{}"},
    ],
)
def test_a_cell_does_not_start_with_a_wrong_setting(environment, wrong):
    environment(ENVIRONMENT | wrong)

    with pytest.raises(SettingsError) as error:
        bootstrap()

    values = [value for value in wrong.values() if len(value) > 3 and value != "false"]
    assert all(value not in str(error.value) for value in values)


def test_the_client_sends_once_and_gives_up_in_time():
    settings = Settings.load({**ENVIRONMENT, "CELL_STORE_READ_TIMEOUT_S": "0.3"})

    config = connect(settings).meta.config

    assert config.retries["total_max_attempts"] == 1
    assert (config.connect_timeout, config.read_timeout) == (0.5, 0.3)


def test_no_variable_of_the_sdk_s_sends_the_data_elsewhere(environment):
    environment(
        ENVIRONMENT
        | _NOBODY
        | {"AWS_ENDPOINT_URL": "http://127.0.0.1:9", "AWS_ENDPOINT_URL_DYNAMODB": "http://x"}
    )

    client = connect(Settings.load(os.environ))

    assert client.meta.endpoint_url == "https://dynamodb.eu-west-1.amazonaws.com"


def test_no_proxy_of_the_environment_is_used(environment):
    environment(
        ENVIRONMENT | _LOCAL | _NOBODY | {"HTTP_PROXY": "http://127.0.0.1:2", "NO_PROXY": ""}
    )
    store = DynamoCellStore(connect(Settings.load(os.environ)), table="cell")

    with pytest.raises(Unavailable) as error:
        store.ping()

    assert "127.0.0.1:1/" in str(error.value.__cause__)


def test_without_credentials_a_call_fails_and_nothing_is_looked_for(environment):
    environment(ENVIRONMENT | _LOCAL)
    store = DynamoCellStore(connect(Settings.load(os.environ)), table="cell")

    with pytest.raises(BackendError) as error:
        store.ping()

    assert type(error.value.__cause__).__name__ == "NoCredentialsError"


def test_a_reader_of_changes_starts_without_its_stream(environment):
    environment(ENVIRONMENT | _LOCAL | _NOBODY)

    reader = change_reader(Settings.load(os.environ), stream_arn="arn:aws:dynamodb:local")

    with pytest.raises(Unavailable):
        reader.poll(1)


def test_what_a_cold_start_loads_has_no_tracing_and_no_other_event_sources():
    program = (
        "import sys, cell_adapters_aws.bootstrap as b; b.bootstrap();"
        "print(*[m for m in sys.modules if m.startswith(('boto3', 'aws_xray_sdk',"
        " 'aws_lambda_powertools.utilities.data_classes'))])"
    )

    ran = subprocess.run(
        [sys.executable, "-c", program],
        env=ENVIRONMENT | _NOBODY | {"PATH": os.defpath, "PYTHONPATH": os.pathsep.join(sys.path)},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )

    assert (ran.returncode, ran.stdout.strip()) == (0, "")
