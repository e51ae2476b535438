# The relay: follows the state's change feed, keeps its place in leases, and writes the lake.

locals {
  leases_request_units_max = local.has_relay ? 1000 : 0

  relay_settings = {
    for name, identity in local.identities : name => {
      # The trigger's connection is these three settings, and no connection string.
      CELL_COSMOS__accountEndpoint = azurerm_cosmosdb_account.state.endpoint
      CELL_COSMOS__credential      = "managedidentity"
      CELL_COSMOS__clientId        = identity.client_id
      CELL_COSMOS_LEASES           = local.names.leases
      CELL_LAKE_URL                = local.lake_url
    } if name == "relay"
  }
}

resource "azurerm_cosmosdb_sql_container" "leases" {
  for_each = local.relays

  name                = local.names.leases
  resource_group_name = local.group
  account_name        = azurerm_cosmosdb_account.state.name
  database_name       = azurerm_cosmosdb_sql_database.cell.name
  partition_key_paths = ["/id"]

  autoscale_settings {
    max_throughput = local.leases_request_units_max
  }
}

resource "azurerm_function_app_flex_consumption" "relay" {
  for_each = local.relays

  name                = local.names.relay
  resource_group_name = local.group
  location            = local.location
  service_plan_id     = azurerm_service_plan.cell["relay"].id
  tags                = local.contract_tags

  runtime_name           = var.runtime.language
  runtime_version        = var.runtime.version
  instance_memory_in_mb  = var.limits.memory_mb
  maximum_instance_count = var.limits.max_concurrency

  storage_container_type            = "blobContainer"
  storage_container_endpoint        = "${azurerm_storage_account.host.primary_blob_endpoint}${azurerm_storage_container.packages["relay"].name}"
  storage_authentication_type       = "UserAssignedIdentity"
  storage_user_assigned_identity_id = azurerm_user_assigned_identity.relay["relay"].id

  # Nobody calls it: it is woken by the feed. Packages come as the worker's do.
  https_only                                     = true
  public_network_access_enabled                  = length(var.azure_deployer_cidrs) > 0 || !var.private_network
  webdeploy_publish_basic_authentication_enabled = false
  client_certificate_mode                        = "Optional"
  virtual_network_subnet_id                      = var.private_network ? azurerm_subnet.workers["cell"].id : null

  app_settings = merge(
    local.contract_environment, local.state_settings, local.relay_settings["relay"], local.host_settings["relay"],
  )

  identity {
    type         = "UserAssigned"
    identity_ids = [azurerm_user_assigned_identity.relay["relay"].id]
  }

  site_config {
    minimum_tls_version                    = "1.2"
    scm_minimum_tls_version                = "1.2"
    http2_enabled                          = true
    remote_debugging_enabled               = false
    websockets_enabled                     = false
    vnet_route_all_enabled                 = var.private_network
    application_insights_connection_string = azurerm_application_insights.cell.connection_string

    ip_restriction_default_action     = "Deny"
    scm_use_main_ip_restriction       = false
    scm_ip_restriction_default_action = "Deny"

    dynamic "scm_ip_restriction" {
      for_each = var.azure_deployer_cidrs

      content {
        name       = "deployer-${scm_ip_restriction.key}"
        action     = "Allow"
        priority   = 100 + scm_ip_restriction.key
        ip_address = scm_ip_restriction.value
      }
    }
  }
}
