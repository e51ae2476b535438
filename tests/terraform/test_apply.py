"""The AWS cell, really applied: to moto's server, read back, used, and taken away."""

import base64
import hashlib
import json

import pytest

from cell_adapters_aws.bootstrap import Settings
from tests.terraform import providers
from tests.terraform.deployed import Seen, deploy_and_look
from tests.terraform.moto_cloud import ACCOUNT, FORGOTTEN
from tests.terraform.serving import SERVED

pytestmark = [pytest.mark.slow, pytest.mark.xdist_group("terraform-apply")]


@pytest.fixture(scope="module")
def seen(tmp_path_factory: pytest.TempPathFactory) -> Seen:
    if not providers.PYTHON.exists():
        pytest.skip("SKIPPED, NOT CHECKED: no .venv-terraform; `make terraform` makes it")
    return deploy_and_look(tmp_path_factory.mktemp("apply"))


def test_everything_is_up(seen, said):
    said(seen.terraform.providers)

    assert len(seen.resources) == 62
    assert seen.cell["id"] == "alpha"
    assert seen.cell["protected"] is False


def test_a_second_plan_would_set_only_what_moto_forgets(seen):
    assert seen.changes - FORGOTTEN == set()


def test_the_state_can_be_restored_streams_and_is_encrypted(seen):
    table = seen.read["table"]
    recovery = seen.read["backups"]["PointInTimeRecoveryDescription"]

    assert recovery["PointInTimeRecoveryStatus"] == "ENABLED"
    assert table["StreamSpecification"] == {
        "StreamEnabled": True,
        "StreamViewType": "NEW_AND_OLD_IMAGES",
    }
    assert table["SSEDescription"]["SSEType"] == "KMS"
    assert table["SSEDescription"]["KMSMasterKeyArn"] == seen.cell["resources"]["key"]
    assert table["KeySchema"] == [
        {"AttributeName": "pk", "KeyType": "HASH"},
        {"AttributeName": "sk", "KeyType": "RANGE"},
    ]
    assert table["BillingModeSummary"]["BillingMode"] == "PAY_PER_REQUEST"
    assert seen.read["ttl"] == {"TimeToLiveStatus": "ENABLED", "AttributeName": "ttl"}


def test_the_key_is_the_cells_own_and_rotates(seen):
    assert seen.read["key"]["KeyManager"] == "CUSTOMER"
    assert seen.read["rotation"]["KeyRotationEnabled"]


def test_the_function_runs_the_zip(seen):
    digest = hashlib.sha256(seen.zip.read_bytes())

    assert seen.read["function"]["CodeSha256"] == base64.b64encode(digest.digest()).decode()
    assert seen.cell["runtime"]["package_sha256"] == digest.hexdigest()
    assert seen.read["function"]["Handler"] == "worker.handler"
    assert seen.read["function"]["Runtime"] == "python3.13"


def test_the_alias_stands_on_a_published_version(seen):
    assert seen.read["alias"]["FunctionVersion"] == "1"
    assert seen.read["function"]["Version"] == "1"


def test_the_ingress_goes_through_the_alias_by_one_route(seen):
    [route] = seen.read["routes"]
    [integration] = seen.read["integrations"]
    allowed = {s["Principal"]["Service"] for s in seen.read["policy"]["Statement"]}

    assert route["RouteKey"] == "$default"
    assert integration["PayloadFormatVersion"] == "2.0"
    assert integration["IntegrationUri"].endswith(":alpha-worker:live/invocations")
    assert seen.read["api"]["ApiEndpoint"] == seen.cell["base_url"]
    assert allowed == {"apigateway.amazonaws.com", "events.amazonaws.com"}


def test_the_other_way_in_asks_for_a_signature(seen):
    assert seen.url["AuthType"] == "AWS_IAM"
    assert seen.url["FunctionUrl"].rstrip("/") == seen.url_cell["base_url"]
    assert seen.url_cell["grant_header"] == "x-cell-grant"


def test_the_relay_reads_the_tables_stream(seen):
    [mapping] = seen.read["mappings"]

    assert mapping["EventSourceArn"] == seen.read["table"]["LatestStreamArn"]
    assert mapping["FunctionArn"].split(":function:")[1].startswith("alpha-relay")


def test_logs_stay_a_year_and_are_encrypted(seen):
    logs = {group["logGroupName"]: group for group in seen.read["logs"]}

    assert set(logs) == {
        "/aws/apigateway/alpha",
        "/aws/lambda/alpha-relay",
        "/aws/lambda/alpha-worker",
        "/aws/vpc/alpha",
    }
    assert {group["retentionInDays"] for group in logs.values()} == {365}
    assert {group["kmsKeyId"] for group in logs.values()} == {seen.cell["resources"]["key"]}


def test_the_bucket_is_private_versioned_and_encrypted(seen):
    [rule] = seen.read["encryption"]["Rules"]

    assert seen.cell["resources"]["lake"] == f"alpha-cell-{ACCOUNT}"
    assert set(seen.read["public"].values()) == {True}
    assert seen.read["versioning"]["Status"] == "Enabled"
    assert rule["ApplyServerSideEncryptionByDefault"]["SSEAlgorithm"] == "aws:kms"


def test_somebody_is_called(seen):
    # moto does not speak today's protocol of CloudWatch, so this is Terraform's word.
    alarms = {name for name in seen.resources if "aws_cloudwatch_metric_alarm" in name}

    assert len(alarms) == 8
    assert 'module.cell.aws_sns_topic_subscription.email["cells@example.com"]' in seen.resources


def test_the_functions_environment_is_what_the_bootstrap_reads(seen):
    settings = Settings.load({**seen.environment, "AWS_REGION": "us-east-1"})

    assert seen.cell["id"] == settings.CELL_ID
    assert seen.cell["resources"]["state"] == settings.CELL_TABLE
    assert seen.environment.keys() <= Settings.model_fields.keys()
    declared = seen.cell["settings"]["contract"] + seen.cell["settings"]["cloud"]
    assert sorted(seen.environment) == sorted(declared)
    assert json.loads(settings.CELL_GRANT_KEYS)["keys"]


def test_the_zip_serves_with_that_environment_on_that_table(seen):
    answers = {name: answer.status for name, answer in seen.answers.items()}

    assert answers == SERVED
    assert seen.answers["command"].body["status"] == "applied"
    assert seen.items == {
        "TENANT:T-100",
        "FENCE",
        "LOG:00000000000000000001",
        "IDEM:c-1",
        "ENT:ledger:main:account.alice",
    }


def test_nothing_remains(seen):
    assert {what: left for what, left in seen.after.items() if left} == {}
