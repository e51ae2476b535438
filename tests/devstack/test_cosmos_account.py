"""The account around the items: keys, containers, sessions, files, the process and its limits."""

import base64
import json
import signal
import subprocess
import sys
import threading
import urllib.error
import urllib.request

import pytest
from azure.cosmos import CosmosClient, PartitionKey
from azure.cosmos.exceptions import CosmosResourceExistsError

from cell_devstack.cosmos import LOCAL_KEY, CosmosGateway, serve
from tests.devstack.cosmos_account import local_account, status_of


@pytest.fixture(scope="module", params=[1, 4], ids=["1 partition", "4 partitions"])
def account(request):
    with local_account(request.param) as opened:
        yield opened


def connect(url, key=LOCAL_KEY, **options):
    return CosmosClient(url, key, **options)


def test_the_account_promises_strong_consistency_and_one_write_region(account):
    described = account.client.get_database_account()

    assert described.ConsistencyPolicy == {"defaultConsistencyLevel": "Strong"}
    assert len(described.WritableLocations) == 1
    assert not described._EnableMultipleWritableLocations


def test_a_wrong_key_is_unauthorized():
    wrong = base64.b64encode(b"another key" * 6).decode()

    with CosmosGateway() as gateway, serve(gateway) as server:
        assert status_of(lambda: connect(server.url, wrong)) == 401


def test_a_request_without_a_signature_is_unauthorized(account):
    with pytest.raises(urllib.error.HTTPError) as caught:
        urllib.request.urlopen(f"{account.server.url}dbs", timeout=5)  # noqa: S310 - the stand-in's own address

    caught.value.close()
    assert caught.value.code == 401


def test_databases_are_created_once_and_deleted(account):
    account.client.create_database("other")
    account.client.create_database_if_not_exists("other")

    with pytest.raises(CosmosResourceExistsError):
        account.client.create_database("other")
    account.client.delete_database("other")

    assert [database["id"] for database in account.client.list_databases()] == ["db"]


def test_containers_are_created_once_and_deleted(account):
    container = account.new_container(default_ttl=-1)
    key = PartitionKey("/pk")
    account.database.create_container_if_not_exists(container.id, partition_key=key)

    properties = container.read()
    assert properties["partitionKey"]["paths"] == ["/pk"]
    assert properties["defaultTtl"] == -1
    with pytest.raises(CosmosResourceExistsError):
        account.database.create_container(container.id, partition_key=key)

    account.database.delete_container(container.id)
    assert status_of(container.read) == 404


def test_a_deleted_container_takes_its_items_with_it(account):
    container = account.new_container()
    container.create_item({"id": "1", "pk": "a"})
    account.database.delete_container(container.id)

    again = account.database.create_container(container.id, partition_key=PartitionKey("/pk"))

    assert list(again.read_all_items()) == []


def test_a_container_option_that_would_be_ignored_is_refused(account):
    assert status_of(lambda: account.new_container(analytical_storage_ttl=-1)) == 501
    assert status_of(lambda: account.new_container(indexing_policy={"indexingMode": "none"})) == 501
    assert (
        status_of(lambda: account.new_container(partition_key=PartitionKey("/pk", version=1)))
        == 501
    )


def test_a_stored_procedure_is_refused(account):
    container = account.new_container()

    assert (
        status_of(lambda: container.scripts.create_stored_procedure({"id": "p", "body": "x"}))
        == 501
    )


def test_a_session_client_learns_session_tokens():
    with local_account(4, consistency_level="Session") as account:
        container = account.new_container()
        container.create_item({"id": "1", "pk": "a"})

        session = account.client.client_connection.session.session_container

    learnt = [token for tokens in session.rid_to_session_token.values() for token in tokens]
    assert learnt


