"""A zip alone is enough: it imports with the network unplugged, compiles nothing and is light."""

import json
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from tools import bundle

# One worker makes what these tests share.
pytestmark = pytest.mark.xdist_group("bundle")

cells = pytest.mark.parametrize("built", bundle.CELLS, indirect=True, ids=lambda each: each.name)

# Never needed to answer a request, and each costs a cold start tens of milliseconds of CPU.
_HEAVY = {
    "aws_worker": ["aws_xray_sdk", "aws_lambda_powertools.event_handler", "boto3.s3"],
    "azure_worker": ["azure.cosmos.aio._cosmos_client_connection_async", "azure.identity", "msal"],
}
# The discard port: nothing listens there.
_NOWHERE = {
    "CELL_LOCAL": "true",
    "CELL_COSMOS_ENDPOINT": "http://127.0.0.1:9/",
    "CELL_COSMOS_KEY": "bm9ib2R5",
    "CELL_DYNAMODB_ENDPOINT": "http://127.0.0.1:9/",
    "AWS_ACCESS_KEY_ID": "nobody",
    "AWS_SECRET_ACCESS_KEY": "nobody",
}
_ASK = {
    "aws_worker": """
import worker
class Context:
    function_name = memory_limit_in_mb = invoked_function_arn = aws_request_id = "1"
event = {
    "version": "2.0", "rawPath": "/readyz", "rawQueryString": "", "headers": {},
    "requestContext": {"http": {"method": "GET", "path": "/readyz"}}, "isBase64Encoded": False,
}
print(worker.handler(event, Context())["statusCode"])
""",
    "azure_worker": """
import azure.functions, function_app
functions = {each.get_function_name(): each for each in function_app.app.get_functions()}
request = azure.functions.HttpRequest("GET", "https://cell/api/readyz", headers={}, body=b"")
print(functions["serve"].get_user_function()(request).status_code)
""",
}


# What is loaded at the first request, or only with a setting: it must be there all the same.
_LATE = {
    "aws_worker": """
import boto3
boto3.client("dynamodbstreams", region_name="eu-west-1")
from aws_lambda_powertools import Tracer
Tracer(service="x", auto_patch=False)
print("loaded")
""",
    "azure_worker": """
from azure.cosmos import CosmosClient, PartitionKey
from azure.cosmos.exceptions import CosmosBatchOperationError
from azure.identity import ManagedIdentityCredential
ManagedIdentityCredential()
print("loaded")
""",
}


@pytest.fixture
def service():
    """A service that answers `{}` to everything; yields its address and the calls it saw."""
    seen = []

    class Answer(BaseHTTPRequestHandler):
        def do_POST(self):
            self.rfile.read(int(self.headers["content-length"]))
            seen.append(self.headers["x-amz-target"])
            self.send_response(200)
            self.send_header("content-length", "2")
            self.end_headers()
            self.wfile.write(b"{}")

        def log_message(self, *parts):
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Answer)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield f"http://127.0.0.1:{server.server_address[1]}", seen
    server.shutdown()
    thread.join()
    server.server_close()


@cells
def test_it_imports_with_the_network_unplugged_and_compiles_nothing(built):
    printed = built.run(f"import {built.deployable.entry_module}; print('imported')")

    assert printed == "imported\n"


@cells
def test_importing_it_loads_no_module_that_a_request_does_not_need(built):
    module = built.deployable.entry_module

    loaded = json.loads(built.run(f"import {module}; print(json.dumps(sorted(sys.modules)))"))

    assert [name for name in _HEAVY[built.deployable.name] if name in loaded] == []


@cells
def test_with_its_database_down_it_answers_503_rather_than_crash(built):
    printed = built.run(_ASK[built.deployable.name], env=_NOWHERE)

    assert printed.splitlines()[-1] == "503"


@cells
def test_core_imports_from_the_zip_alone(built):
    printed = built.run("import cell_core, pydantic, jwt; print(cell_core.__file__)")

    assert printed.strip().startswith(str(built.libraries))


@pytest.mark.parametrize("built", bundle.CELLS[:1], indirect=True, ids=["aws_worker"])
def test_the_services_that_were_kept_still_work(built, service):
    url, seen = service

    printed = built.run(f"""
import botocore.session
session = botocore.session.Session()
session.set_credentials("id", "secret")
def client(name):
    return session.create_client(name, region_name="eu-west-1", endpoint_url={url!r})
client("dynamodb").list_tables()
client("dynamodb").get_paginator("query")
client("dynamodb").get_waiter("table_exists")
client("dynamodbstreams").list_streams()
print(session.create_client("dynamodb", region_name="eu-west-1").meta.endpoint_url)
print(session.create_client("sts", region_name="eu-west-1").meta.endpoint_url)
""")

    assert seen == ["DynamoDB_20120810.ListTables", "DynamoDBStreams_20120810.ListStreams"]
    assert [line.partition("//")[2].partition(".")[0] for line in printed.split()] == [
        "dynamodb",
        "sts",
    ]


@pytest.mark.parametrize("built", bundle.CELLS[1:], indirect=True, ids=["azure_worker"])
def test_the_azure_libraries_import_from_the_zip_alone(built):
    printed = built.run("""
import azure.cosmos, azure.functions, azure.identity
print(azure.cosmos.CosmosClient.__name__, azure.identity.ManagedIdentityCredential.__name__)
""")

    assert printed == "CosmosClient ManagedIdentityCredential\n"


@cells
def test_what_is_loaded_late_is_there(built):
    assert built.run(_LATE[built.deployable.name]).strip().endswith("loaded")
