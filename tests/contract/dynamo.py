"""DynamoDB clients and tables as the bindings need them; no test is in here."""

from typing import TYPE_CHECKING
from uuid import uuid4

import boto3
from botocore.config import Config

from cell_devstack.dynamodb import create_table

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient

TRY_ONCE = Config(
    connect_timeout=1,
    read_timeout=10,
    retries={"total_max_attempts": 1},
    max_pool_connections=16,
)
"""What a store needs of its client: it alone decides what may be tried again."""


def dynamo_client(url: str | None = None) -> "DynamoDBClient":
    """Return a client for a stand-in, with credentials of nobody."""
    return boto3.client(
        "dynamodb",
        endpoint_url=url,
        region_name="us-east-1",
        aws_access_key_id="local",
        aws_secret_access_key="local",
        config=TRY_ONCE,
    )


def new_table(client: "DynamoDBClient") -> str:
    """Create a cell's table of a new name and return the name."""
    name = f"cell-{uuid4().hex}"
    create_table(client, name)
    return name
