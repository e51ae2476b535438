"""Deploys cell alpha into moto's AWS, looks at it, uses it, and takes it away: once, in order.

The tests then ask what was seen, in any order.
"""

import json
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

from cell_devstack.json_client import Answer
from cell_devstack.lambda_host import LambdaHost
from tests.terraform import tree
from tests.terraform.moto_cloud import ACCOUNT, REGION, UNKNOWN_HERE, MotoCloud
from tests.terraform.running import Terraform
from tests.terraform.serving import Keys, asked
from tools.local_zips import local_zips

ROOT: Final = "roots/alpha-aws"


@dataclass(slots=True)
class Seen:
    """What was there.

    Attributes:
        cell: The cell's document, as Terraform put it out.
        resources: The addresses of what was made.
        changes: What a second plan would change.
        answers: The zip's, started with the environment that Terraform gave the function.
        items: Sort keys in the table that Terraform made, after the zip had served.
        after: What each service listed when all was destroyed.
    """

    zip: Path
    terraform: Terraform
    cell: dict[str, Any] = field(default_factory=dict)
    resources: set[str] = field(default_factory=set)
    changes: set[str] = field(default_factory=set)
    read: dict[str, Any] = field(default_factory=dict)
    url: dict[str, Any] = field(default_factory=dict)
    url_cell: dict[str, Any] = field(default_factory=dict)
    environment: dict[str, str] = field(default_factory=dict)
    answers: dict[str, Answer] = field(default_factory=dict)
    items: set[str] = field(default_factory=set)
    after: dict[str, list[Any]] = field(default_factory=dict)


def deploy_and_look(folder: Path) -> Seen:
    """Return what was seen from the first `apply` to the last `destroy`."""
    copy = tree.copied(folder)
    for name, text in UNKNOWN_HERE.items():
        (copy / name).write_text(text)
    terraform = Terraform(copy / ROOT, folder)
    seen = Seen(zip=local_zips()["aws"], terraform=terraform)
    keys = Keys()
    _write_variables(copy / ROOT, seen.zip, keys)
    override = copy / ROOT / "moto_override.tf"
    with MotoCloud(folder) as cloud:
        override.write_text(cloud.override(ingress="http_api"))
        _done(terraform, "init")  # With the backend: the override makes it a local file.
        _done(terraform, "apply", "-auto-approve")
        seen.cell = terraform.output("cell")
        state = json.loads(_done(terraform, "show", "-json"))
        seen.resources = set(_addresses(state["values"]["root_module"]))
        seen.changes = _changes(terraform)
        seen.read = look(cloud, seen.cell)
        seen.environment = seen.read["function"]["Environment"]["Variables"]
        serve(seen, cloud, keys)
        override.write_text(cloud.override(ingress="function_url"))
        _done(terraform, "apply", "-auto-approve")
        seen.url = cloud.client("lambda").get_function_url_config(
            FunctionName=seen.cell["resources"]["worker"], Qualifier="live"
        )
        seen.url_cell = terraform.output("cell")
        _done(terraform, "destroy", "-auto-approve")
        seen.after = remains(cloud)
    return seen


