# What cannot be deleted while `protect` is on: the state and the lake, whoever tries.

resource "azurerm_management_lock" "cell" {
  for_each = var.protect ? {
    state = azurerm_cosmosdb_account.state.id
    lake  = azurerm_storage_account.account["lake"].id
    logs  = azurerm_log_analytics_workspace.cell.id
  } : {}

  name       = "protect"
  scope      = each.value
  lock_level = "CanNotDelete"
  notes      = "Set protect = false and apply, before you tear the cell down."
}
