"""Security faults for the AWS cell, each with the check that must object.

The first group is caught by the contract, which fails the plan with a sentence; the second by the
module's own tests, by the sentence that an assertion says; the third by the scanner, by the number
of its rule and the resource. Within a group no two faults
touch the same place or wait for the same check, so that one run can judge all of them.
"""
# ruff: noqa: E501 - a change reads best as the one line that it is in the file

from dataclasses import dataclass
from typing import Final

from tests.terraform.tree import Fault

MODULE: Final = "modules/cell_aws"


@dataclass(frozen=True, slots=True, kw_only=True)
class Planted:
    """A fault.

    Attributes:
        caught_by: A sentence of an assertion, or a rule and a resource: `CKV_AWS_1 aws_x.y`.
    """

    file: str
    old: str
    new: str
    caught_by: str

    @property
    def fault(self) -> Fault:
        """The change, below `terraform/`."""
        return Fault(file=f"{MODULE}/{self.file}", old=self.old, new=self.new)


BY_CONTRACT: Final = {
    "the table can be deleted": Planted(
        file="main.state.tf",
        old="deletion_protection_enabled = var.protect",
        new="deletion_protection_enabled = false",
        caught_by="The state's protection against deletion is not what the contract says.",
    ),
    "backups for a week where a month was asked": Planted(
        file="main.state.tf",
        old="recovery_period_in_days = var.retention.backup_days",
        new="recovery_period_in_days = 7",
        caught_by="The state cannot be restored as far back as the contract says.",
    ),
}

BY_TESTS: Final = {
    "the table's key is AWS's own": Planted(
        file="main.state.tf",
        old="    kms_key_arn = aws_kms_key.cell.arn\n",
        new="",
        caught_by="The state is not encrypted with the cell's key.",
    ),
    "the key is gone in a week": Planted(
        file="main.keys.tf",
        old="var.protect ? 30 : 7",
        new="7",
        caught_by="The key is not rotated, or gone in days.",
    ),
    "the key is everybody's": Planted(
        file="main.keys.tf",
        old='Principal = { Service = "logs.${var.region}.amazonaws.com" }',
        new='Principal = { AWS = "*" }',
        caught_by="Somebody else may use the key.",
    ),
    "a service uses the key for other accounts": Planted(
        file="main.keys.tf",
        old='        Condition = { StringEquals = { "aws:SourceAccount" = local.account } }\n',
        new="",
        caught_by="A service may use the key for anybody.",
    ),
    "a wildcard in an action": Planted(
        file="main.access.tf",
        old='actions   = ["sqs:SendMessage"]',
        new='actions   = ["sqs:*"]',
        caught_by="A wildcard stands in an action.",
    ),
    "a statement for every resource": Planted(
        file="main.access.tf",
        old="resources = [aws_kms_key.cell.arn]",
        new='resources = ["*"]',
        caught_by="A statement names every resource.",
    ),
    "the worker scans": Planted(
        file="main.access.tf",
        old='"dynamodb:Query", ',
        new='"dynamodb:Query", "dynamodb:Scan", ',
        caught_by="The worker may do other things to the state than it does.",
    ),
    "the worker touches the lake": Planted(
        file="main.access.tf",
        old='for_each = each.key == "relay" ? [1] : []\n\n    content {\n      sid       = "AppendingToTheLake"',
        new='for_each = [1]\n\n    content {\n      sid       = "AppendingToTheLake"',
        caught_by="The worker may touch the lake.",
    ),
    "the relay reads rows": Planted(
        file="main.access.tf",
        old='lake/*/_delta_log/*"]\n    }\n  }\n\n  dynamic',
        new='lake/*"]\n    }\n  }\n\n  dynamic',
        caught_by="The relay may read rows.",
    ),
    "any gateway invokes the worker": Planted(
        file="main.ingress.tf",
        old='source_arn    = "${aws_apigatewayv2_api.cell[0].execution_arn}/*/*"',
        new='source_arn    = "arn:aws:execute-api:eu-central-1:111122223333:*/*"',
        caught_by="Another API may invoke the worker.",
    ),
    "the access log names tenants": Planted(
        file="main.ingress.tf",
        old='method     = "$context.httpMethod"',
        new='method     = "$context.path"',
        caught_by="The access log names tenants or people.",
    ),
    "no throttle": Planted(
        file="main.ingress.tf",
        old="throttling_burst_limit   = var.aws_throttle.burst",
        new="throttling_burst_limit   = 5000",
        caught_by="A flood would go through to the worker.",
    ),
    "a URL for everybody": Planted(
        file="main.ingress.tf",
        old="principal              = each.value",
        new='principal              = "*"',
        caught_by="The URL is open to everybody.",
    ),
    "logs for a month": Planted(
        file="main.logs.tf",
        old='name              = "/aws/vpc/${var.cell_id}"\n  retention_in_days = var.retention.logs_days',
        new='name              = "/aws/vpc/${var.cell_id}"\n  retention_in_days = 30',
        caught_by="A log is lost early, or readable.",
    ),
    "connections to anywhere": Planted(
        file="main.network.tf",
        old="prefix_list_id    = each.value.id",
        new='cidr_ipv4         = "0.0.0.0/0"',
        caught_by="Connections may go elsewhere than to the endpoints.",
    ),
    "a way out that nobody asked for": Planted(
        file="main.egress.tf",
        old='resource "aws_internet_gateway" "cell" {\n  count = local.with_egress ? 1 : 0',
        new='resource "aws_internet_gateway" "cell" {\n  count = 1',
        caught_by="There is a way out that was not asked for.",
    ),
    "from inside to every table": Planted(
        file="main.network.tf",
        old="resources = [aws_dynamodb_table.state.arn]",
        new='resources = ["*"]',
        caught_by="From inside, another table can be reached.",
    ),
    "a lake that a destroy empties": Planted(
        file="main.bucket.tf",
        old="force_destroy = !var.protect",
        new="force_destroy = true",
        caught_by="A destroy would take the lake's rows with it.",
    ),
    "the bucket without TLS": Planted(
        file="main.bucket.tf",
        old='sid       = "NobodyWithOldTls"\n    effect    = "Deny"',
        new='sid       = "NobodyWithOldTls"\n    effect    = "Allow"',
        caught_by="The lake can be reached without TLS 1.2.",
    ),
}

