# What the Functions host needs: a plan, and a storage account that opens to identities only.

resource "azurerm_service_plan" "cell" {
  for_each = merge({ worker = true }, local.relays)

  # Flex Consumption takes one app for each plan.
  name                   = each.key
  resource_group_name    = local.group
  location               = local.location
  os_type                = "Linux"
  sku_name               = "FC1"
  zone_balancing_enabled = var.azure_zone_redundant
  tags                   = local.contract_tags
}

resource "azurerm_storage_account" "host" {
  name                     = local.names.host
  resource_group_name      = local.group
  location                 = local.location
  account_tier             = "Standard"
  account_replication_type = local.replication
  account_kind             = "StorageV2"
  tags                     = local.contract_tags

  https_traffic_only_enabled       = true
  min_tls_version                  = "TLS1_2"
  shared_access_key_enabled        = false
  default_to_oauth_authentication  = true
  allow_nested_items_to_be_public  = false
  cross_tenant_replication_enabled = false
  local_user_enabled               = false
  public_network_access_enabled    = !var.private_network

  network_rules {
    default_action = var.private_network ? "Deny" : "Allow"
    bypass         = ["None"]
  }

  blob_properties {
    delete_retention_policy {
      days = var.retention.backup_days
    }

    container_delete_retention_policy {
      days = var.retention.backup_days
    }
  }
}

resource "azurerm_storage_container" "packages" {
  for_each = merge({ worker = true }, local.relays)

  name                  = "${each.key}-package"
  storage_account_id    = azurerm_storage_account.host.id
  container_access_type = "private"
}

locals {
  replication = var.azure_zone_redundant ? "ZRS" : "LRS"
  # As long as the relay's own zip does not exist, there is none of this.
  relays = local.has_relay ? { relay = true } : {}

  # Identity-based storage: the three settings stand where a connection string would.
  host_settings = {
    for name, identity in local.identities : name => {
      AzureWebJobsStorage__accountName          = azurerm_storage_account.host.name
      AzureWebJobsStorage__credential           = "managedidentity"
      AzureWebJobsStorage__clientId             = identity.client_id
      APPLICATIONINSIGHTS_AUTHENTICATION_STRING = "Authorization=AAD;ClientId=${identity.client_id}"
      AZURE_CLIENT_ID                           = identity.client_id
      # Over what host.json in the zip says, so that the contract's number is the one that holds.
      AzureFunctionsJobHost__functionTimeout = formatdate("hh:mm:ss", timeadd("2000-01-01T00:00:00Z", "${var.limits.timeout_s}s"))
    }
  }
}
