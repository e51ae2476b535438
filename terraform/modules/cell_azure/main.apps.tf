# Worker and relay: the zips, on Flex Consumption, behind https and a list of callers.

resource "azurerm_service_plan" "app" {
  # checkov:skip=CKV_AZURE_212:Flex Consumption has no fixed instances: it starts what is needed, in every zone.
  # One app a plan is what Flex Consumption takes.
  for_each = local.apps

  name                   = each.key
  resource_group_name    = local.group
  location               = local.location
  os_type                = "Linux"
  sku_name               = "FC1"
  zone_balancing_enabled = var.azure_zone_redundant
  tags                   = local.contract_tags
}

resource "azurerm_function_app_flex_consumption" "app" {
  for_each = local.apps

  name                = each.value.name
  resource_group_name = local.group
  location            = local.location
  service_plan_id     = azurerm_service_plan.app[each.key].id
  tags                = local.contract_tags

  runtime_name           = var.runtime.language
  runtime_version        = var.runtime.version
  instance_memory_in_mb  = var.limits.memory_mb
  maximum_instance_count = each.value.instances
  http_concurrency       = each.value.at_once

  storage_container_type            = "blobContainer"
  storage_container_endpoint        = "${azurerm_storage_account.account["host"].primary_blob_endpoint}${azurerm_storage_container.container["${each.key}-package"].name}"
  storage_authentication_type       = "UserAssignedIdentity"
  storage_user_assigned_identity_id = azurerm_user_assigned_identity.app[each.key].id

  https_only                                     = true
  public_network_access_enabled                  = each.value.is_public || length(var.azure_deployer_cidrs) > 0 || !var.private_network
  webdeploy_publish_basic_authentication_enabled = false
  client_certificate_mode                        = "Optional"
  virtual_network_subnet_id                      = var.private_network ? azurerm_subnet.workers[0].id : null

  app_settings = local.environment[each.key]

  identity {
    type         = "UserAssigned"
    identity_ids = [azurerm_user_assigned_identity.app[each.key].id]
  }

  site_config {
    minimum_tls_version                    = "1.2"
    scm_minimum_tls_version                = "1.2"
    http2_enabled                          = true
    remote_debugging_enabled               = false
    websockets_enabled                     = false
    vnet_route_all_enabled                 = var.private_network
    application_insights_connection_string = azurerm_application_insights.cell.connection_string

    # Who is not named is refused, where requests come in and where packages do.
    ip_restriction_default_action     = "Deny"
    scm_ip_restriction_default_action = "Deny"
    scm_use_main_ip_restriction       = false

    dynamic "ip_restriction" {
      for_each = each.value.callers

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