def look(cloud: MotoCloud, cell: dict[str, Any]) -> dict[str, Any]:
    """Return what AWS's own interfaces say of the cell that Terraform described."""
    named = cell["resources"]
    table = {"TableName": named["state"]}
    live = {"FunctionName": named["worker"], "Qualifier": "live"}
    dynamodb, lambda_, s3 = (cloud.client(name) for name in ("dynamodb", "lambda", "s3"))
    gateway = cloud.client("apigatewayv2")
    [api] = gateway.get_apis()["Items"]
    bucket = {"Bucket": named["lake"]}
    return {
        "table": dynamodb.describe_table(**table)["Table"],
        "backups": dynamodb.describe_continuous_backups(**table)["ContinuousBackupsDescription"],
        "ttl": dynamodb.describe_time_to_live(**table)["TimeToLiveDescription"],
        "key": cloud.client("kms").describe_key(KeyId=named["key"])["KeyMetadata"],
        "rotation": cloud.client("kms").get_key_rotation_status(KeyId=named["key"]),
        "function": lambda_.get_function_configuration(**live),
        "alias": lambda_.get_alias(FunctionName=named["worker"], Name="live"),
        "mappings": lambda_.list_event_source_mappings()["EventSourceMappings"],
        "policy": json.loads(lambda_.get_policy(**live)["Policy"]),
        "api": api,
        "routes": gateway.get_routes(ApiId=api["ApiId"])["Items"],
        "integrations": gateway.get_integrations(ApiId=api["ApiId"])["Items"],
        "logs": cloud.client("logs").describe_log_groups()["logGroups"],
        "versioning": s3.get_bucket_versioning(**bucket),
        "public": s3.get_public_access_block(**bucket)["PublicAccessBlockConfiguration"],
        "encryption": s3.get_bucket_encryption(**bucket)["ServerSideEncryptionConfiguration"],
    }


def serve(seen: Seen, cloud: MotoCloud, keys: Keys) -> None:
    """Start the zip with the function's own environment, and let it work on Terraform's table."""
    local = {"CELL_LOCAL": "true", "CELL_DYNAMODB_ENDPOINT": cloud.url, "CELL_TRACING": "false"}
    with LambdaHost(seen.zip, {**seen.environment, **local}) as host:
        seen.answers = asked(host.base_url, seen.environment, keys)
    listed = cloud.client("dynamodb").scan(TableName=seen.cell["resources"]["state"])
    seen.items = {item["sk"]["S"] for item in listed["Items"]}


def remains(cloud: MotoCloud) -> dict[str, list[Any]]:
    """Return what is still there, by service; a key waits for its deletion and is not counted."""
    ec2 = cloud.client("ec2")
    return {
        "tables": cloud.client("dynamodb").list_tables()["TableNames"],
        "functions": cloud.client("lambda").list_functions()["Functions"],
        "apis": cloud.client("apigatewayv2").get_apis()["Items"],
        "buckets": cloud.client("s3").list_buckets()["Buckets"],
        "queues": cloud.client("sqs").list_queues().get("QueueUrls", []),
        "logs": cloud.client("logs").describe_log_groups()["logGroups"],
        "roles": cloud.client("iam").list_roles()["Roles"],
        "aliases of keys": [
            alias
            for alias in cloud.client("kms").list_aliases()["Aliases"]
            if not alias["AliasName"].startswith("alias/aws/")
        ],
        "networks": [vpc for vpc in ec2.describe_vpcs()["Vpcs"] if not vpc["IsDefault"]],
    }


def _write_variables(root: Path, worker: Path, keys: Keys) -> None:
    """Say which zips; any will do for the relay's, which nobody starts here."""
    zips = root / "zips"
    zips.mkdir()
    for name in ("aws_worker.zip", "aws_relay.zip"):
        (zips / name).write_bytes(worker.read_bytes())
    variables = {
        "account_id": ACCOUNT,
        "region": REGION,
        "package_dir": "zips",
        "with_relay": True,
        "alarm_emails": ["cells@example.com"],
        "grant_keys": keys.jwks,
        "protect": False,
    }
    (root / "terraform.tfvars.json").write_text(json.dumps(variables))


def _done(terraform: Terraform, *arguments: str) -> str:
    done = terraform.run(*arguments)
    assert done.code == 0, done.text[-6000:]
    return done.text


def _changes(terraform: Terraform) -> set[str]:
    _done(terraform, "plan", "-out=again.tfplan")
    plan = json.loads(_done(terraform, "show", "-json", "again.tfplan"))
    changes = plan.get("resource_changes", [])
    return {c["address"] for c in changes if c["change"]["actions"] not in (["no-op"], ["read"])}


def _addresses(module: dict[str, Any]) -> list[str]:
    own = [r["address"] for r in module.get("resources", []) if r["mode"] == "managed"]
    return own + [a for child in module.get("child_modules", []) for a in _addresses(child)]