def test_a_file_keeps_everything_across_a_restart(tmp_path):
    file = tmp_path / "account.sqlite"
    with CosmosGateway(file, 4) as gateway, serve(gateway) as server, connect(server.url) as client:
        container = client.create_database("db").create_container("c", PartitionKey("/pk"))
        etag = container.create_item({"id": "1", "pk": "a"})["_etag"]
        list(container.query_items_change_feed(start_time="Beginning", partition_key="a"))
        token = container.client_connection.last_response_headers["etag"]

    with CosmosGateway(file, 4) as gateway, serve(gateway) as server, connect(server.url) as client:
        container = client.get_database_client("db").get_container_client("c")
        container.create_item({"id": "2", "pk": "a"})

        assert container.read_item("1", "a")["_etag"] == etag
        later = container.query_items_change_feed(continuation=token)
        assert [item["id"] for item in later] == ["2"]


def test_a_file_does_not_open_with_another_number_of_partitions(tmp_path):
    CosmosGateway(tmp_path / "account.sqlite", 4).close()

    with pytest.raises(ValueError, match="made with 4 partition"):
        CosmosGateway(tmp_path / "account.sqlite", 1)


@pytest.mark.parametrize("partitions", [0, -1, 33])
def test_the_number_of_partitions_is_bounded(partitions):
    with pytest.raises(ValueError, match="partitions"):
        CosmosGateway(partitions=partitions)


def test_a_gateway_is_served_again_after_its_server_was_closed():
    with CosmosGateway() as gateway:
        with serve(gateway) as server, connect(server.url) as client:
            client.create_database("db")
            port = int(server.url.rstrip("/").rpartition(":")[2])
        with serve(gateway, port) as server, connect(server.url) as client:
            assert [database["id"] for database in client.list_databases()] == ["db"]


def test_the_wire_log_has_a_line_for_each_request_and_no_signature(tmp_path):
    log = tmp_path / "wire.jsonl"
    with (
        CosmosGateway() as gateway,
        serve(gateway, wire_log=log) as server,
        connect(server.url) as client,
    ):
        client.create_database("db")

    lines = [json.loads(line) for line in log.read_text().splitlines()]
    exchanges = {(line["verb"], line["target"], line["status"]) for line in lines}
    assert {("GET", "/", 200), ("POST", "/dbs", 201)} <= exchanges
    assert "authorization" not in lines[0]["headers"]
    assert "sig%3d" not in log.read_text().lower()


class Process:
    """The gateway as a program, started and ended by its own process id."""

    def __init__(self, *arguments):
        self.popen = subprocess.Popen(
            [sys.executable, "-m", "cell_devstack.cosmos", *map(str, arguments)],
            stdout=subprocess.PIPE,
            text=True,
        )
        self.watchdog = threading.Timer(20, self.popen.kill)
        self.watchdog.start()
        word, _, self.url = self.popen.stdout.readline().strip().partition(" ")
        assert word == "listening"

    def __enter__(self):
        return self

    def __exit__(self, *_exc):
        self.watchdog.cancel()
        self.popen.kill()
        self.popen.wait(10)
        self.popen.stdout.close()


def test_a_killed_process_loses_no_acknowledged_write(tmp_path):
    file = tmp_path / "account.sqlite"
    with Process("--file", file, "--partitions", 4) as process, connect(process.url) as client:
        container = client.create_database("db").create_container("c", PartitionKey("/pk"))
        for number in range(20):
            container.create_item({"id": str(number), "pk": "a"})
        process.popen.send_signal(signal.SIGKILL)
        process.popen.wait(10)

    with CosmosGateway(file, 4) as gateway, serve(gateway) as server, connect(server.url) as client:
        container = client.get_database_client("db").get_container_client("c")
        assert len(list(container.read_all_items())) == 20


def test_the_program_serves_the_key_it_is_given_and_ends_cleanly_when_told_to():
    key = base64.b64encode(b"k" * 64).decode()

    with Process("--key", key) as process, connect(process.url, key) as client:
        client.create_database("db")
        process.popen.send_signal(signal.SIGTERM)

        assert process.popen.wait(10) == 0
