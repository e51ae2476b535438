# Where the lake lands: private, versioned, and written by the relay, who cannot read it back.

locals {
  lake_url = "abfss://${azurerm_storage_container.lake.name}@${azurerm_storage_account.lake.name}.dfs.core.windows.net/"
  blobs    = "Microsoft.Storage/storageAccounts/blobServices/containers/blobs"
}

resource "azurerm_storage_account" "lake" {
  name                     = local.names.lake
  resource_group_name      = local.group
  location                 = local.location
  account_tier             = "Standard"
  account_replication_type = local.replication
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
  public_network_access_enabled     = !var.private_network

  network_rules {
    default_action = var.private_network ? "Deny" : "Allow"
    bypass         = ["None"]
  }

  blob_properties {
    versioning_enabled = true

    delete_retention_policy {
      days = var.retention.backup_days
    }

    container_delete_retention_policy {
      days = var.retention.backup_days
    }
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

resource "azurerm_storage_container" "lake" {
  name                  = "lake"
  storage_account_id    = azurerm_storage_account.lake.id
  container_access_type = "private"
}

# What was overwritten stays as long as the state can be restored.
resource "azurerm_storage_management_policy" "lake" {
  storage_account_id = azurerm_storage_account.lake.id

  rule {
    name    = "old-versions"
    enabled = true

    filters {
      blob_types = ["blockBlob"]
    }

    actions {
      version {
        delete_after_days_since_creation = var.retention.backup_days
      }
    }
  }
}

resource "azurerm_role_definition" "lake_writer" {
  for_each = local.relays

  name              = "${var.cell_id} lake writer ${local.unique}"
  description       = "Writes blobs, and lists names; deletes none."
  scope             = azurerm_storage_account.lake.id
  assignable_scopes = [azurerm_storage_account.lake.id]

  permissions {
    data_actions = [
      "${local.blobs}/add/action",
      "${local.blobs}/read",
      "${local.blobs}/write",
    ]
  }
}

resource "azurerm_role_assignment" "lake_writer" {
  for_each = local.relays

  scope              = azurerm_storage_account.lake.id
  role_definition_id = azurerm_role_definition.lake_writer[each.key].role_definition_resource_id
  principal_id       = azurerm_user_assigned_identity.relay[each.key].principal_id
  principal_type     = "ServicePrincipal"
  # Of what lies there it reads the table's own log, to know what it wrote; of the rows, nothing.
  condition_version = "2.0"
  condition         = <<-CONDITION
    (
     (
      !(ActionMatches{'${local.blobs}/read'} AND NOT SubOperationMatches{'Blob.List'})
     )
     OR
     (
      @Resource[${local.blobs}:path] StringLike '*_delta_log/*'
     )
    )
  CONDITION
}
