# What every cell's environment holds, whatever its cloud. Like variables.contract.tf it stands
# byte for byte in three modules. A cloud adds its own names (a table, an account) and no others; a
# test compares all of them with what the bootstraps read. CELL_LOCAL is never among them.

locals {
  contract_store_environment = {
    CELL_ID                      = var.cell_id
    CELL_ORDINAL                 = tostring(var.ordinal)
    CELL_LOG_LEVEL               = var.log_level
    CELL_STORE_CONNECT_TIMEOUT_S = tostring(var.store_timeouts_s.connect)
    CELL_STORE_READ_TIMEOUT_S    = tostring(var.store_timeouts_s.read)
  }

  # The worker's.
  contract_environment = merge(local.contract_store_environment, {
    CELL_GRANT_KEYS = jsonencode(jsondecode(var.auth.jwks))
  })

  # The relay's: it serves nobody, so it needs no keys. It publishes for so many of the 60 seconds
  # that an invocation may take; a cloud adds CELL_LAKE_URL.
  contract_relay_environment = merge(local.contract_store_environment, {
    CELL_RELAY_RUN_S = "45"
  })
  contract_relay_timeout_s = 60

  contract_tags = merge(var.tags, {
    cell         = var.cell_id
    "managed-by" = "terraform"
  })
}
