"""The DynamoDB stand-in serves, goes away, and comes back on the same URL with its tables."""

import urllib.error
import urllib.request

import boto3
import pytest
from botocore.config import Config
from botocore.exceptions import ClientError, EndpointConnectionError, ReadTimeoutError

from cell_devstack.dynamodb import DynamoStandIn, create_table

KEY = {"pk": {"S": "T#1"}, "sk": {"S": "fence"}}


def connect(url, service="dynamodb", **config):
    return boto3.client(
        service,
        endpoint_url=url,
        region_name="us-east-1",
        aws_access_key_id="local",
        aws_secret_access_key="local",
        config=Config(retries={"total_max_attempts": 1}, **config),
    )


@pytest.fixture(scope="module")
def stand_in():
    with DynamoStandIn() as running:
        create_table(connect(running.url), "cell")
        yield running


@pytest.fixture
def client(stand_in):
    stand_in.restore()
    return connect(stand_in.url)


def test_the_cells_table_has_keys_a_stream_and_an_expiry(client):
    table = client.describe_table(TableName="cell")["Table"]
    expiry = client.describe_time_to_live(TableName="cell")["TimeToLiveDescription"]

    assert {k["AttributeName"]: k["KeyType"] for k in table["KeySchema"]} == {
        "pk": "HASH",
        "sk": "RANGE",
    }
    assert table["BillingModeSummary"]["BillingMode"] == "PAY_PER_REQUEST"
    assert table["StreamSpecification"]["StreamViewType"] == "NEW_AND_OLD_IMAGES"
    assert expiry["AttributeName"] == "ttl"
    assert expiry["TimeToLiveStatus"] in {"ENABLING", "ENABLED"}


def test_a_table_cannot_be_created_twice(client):
    with pytest.raises(ClientError, match="ResourceInUse"):
        create_table(client, "cell")


def test_while_it_is_down_connections_are_refused(client, stand_in):
    stand_in.kill()

    with pytest.raises(EndpointConnectionError):
        client.get_item(TableName="cell", Key=KEY)
    with pytest.raises(RuntimeError, match="down"):
        stand_in.process  # noqa: B018 - reading it is the test


def test_it_comes_back_on_the_same_url_with_what_was_written(client, stand_in):
    client.put_item(TableName="cell", Item={**KEY, "epoch": {"N": "7"}, "raw": {"B": b"\xff"}})
    arn = client.describe_table(TableName="cell")["Table"]["LatestStreamArn"]

    stand_in.kill()
    stand_in.kill()
    stand_in.restore()
    stand_in.restore()

    item = client.get_item(TableName="cell", Key=KEY, ConsistentRead=True)["Item"]
    assert (item["epoch"], item["raw"]) == ({"N": "7"}, {"B": b"\xff"})
    assert client.describe_table(TableName="cell")["Table"]["LatestStreamArn"] == arn


def test_a_frozen_database_does_not_answer_and_then_goes_on(client, stand_in):
    impatient = connect(stand_in.url, read_timeout=0.2)

    stand_in.process.stop()
    with pytest.raises(ReadTimeoutError):
        impatient.get_item(TableName="cell", Key=KEY)
    stand_in.process.resume()

    assert client.describe_table(TableName="cell")["Table"]["TableStatus"] == "ACTIVE"


def test_no_other_service_is_on(client, stand_in):
    with pytest.raises(ClientError):
        connect(stand_in.url, "sqs").list_queues()


def test_it_listens_on_loopback_only(client, stand_in):
    with open(f"/proc/{stand_in.process.pid}/net/tcp", encoding="ascii") as table:  # noqa: PTH123
        rows = [line.split() for line in table][1:]

    listening = {row[1] for row in rows if row[3] == "0A"}
    mine = {address for address in listening if address.endswith(f":{stand_in.port:04X}")}
    assert mine == {f"0100007F:{stand_in.port:04X}"}


def test_closing_it_gives_the_port_back():
    with DynamoStandIn() as first:
        url, port = first.url, first.port
    with pytest.raises(urllib.error.URLError):
        urllib.request.urlopen(url, timeout=1)  # noqa: S310 - our own URL

    with DynamoStandIn(port=port) as second:
        assert second.url == url
