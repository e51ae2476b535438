# Two storage accounts that open to identities only: the Functions host's, and the lake's.

locals {
  accounts = {
    host = {
      # The host renews its locks every few seconds; versions of those would be kept for nothing.
      versioned = false
    }
    lake = {
      versioned = true
    }
  }

  containers = merge(
    { lake = "lake" },
    { for app in keys(local.apps) : "${app}-package" => "host" },
  )
}

resource "azurerm_storage_account" "account" {
  # checkov:skip=CKV_AZURE_206:Three zones hold it (ZRS). Another region is another cell's: copies of tenants' data stay where the tenant was placed.
  # checkov:skip=CKV_AZURE_33:The rule reads classic logging of queues, which asks for an account key; a diagnostic setting logs the queues to the workspace instead (main.logs.tf).
  for_each = local.accounts

  name                     = local.names[each.key]
  resource_group_name      = local.group
  location                 = local.location
  account_tier             = "Standard"
  account_replication_type = var.azure_zone_redundant ? "ZRS" : "LRS"
  account_kind             = "StorageV2"
  # A hierarchical namespace has no versions of blobs (DEVIATIONS.md).
  is_hns_enabled = false
  tags           = local.contract_tags

  https_traffic_only_enabled        = true
  min_tls_version                   = "TLS1_2"
  shared_access_key_enabled         = false
  default_to_oauth_authentication   = true
  allow_nested_items_to_be_public   = false
  cross_tenant_replication_enabled  = false
  local_user_enabled                = false
  infrastructure_encryption_enabled = true
  public_network_access_enabled     = var.private_network ? false : true

  network_rules {
    default_action = var.private_network ? "Deny" : "Allow"
    bypass         = ["AzureServices"]
  }

  blob_properties {
    versioning_enabled = each.value.versioned

    delete_retention_policy {
      days = var.retention.backup_days
    }

    container_delete_retention_policy {
      days = var.retention.backup_days
    }
  }

  # Keys do not open it, so no signed URL can be made with one; this bounds those of users.
  sas_policy {
    expiration_period = "00.01:00:00"
    expiration_action = "Log"
  }

  dynamic "identity" {
    for_each = var.azure_customer_key == null ? [] : [var.azure_customer_key.identity_id]

    content {
      type         = "UserAssigned"
      identity_ids = [identity.value]
    }
  }

  dynamic "customer_managed_key" {
    for_each = var.azure_customer_key == null ? [] : [var.azure_customer_key]

    content {
      key_vault_key_id          = customer_managed_key.value.key_id
      user_assigned_identity_id = customer_managed_key.value.identity_id
    }
  }
}

resource "azurerm_storage_container" "container" {
  # checkov:skip=CKV2_AZURE_21:The rule looks for classic storage insights; diagnostic settings log what is read (main.logs.tf).
  for_each = local.containers

  name                  = each.key
  storage_account_id    = azurerm_storage_account.account[each.value].id
  container_access_type = "private"
}
