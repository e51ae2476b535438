# The worker: the zip, on Flex Consumption, behind https and a list of callers.

locals {
  state_settings = {
    CELL_COSMOS_ENDPOINT  = azurerm_cosmosdb_account.state.endpoint
    CELL_COSMOS_DATABASE  = azurerm_cosmosdb_sql_database.cell.name
    CELL_COSMOS_CONTAINER = azurerm_cosmosdb_sql_container.state.name
  }

  # Without a known edge there is no public way in: callers come by the private address.
  is_public = length(var.edge_cidrs) > 0 || !var.private_network
}

resource "azurerm_function_app_flex_consumption" "worker" {
  name                = local.names.worker
  resource_group_name = local.group
  location            = local.location
  service_plan_id     = azurerm_service_plan.cell["worker"].id
  tags                = local.contract_tags

  runtime_name           = var.runtime.language
  runtime_version        = var.runtime.version
  instance_memory_in_mb  = var.limits.memory_mb
  maximum_instance_count = var.limits.max_concurrency
  http_concurrency       = var.azure_requests_per_instance

  storage_container_type            = "blobContainer"
  storage_container_endpoint        = "${azurerm_storage_account.host.primary_blob_endpoint}${azurerm_storage_container.packages["worker"].name}"
  storage_authentication_type       = "UserAssignedIdentity"
  storage_user_assigned_identity_id = azurerm_user_assigned_identity.worker.id

  https_only                                     = true
  public_network_access_enabled                  = local.is_public
  webdeploy_publish_basic_authentication_enabled = false
  client_certificate_mode                        = "Optional"
  virtual_network_subnet_id                      = var.private_network ? azurerm_subnet.workers["cell"].id : null

  app_settings = merge(local.contract_environment, local.state_settings, local.host_settings["worker"])

  identity {
    type         = "UserAssigned"
    identity_ids = [azurerm_user_assigned_identity.worker.id]
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

    dynamic "ip_restriction" {
      for_each = var.edge_cidrs

      content {
        name       = "edge-${ip_restriction.key}"
        action     = "Allow"
        priority   = 100 + ip_restriction.key
        ip_address = ip_restriction.value
      }
    }

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
