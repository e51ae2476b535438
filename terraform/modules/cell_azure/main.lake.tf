# Where the lake lands: private, versioned, and written by the relay, who cannot read rows back.

locals {
  lake_url = "abfss://${azurerm_storage_container.container["lake"].name}@${azurerm_storage_account.account["lake"].name}.dfs.core.windows.net/"
  blobs    = "Microsoft.Storage/storageAccounts/blobServices/containers/blobs"
}

# What was overwritten stays as long as the state can be restored.
resource "azurerm_storage_management_policy" "lake" {
  storage_account_id = azurerm_storage_account.account["lake"].id

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
  count = local.with_relay ? 1 : 0

  name              = "${var.cell_id} lake writer ${local.unique}"
  description       = "Writes blobs, and lists names; deletes none."
  scope             = azurerm_storage_account.account["lake"].id
  assignable_scopes = [azurerm_storage_account.account["lake"].id]

  permissions {
    data_actions = [
      "${local.blobs}/add/action",
      "${local.blobs}/read",
      "${local.blobs}/write",
    ]
  }
}

resource "azurerm_role_assignment" "lake_writer" {
  count = local.with_relay ? 1 : 0

  scope              = azurerm_storage_account.account["lake"].id
  role_definition_id = azurerm_role_definition.lake_writer[0].role_definition_resource_id
  principal_id       = azurerm_user_assigned_identity.app["relay"].principal_id
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
