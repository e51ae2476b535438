# Logs: encrypted with the cell's key, kept as long as the contract says.

resource "aws_cloudwatch_log_group" "function" {
  for_each = local.functions

  name              = "/aws/lambda/${each.value.name}"
  retention_in_days = var.retention.logs_days
  kms_key_id        = aws_kms_key.cell.arn
  tags              = local.contract_tags
}

resource "aws_cloudwatch_log_group" "ingress" {
  count = local.with_api ? 1 : 0

  name              = "/aws/apigateway/${var.cell_id}"
  retention_in_days = var.retention.logs_days
  kms_key_id        = aws_kms_key.cell.arn
  tags              = local.contract_tags
}

resource "aws_cloudwatch_log_group" "network" {
  count = local.with_network ? 1 : 0

  name              = "/aws/vpc/${var.cell_id}"
  retention_in_days = var.retention.logs_days
  kms_key_id        = aws_kms_key.cell.arn
  tags              = local.contract_tags
}
