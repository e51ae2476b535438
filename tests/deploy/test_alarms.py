"""Each cloud is asked which alarms ring; one that cannot be asked is not taken for calm."""

import json

import pytest

from tools.deploy_alarms import CliAlarms
from tools.deploy_waves import Failed

ALPHA = {"id": "alpha", "cloud": "aws", "region": "eu-central-1"}
BETA = {"id": "beta", "cloud": "azure", "region": "westeurope"}


def test_aws_is_asked_for_the_alarms_of_this_cell_in_its_region():
    asked = []

    def run(command):
        asked.append(command)
        answer = {"MetricAlarms": [{"AlarmName": "alpha-b"}, {"AlarmName": "alpha-a"}]}
        return 0, json.dumps(answer), ""

    assert CliAlarms(run).ringing(ALPHA) == ["alpha-a", "alpha-b"]
    assert {"ALARM", "eu-central-1", "alpha-"} <= set(asked[0])


def test_azure_is_asked_in_the_subscription_that_holds_the_cell():
    asked = []

    def run(command):
        asked.append(command)
        if command[1] == "group":
            return 0, json.dumps({"id": "/subscriptions/s-1/resourceGroups/cell-beta"}), ""
        return 0, json.dumps({"value": [{"name": "errors"}]}), ""

    assert CliAlarms(run).ringing(BETA) == ["errors"]
    assert asked[1][-1].startswith("/subscriptions/s-1/providers/Microsoft.AlertsManagement")
    assert asked[1][-1].endswith("targetResourceGroup=cell-beta")


@pytest.mark.parametrize("document", [ALPHA, BETA], ids=["aws", "azure"])
def test_a_cloud_that_cannot_be_asked_is_not_taken_for_calm(document):
    with pytest.raises(Failed, match="cannot say which alarms ring:\nnot signed in"):
        CliAlarms(lambda _command: (1, "", "not signed in")).ringing(document)
