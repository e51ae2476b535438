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
      }
    } : {}
  )

  # One source for every function's settings: the contract's, and what only this cloud needs.
  environment = merge(local.contract_environment, {
    CELL_TABLE   = aws_dynamodb_table.state.name
    CELL_TRACING = tostring(var.aws_tracing)
  })
}
