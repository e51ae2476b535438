# What every worker's environment holds, whatever its cloud. Like variables.contract.tf it stands
# byte for byte in three modules. A cloud adds its own names (a table, an account) and no others; a
# test compares all of them with what the bootstraps read. CELL_LOCAL is never among them.

locals {
  contract_environment = {
    CELL_ID                      = var.cell_id
    CELL_ORDINAL                 = tostring(var.ordinal)
    CELL_GRANT_KEYS              = jsonencode(jsondecode(var.auth.jwks))
    CELL_LOG_LEVEL               = var.log_level
    CELL_STORE_CONNECT_TIMEOUT_S = tostring(var.store_timeouts_s.connect)
    CELL_STORE_READ_TIMEOUT_S    = tostring(var.store_timeouts_s.read)
  }

  contract_tags = merge(var.tags, {
    cell         = var.cell_id
    "managed-by" = "terraform"
  })
}
