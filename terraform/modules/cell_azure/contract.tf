# The cell's document. What it says was read from the resources above, not from the inputs.

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

  cloud = "azure"

  endpoint = {
    # The Functions host serves below /api; nothing in front of the worker wants this header.
    base_url     = "https://${azurerm_function_app_flex_consumption.app["worker"].default_hostname}/api"
    grant_header = "authorization"
  }

  environment = azurerm_function_app_flex_consumption.app["worker"].app_settings

  found = {
    runtime            = "${azurerm_function_app_flex_consumption.app["worker"].runtime_name}${azurerm_function_app_flex_consumption.app["worker"].runtime_version}"
    package_sha256     = terraform_data.package["worker"].output.sha256
    memory_mb          = azurerm_function_app_flex_consumption.app["worker"].instance_memory_in_mb
    timeout_s          = sum([for at, part in split(":", azurerm_function_app_flex_consumption.app["worker"].app_settings["AzureFunctionsJobHost__functionTimeout"]) : tonumber(part) * pow(60, 2 - at)])
    max_concurrency    = azurerm_function_app_flex_consumption.app["worker"].maximum_instance_count
    partition_key      = one(azurerm_cosmosdb_sql_container.state.partition_key_paths)
    logs_days          = azurerm_log_analytics_workspace.cell.retention_in_days
    backup_days        = tonumber(trimsuffix(trimprefix(azurerm_cosmosdb_account.state.backup[0].tier, "Continuous"), "Days"))
    deletion_protected = length(azurerm_management_lock.cell) > 0
  }

  resources = {
    worker = azurerm_function_app_flex_consumption.app["worker"].name
    relay  = try(azurerm_function_app_flex_consumption.app["relay"].name, "")
    state  = azurerm_cosmosdb_account.state.name
    lake   = local.lake_url
    logs   = azurerm_log_analytics_workspace.cell.name
    key    = try(var.azure_customer_key.key_id, "")
  }
}
