data "aws_caller_identity" "current" {}

data "aws_partition" "current" {}

locals {
  account   = data.aws_caller_identity.current.account_id
  partition = data.aws_partition.current.partition

  # The processor that the zips' libraries are compiled for.
  architecture = "x86_64"

  with_relay   = var.relay_package.path != ""
  with_api     = var.aws_ingress == "http_api"
  with_network = var.private_network
  with_egress  = var.private_network && var.aws_standby_egress

  functions = merge(
    {
      worker = {
        name        = "${var.cell_id}-worker"
        description = "Serves the tenants of cell ${var.cell_id}."
        package     = var.worker_package
        handler     = "worker.handler"
        concurrency = var.limits.max_concurrency
        timeout_s   = var.limits.timeout_s
      }
    },
    local.with_relay ? {
      relay = {
        name        = "${var.cell_id}-relay"
        description = "Carries the changes of cell ${var.cell_id} to the lake."
        package     = var.relay_package
        handler     = "relay.handler"
        # The stream's shards are read by one invocation each; this bounds what they may take.
        concurrency = 16
        timeout_s   = local.contract_relay_timeout_s
      }
    } : {}
  )

  # The contract's settings, and what only this cloud needs.
  environment = {
    worker = merge(local.contract_environment, {
      CELL_TABLE   = aws_dynamodb_table.state.name
      CELL_TRACING = tostring(var.aws_tracing)
    })
    relay = merge(local.contract_relay_environment, {
      CELL_TABLE    = aws_dynamodb_table.state.name
      CELL_LAKE_URL = "s3://${aws_s3_bucket.cell.bucket}/lake"
    })
  }
}
