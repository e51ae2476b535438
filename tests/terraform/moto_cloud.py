"""An AWS that keeps what it is told, on 127.0.0.1: moto's server, as a child process.

What it forgets is said where it matters (`FORGOTTEN`); what it cannot do at all is left out of the
configuration that is applied to it, and said in `UNKNOWN_HERE`.
"""

import os
from pathlib import Path
from typing import Any, Final, Self

import boto3

from cell_devstack.held_port import HeldPort
from cell_devstack.process import ChildProcess, PythonProgram
from tests.terraform import providers

REGION: Final = "us-east-1"
ACCOUNT: Final = "123456789012"

UNKNOWN_HERE: Final = {
    "modules/cell_aws/main.budget_override.tf": """
# moto makes budgets, but can say neither who hears of them nor their tags.
resource "aws_budgets_budget" "cell" {
  count = 0
}
""",
    "modules/cell_aws/main.bucket_override.tf": """
# moto reads no conditions in a bucket's policy: "nobody without TLS" would be nobody at all.
resource "aws_s3_bucket_policy" "cell" {
  count = 0
}
""",
}
"""Overrides of what moto has no answer to; the modules' own tests look at it instead."""

FORGOTTEN: Final = frozenset(
    {
        # Where the log goes, in which form, and the dead letters' queue.
        'module.cell.aws_lambda_function.function["worker"]',
        'module.cell.aws_lambda_function.function["relay"]',
        # They stand on a version, which the functions above would publish anew.
        'module.cell.aws_lambda_alias.live["worker"]',
        'module.cell.aws_lambda_alias.live["relay"]',
        # The key that its filter is encrypted with, and the alias it was given.
        "module.cell.aws_lambda_event_source_mapping.changes[0]",
        # That a bucket's events go to EventBridge.
        "module.cell.aws_s3_bucket_notification.cell",
        # Tags of a rule.
        'module.cell.aws_vpc_security_group_egress_rule.gateway["dynamodb"]',
        'module.cell.aws_vpc_security_group_egress_rule.gateway["s3"]',
    }
)
"""What a second plan would set again, because moto does not give it back as it was given."""

_SERVICES: Final = (
    "apigatewayv2", "budgets", "cloudwatch", "cloudwatchevents", "cloudwatchlogs", "dynamodb",
    "ec2", "iam", "kms", "lambda", "s3", "sns", "sqs", "sts",
)  # fmt: skip


class MotoCloud:
    """The server; a context manager."""

    def __init__(self, folder: Path) -> None:
        """Prepare it; its log goes to `folder`."""
        with HeldPort() as held:
            self._port = held.port
        self._folder = folder
        self.url = f"http://127.0.0.1:{self._port}"
        self._process: ChildProcess | None = None

    def __enter__(self) -> Self:
        program = PythonProgram(
            module="moto.server",
            arguments=["-H", "127.0.0.1", "-p", str(self._port)],
            python=str(providers.PYTHON),
            site_packages=True,
        )
        env = {"PATH": os.defpath, "HOME": str(self._folder), "LANG": "C.UTF-8"}
        log = self._folder / "moto.log"
        self._process = ChildProcess(program, env=env, cwd=self._folder, log_path=log)
        self._process.wait_for_port(self._port, timeout_s=60)
        return self

    def __exit__(self, *_exc: object) -> None:
        if self._process is not None:
            self._process.terminate()

    def client(self, service: str) -> Any:
        """Return a client of one of its services."""
        return boto3.client(
            service,
            region_name=REGION,
            endpoint_url=self.url,
            aws_access_key_id="local",
            aws_secret_access_key="local",
        )

    def override(self, *, ingress: str) -> str:
        """Return what makes the root talk to this server, with one of the two ways in."""
        endpoints = "\n".join(f'    {service} = "{self.url}"' for service in _SERVICES)
        principals = f'["arn:aws:iam::{ACCOUNT}:role/edge"]' if ingress == "function_url" else "[]"
        return f"""
terraform {{
  backend "local" {{}}
}}

provider "aws" {{
  access_key              = "local"
  secret_key              = "local"
  skip_metadata_api_check = true
  s3_use_path_style       = true

  endpoints {{
{endpoints}
  }}
}}

module "cell" {{
  aws_ingress        = "{ingress}"
  aws_url_principals = {principals}
}}
"""
