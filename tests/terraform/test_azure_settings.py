"""The settings that Terraform gives the Azure cell's apps are what their code starts with.

No stand-in applies a cell to Azure: the settings come from a run of the module's own tests. Where
the database is, and who the app is there, are the mocks' words and replaced by the local world's.
"""

import json
from pathlib import Path

import pytest

from cell_adapters_azure.bootstrap import Settings as WorkerSettings
from cell_devstack.cosmos import LOCAL_KEY
from cell_devstack.cosmos_process import CosmosStandIn, create_container
from cell_devstack.functions_host import FunctionsHost
from cell_relay_azure.bootstrap import Settings as RelaySettings
from tests.terraform import tree
from tests.terraform.running import Terraform
from tests.terraform.serving import SERVED, Keys, asked
from tools.local_zips import local_zips

pytestmark = [pytest.mark.slow, pytest.mark.xdist_group("terraform-azure-settings")]

MODULE = "modules/cell_azure"
TESTS = "tests/cell.tftest.hcl"
RUN = "is_the_cell_that_the_contract_describes"


@pytest.fixture(scope="module")
def keys() -> Keys:
    return Keys()


@pytest.fixture(scope="module")
def settings(keys, tmp_path_factory: pytest.TempPathFactory) -> dict[str, dict[str, str]]:
    """Return each app's settings, with keys that the test can sign for."""
    folder = tmp_path_factory.mktemp("azure")
    module = tree.copied(folder) / MODULE
    _trust(module / TESTS, keys.jwks)
    terraform = Terraform(module, folder)
    terraform.init()
    state = terraform.states(TESTS)[RUN]
    return {
        resource["index"]: resource["values"]["app_settings"]
        for resource in state["root_module"]["resources"]
        if resource["type"] == "azurerm_function_app_flex_consumption"
    }


def test_the_worker_loads_them_as_they_are(settings):
    loaded = WorkerSettings.load(settings["worker"])

    assert loaded.CELL_ID == "beta"
    assert not loaded.CELL_LOCAL
    assert loaded.CELL_COSMOS_ENDPOINT.startswith("https://")


def test_the_relay_loads_them_as_they_are(settings):
    loaded = RelaySettings.load(settings["relay"])

    assert loaded.CELL_LAKE_URL.startswith("abfss://")


def test_the_zip_serves_with_them(settings, keys, tmp_path):
    given = settings["worker"]
    database = CosmosStandIn(folder=tmp_path)
    with database:
        create_container(
            database.url, given["CELL_COSMOS_DATABASE"], given["CELL_COSMOS_CONTAINER"]
        )
        here = {
            "CELL_LOCAL": "true",
            "CELL_COSMOS_ENDPOINT": database.url,
            "CELL_COSMOS_KEY": LOCAL_KEY,
        }
        with FunctionsHost(local_zips()["azure"], {**given, **here}) as host:
            answers = asked(host.base_url, given, keys)

    assert {name: answer.status for name, answer in answers.items()} == SERVED
    assert answers["command"].body["status"] == "applied"


def _trust(tests: Path, jwks: str) -> None:
    """Give the module's tests other grant keys."""
    text = tests.read_text()
    [line] = [line for line in text.splitlines() if line.startswith("  auth ")]
    tests.write_text(text.replace(line, f"  auth = {{ jwks = {json.dumps(jwks)} }}"))
