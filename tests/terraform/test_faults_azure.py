"""Security faults planted into the Azure cell and the edge: each is caught by a check with a name.

A check is a run of `terraform test`, or a sentence that one of its assertions or the contract says.
"""

from dataclasses import dataclass

import pytest

from tests.terraform import tree
from tests.terraform.running import Terraform
from tests.terraform.tree import Fault

AZURE = "modules/cell_azure"
EDGE = "modules/edge_cloudflare"
SECURITY, CELL, REFUSALS = "security", "cell", "refusals"
METADATA = '"Microsoft.DocumentDB/databaseAccounts/readMetadata"'
ITEMS = '"Microsoft.DocumentDB/databaseAccounts/sqlDatabases/*"'
ANY_PORT = """
    source_port_range          = "*"
    destination_address_prefix = """


@dataclass(frozen=True, slots=True, kw_only=True)
class Planted:
    """A fault in a module.

    Attributes:
        tests: The file of tests that must catch it.
        caught_by: The name of a run, or a sentence that a failed check says.
    """

    module: str = AZURE
    file: str
    old: str
    new: str
    tests: str = SECURITY
    caught_by: str


FAULTS = {
    "keys open the database": Planted(
        file="main.state.tf",
        old="local_authentication_enabled       = false",
        new="local_authentication_enabled       = true",
        caught_by="Keys open the state.",
    ),
    "the database is public": Planted(
        file="main.state.tf",
        old="public_network_access_enabled         = var.private_network ? false : true",
        new="public_network_access_enabled         = true",
        caught_by="The state can be reached from outside of the network, or with an old TLS.",
    ),
    "the database takes TLS 1.0": Planted(
        file="main.state.tf",
        old='= "Tls12"',
        new='= "Tls"',
        caught_by="The state can be reached from outside of the network, or with an old TLS.",
    ),
    "backups are twice a day": Planted(
        file="main.state.tf",
        old='type = "Continuous"',
        new='type = "Periodic"',
        tests=CELL,
        caught_by="The state can be restored to any second of the last 30 days.",
    ),
    "a fence may be read late": Planted(
        file="main.state.tf",
        old='consistency_level = "Strong"',
        new='consistency_level = "Session"',
        tests=CELL,
        caught_by="With less than Strong, an instance may not see the fence",
    ),
    "a role on the whole account": Planted(
        file="main.identity.tf",
        old='"${azurerm_cosmosdb_account.state.id}/dbs/${azurerm_cosmosdb_sql_database.cell.name}"',
        new="azurerm_cosmosdb_account.state.id",
        caught_by="The role on data is scoped to more than the database",
    ),
    "a metadata role with data": Planted(
        file="main.identity.tf",
        old=f"[{METADATA}]",
        new=f"[{METADATA}, {ITEMS}]",
        caught_by="The role on the account may do more than read its metadata.",
    ),
    "a wildcard action": Planted(
        file="main.lake.tf",
        old='"${local.blobs}/write"',
        new='"${local.blobs}/*"',
        caught_by="The role on the lake has a wildcard, or may delete.",
    ),
    "the lake read by its writer": Planted(
        file="main.lake.tf",
        old="StringLike '*_delta_log/*'",
        new="StringLike '*'",
        caught_by="The relay may read rows of the lake.",
    ),
    "a lake without versions": Planted(
        file="main.storage.tf",
        old="versioned = true",
        new="versioned = false",
        caught_by="What was overwritten or deleted in the lake is gone.",
    ),
    "an open container": Planted(
        file="main.storage.tf",
        old='container_access_type = "private"',
        new='container_access_type = "blob"',
        caught_by="A container is open.",
    ),
    "storage with keys": Planted(
        file="main.storage.tf",
        old="shared_access_key_enabled         = false",
        new="shared_access_key_enabled         = true",
        caught_by="Keys open a storage account.",
    ),
    "storage with TLS 1.0": Planted(
        file="main.storage.tf",
        old='"TLS1_2"',
        new='"TLS1_0"',
        caught_by="A storage account takes plain HTTP, or an old TLS.",
    ),
    "storage open to every network": Planted(
        file="main.storage.tf",
        old='default_action = var.private_network ? "Deny" : "Allow"',
        new='default_action = "Allow"',
        caught_by="A storage account can be reached from outside of the network.",
    ),
    "plain HTTP": Planted(
        file="main.apps.tf",
        old="https_only                                     = true",
        new="https_only                                     = false",
        caught_by="An app takes plain HTTP, or an old TLS.",
    ),
    "a publishing password": Planted(
        file="main.apps.tf",
        old="webdeploy_publish_basic_authentication_enabled = false",
        new="webdeploy_publish_basic_authentication_enabled = true",
        caught_by="A publishing password is on.",
    ),
    "an ingress for everybody": Planted(
        file="main.apps.tf",
        old='    ip_restriction_default_action     = "Deny"',
        new='    ip_restriction_default_action     = "Allow"',
        caught_by="The worker answers others than the edge.",
    ),
    "packages from everybody": Planted(
        file="main.apps.tf",
        old='scm_ip_restriction_default_action = "Deny"',
        new='scm_ip_restriction_default_action = "Allow"',
        caught_by="The edge, or anybody, may replace the worker.",
    ),
    "a public way in without an edge": Planted(
        file="locals.tf",
        old="is_public = length(var.edge_cidrs) > 0",
        new="is_public = true",
        caught_by="An app has a public way in.",
    ),
    "a connection string": Planted(
        file="locals.tf",
        old="AzureWebJobsStorage__credential           =",
        new='AzureWebJobsStorage = ""\n      AzureWebJobsStorage__credential           =',
        caught_by="The Functions host opens its storage with a connection string.",
    ),
    "a key of the database in the environment": Planted(
        file="locals.tf",
        old="  state_settings = {\n",
        new='  state_settings = {\n    CELL_COSMOS_KEY = "key"\n',
        tests=CELL,
        caught_by="The worker's environment is not the contract's settings and this cloud's",
    ),
    "the internet let into the network": Planted(
        file="main.firewall.tf",
        old=f'"VirtualNetwork"{ANY_PORT}"VirtualNetwork"',
        new=f'"Internet"{ANY_PORT}"VirtualNetwork"',
        caught_by="A network lets the internet in.",
    ),
    "the network open to the internet": Planted(
        file="main.firewall.tf",
        old='to = "AzureMonitor"',
        new='to = "Internet"',
        caught_by="Workers may open connections to the internet.",
    ),
    "logs gone after a month": Planted(
        file="main.logs.tf",
        old='  sku                 = "PerGB2018"\n  retention_in_days   = var.retention.logs_days',
        new='  sku                 = "PerGB2018"\n  retention_in_days   = 30',
        caught_by="Logs do not stay as long as the contract says.",
    ),
    "no trace of changes": Planted(
        file="main.logs.tf",
        old='["ControlPlaneRequests", "PartitionKeyStatistics"]',
        new='["PartitionKeyStatistics"]',
        caught_by="Changes of the account, reads of the lake, or the host's queues leave no trace.",
    ),
    "no lock": Planted(
        file="main.locks.tf",
        old="for_each = var.protect ? {",
        new="for_each = !var.protect ? {",
        caught_by="The state's protection against deletion is not what the contract says.",
    ),
    "the whole internet for an edge": Planted(
        file="variables.contract.tf",
        old='try(tonumber(split("/", cidr)[1]), 0) >= 8',
        new='try(tonumber(split("/", cidr)[1]), 0) >= 0',
        tests=REFUSALS,
        caught_by="refuses_the_whole_internet_as_an_edge",
    ),
    "a Worker beside its name": Planted(
        module=EDGE,
        file="main.worker.tf",
        old="enabled          = false",
        new="enabled          = true",
        tests="edge",
        caught_by="The Worker can be called around its name and the rules there.",
    ),
    "a secret in the state": Planted(
        module=EDGE,
        file="main.bindings.tf",
        old='type = "inherit", version_id = "latest"',
        new='type = "secret_text", text = "{}"',
        tests="edge",
        caught_by="A secret passes through Terraform, and so stands in its state.",
    ),
    "a zone with TLS 1.0": Planted(
        module=EDGE,
        file="main.name.tf",
        old='min_tls_version  = "1.2"',
        new='min_tls_version  = "1.0"',
        tests="edge",
        caught_by="The zone takes plain HTTP or an old TLS, or does not check certificates.",
    ),
    "a cell by plain HTTP": Planted(
        module=EDGE,
        file="variables.tf",
        old='"^https://[a-z0-9.-]+(:443)?(/[^?#]*)?$"',
        new='"^https?://[a-z0-9.-]+(:443)?(/[^?#]*)?$"',
        tests=REFUSALS,
        caught_by="refuses_a_cell_by_plain_http",
    ),
}


@pytest.mark.slow
@pytest.mark.parametrize("name", FAULTS)
def test_a_planted_fault_is_caught_by_name(name, tmp_path, said):
    planted = FAULTS[name]
    copy = tree.copied(tmp_path)
    fault = Fault(file=f"{planted.module}/{planted.file}", old=planted.old, new=planted.new)
    tree.plant(copy, fault)
    terraform = Terraform(copy / planted.module, tmp_path)
    terraform.init()

    outcome = terraform.failed_runs(only=[f"tests/{planted.tests}.tftest.hcl"])

    said(terraform.providers)
    assert outcome.code != 0
    caught = " ".join("\n".join([*outcome.failed, *outcome.said]).split())
    assert planted.caught_by in caught, caught
