# Where logs go, who writes them (identities), and for how long they stay.

resource "azurerm_log_analytics_workspace" "cell" {
  name                = "logs-${var.cell_id}"
  resource_group_name = local.group
  location            = local.location
  sku                 = "PerGB2018"
  retention_in_days   = var.retention.logs_days
  # A flood of logs must not cost more than the cell.
  daily_quota_gb               = var.azure_logs_gb_daily
  local_authentication_enabled = false
  tags                         = local.contract_tags
}

resource "azurerm_application_insights" "cell" {
  name                         = "traces-${var.cell_id}"
  resource_group_name          = local.group
  location                     = local.location
  workspace_id                 = azurerm_log_analytics_workspace.cell.id
  application_type             = "web"
  retention_in_days            = var.retention.logs_days
  disable_ip_masking           = false
  local_authentication_enabled = false
  tags                         = local.contract_tags
}

locals {
  # What is kept of each part: who changed it, what was read, how large partitions grow.
  diagnostics = merge({
    state = {
      id      = azurerm_cosmosdb_account.state.id
      logs    = ["ControlPlaneRequests", "PartitionKeyStatistics"]
      metrics = ["Requests"]
    }
    }, {
    for name, account in azurerm_storage_account.account : name => {
      id      = "${account.id}/blobServices/default"
      logs    = ["StorageDelete", "StorageRead", "StorageWrite"]
      metrics = ["Transaction"]
    }
    }, {
    host-queues = {
      id      = "${azurerm_storage_account.account["host"].id}/queueServices/default"
      logs    = ["StorageDelete", "StorageRead", "StorageWrite"]
      metrics = ["Transaction"]
    }
    }, {
    for name, app in azurerm_function_app_flex_consumption.app : name => {
      id      = app.id
      logs    = ["AppServiceAuditLogs", "FunctionAppLogs"]
      metrics = ["AllMetrics"]
    }
  })
}

resource "azurerm_monitor_diagnostic_setting" "cell" {
  for_each = local.diagnostics

  name                           = "cell"
  target_resource_id             = each.value.id
  log_analytics_workspace_id     = azurerm_log_analytics_workspace.cell.id
  log_analytics_destination_type = each.key == "state" ? "Dedicated" : null

  dynamic "enabled_log" {
    for_each = each.value.logs

    content {
      category = enabled_log.value
    }
  }

  dynamic "enabled_metric" {
    for_each = each.value.metrics

    content {
      category = enabled_metric.value
    }
  }
}
