# The contract is held against what the resources say of themselves.

module "contract" {
  source = "../cell_contract"

  cell_id            = var.cell_id
  ordinal            = var.ordinal
  region             = var.region
  worker_package     = var.worker_package
  relay_package      = var.relay_package
  runtime            = var.runtime
  limits             = var.limits
  auth               = var.auth
  keys               = var.keys
  routes             = var.routes
  retention          = var.retention
  alarms             = var.alarms
  budget_usd_monthly = var.budget_usd_monthly
  log_level          = var.log_level
  store_timeouts_s   = var.store_timeouts_s
  private_network    = var.private_network
  network_cidr       = var.network_cidr
  edge_cidrs         = var.edge_cidrs
  protect            = var.protect
  tags               = var.tags

  cloud = "aws"

  endpoint = {
    base_url     = trimsuffix(local.with_api ? aws_apigatewayv2_api.cell[0].api_endpoint : aws_lambda_function_url.worker[0].function_url, "/")
    grant_header = local.with_api ? "authorization" : "x-cell-grant"
  }

  environment = aws_lambda_function.function["worker"].environment[0].variables

  found = {
    runtime            = aws_lambda_function.function["worker"].runtime
    package_sha256     = aws_lambda_function.function["worker"].source_code_hash == filebase64sha256(var.worker_package.path) ? trimsuffix(trimprefix(aws_lambda_function.function["worker"].s3_key, "packages/worker-"), ".zip") : ""
    memory_mb          = aws_lambda_function.function["worker"].memory_size
    timeout_s          = aws_lambda_function.function["worker"].timeout
    max_concurrency    = aws_lambda_function.function["worker"].reserved_concurrent_executions
    partition_key      = aws_dynamodb_table.state.hash_key
    logs_days          = aws_cloudwatch_log_group.function["worker"].retention_in_days
    backup_days        = aws_dynamodb_table.state.point_in_time_recovery[0].enabled ? aws_dynamodb_table.state.point_in_time_recovery[0].recovery_period_in_days : 0
    deletion_protected = aws_dynamodb_table.state.deletion_protection_enabled
  }

  resources = {
    worker = aws_lambda_function.function["worker"].function_name
    relay  = local.with_relay ? aws_lambda_function.function["relay"].function_name : ""
    state  = aws_dynamodb_table.state.name
    lake   = aws_s3_bucket.cell.bucket
    logs   = aws_cloudwatch_log_group.function["worker"].name
    key    = aws_kms_key.cell.arn
  }
}