BY_SCANNER: Final = {
    "no point-in-time recovery": Planted(
        file="main.state.tf",
        old="  point_in_time_recovery {\n    enabled                 = true",
        new="  point_in_time_recovery {\n    enabled                 = false",
        caught_by="CKV_AWS_28 aws_dynamodb_table.state",
    ),
    "no encryption with an own key": Planted(
        file="main.state.tf",
        old="  server_side_encryption {\n    enabled     = true\n    kms_key_arn = aws_kms_key.cell.arn\n  }\n",
        new="",
        caught_by="CKV_AWS_119 aws_dynamodb_table.state",
    ),
    "a key that never rotates": Planted(
        file="main.keys.tf",
        old="enable_key_rotation     = true",
        new="enable_key_rotation     = false",
        caught_by="CKV_AWS_7 aws_kms_key.cell",
    ),
    "no limit of concurrency": Planted(
        file="main.functions.tf",
        old="  reserved_concurrent_executions = each.value.concurrency\n",
        new="",
        caught_by="CKV_AWS_115 aws_lambda_function.function",
    ),
    "no dead letters": Planted(
        file="main.functions.tf",
        old="  dead_letter_config {\n    target_arn = aws_sqs_queue.dead_letters.arn\n  }\n",
        new="",
        caught_by="CKV_AWS_116 aws_lambda_function.function",
    ),
    "settings in the clear": Planted(
        file="main.functions.tf",
        old="  kms_key_arn                    = aws_kms_key.cell.arn\n",
        new="",
        caught_by="CKV_AWS_173 aws_lambda_function.function",
    ),
    "a queue in the clear": Planted(
        file="main.functions.tf",
        old="  kms_master_key_id         = aws_kms_key.cell.arn\n",
        new="",
        caught_by="CKV_AWS_27 aws_sqs_queue.dead_letters",
    ),
    "a URL without a signature": Planted(
        file="main.ingress.tf",
        old='authorization_type = "AWS_IAM"',
        new='authorization_type = "NONE"',
        caught_by="CKV_AWS_258 aws_lambda_function_url.worker",
    ),
    "no access log": Planted(
        file="main.ingress.tf",
        old="access_log_settings {\n    destination_arn = aws_cloudwatch_log_group.ingress[0].arn",
        new='dynamic "access_log_settings" {\n    for_each = []\n    content {\n      destination_arn = ""\n      format = ""\n    }\n  }\n\n  route_settings {\n    route_key = "$default"\n  }\n}\n\nlocals {\n  unused = {',
        caught_by="CKV_AWS_76 aws_apigatewayv2_stage.default",
    ),
    "logs that anybody reads": Planted(
        file="main.logs.tf",
        old='name              = "/aws/lambda/${each.value.name}"\n  retention_in_days = var.retention.logs_days\n  kms_key_id        = aws_kms_key.cell.arn\n',
        new='name              = "/aws/lambda/${each.value.name}"\n  retention_in_days = var.retention.logs_days\n',
        caught_by="CKV_AWS_158 aws_cloudwatch_log_group.function",
    ),
    "a bucket that may be public": Planted(
        file="main.bucket.tf",
        old="block_public_policy     = true",
        new="block_public_policy     = false",
        caught_by="CKV_AWS_54 aws_s3_bucket_public_access_block.cell",
    ),
    "a bucket without versions": Planted(
        file="main.bucket.tf",
        old='versioning_configuration {\n    status = "Enabled"',
        new='versioning_configuration {\n    status = "Suspended"',
        caught_by="CKV_AWS_21 aws_s3_bucket.cell",
    ),
    "no flow log": Planted(
        file="main.network.tf",
        old='resource "aws_flow_log" "cell" {\n  count = local.with_network ? 1 : 0\n\n  vpc_id                   = aws_vpc.cell[0].id',
        new='resource "aws_flow_log" "cell" {\n  count = local.with_network ? 1 : 0\n\n  subnet_id                = aws_subnet.private[0].id',
        caught_by="CKV2_AWS_11 aws_vpc.cell",
    ),
    "subnets with public addresses": Planted(
        file="main.network.tf",
        old="map_public_ip_on_launch = false",
        new="map_public_ip_on_launch = true",
        caught_by="CKV_AWS_130 aws_subnet.private",
    ),
    "an alarm topic in the clear": Planted(
        file="main.alarms.tf",
        old="  kms_master_key_id = aws_kms_key.cell.arn\n",
        new="",
        caught_by="CKV_AWS_26 aws_sns_topic.alarms",
    ),
    "everything that a role can do": Planted(
        file="main.access.tf",
        old='actions   = ["kms:Decrypt", "kms:GenerateDataKey"]',
        new='actions   = ["*"]',
        caught_by="CKV_AWS_49 aws_iam_policy_document.function",
    ),
}
