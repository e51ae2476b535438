# Where the cell's state lies: versioned, opened by identities only, and from known addresses.

locals {
  tags = { cell = var.cell_id, "managed-by" = "terraform" }
}

resource "azurerm_resource_group" "state" {
  name     = "${var.cell_id}-terraform"
  location = var.region
  tags     = local.tags
}

resource "azurerm_storage_account" "state" {
  # checkov:skip=CKV_AZURE_59:Workflows run outside of Azure's networks; only their addresses are let in, and only with an identity.
  # checkov:skip=CKV2_AZURE_33:Workflows run outside of Azure, and before the first cell there is no network that a private address could stand in.
  # checkov:skip=CKV_AZURE_33:The rule reads classic logging of queues, which asks for an account key; there are no queues.
  # checkov:skip=CKV2_AZURE_1:A key in a vault would have to stand there before the state that describes it.
  name                     = "${substr(replace(var.cell_id, "-", ""), 0, 12)}tf${substr(sha256(var.subscription_id), 0, 8)}"
  resource_group_name      = azurerm_resource_group.state.name
  location                 = azurerm_resource_group.state.location
  account_tier             = "Standard"
  account_replication_type = "GRS"
  account_kind             = "StorageV2"
  tags                     = local.tags

  https_traffic_only_enabled        = true
  min_tls_version                   = "TLS1_2"
  shared_access_key_enabled         = false
  default_to_oauth_authentication   = true
  allow_nested_items_to_be_public   = false
  cross_tenant_replication_enabled  = false
  local_user_enabled                = false
  infrastructure_encryption_enabled = true
  public_network_access_enabled     = true

  network_rules {
    default_action = "Deny"
    bypass         = ["AzureServices"]
    ip_rules       = var.runner_cidrs
  }

  blob_properties {
    versioning_enabled = true

    delete_retention_policy {
      days = 365
    }

    container_delete_retention_policy {
      days = 365
    }
  }

  sas_policy {
    expiration_period = "00.01:00:00"
    expiration_action = "Log"
  }
}

resource "azurerm_storage_container" "state" {
  # checkov:skip=CKV2_AZURE_21:The rule looks for classic storage insights; who changes the state is in its versions.
  name                  = "state"
  storage_account_id    = azurerm_storage_account.state.id
  container_access_type = "private"
}

resource "azurerm_management_lock" "state" {
  name       = "protect"
  scope      = azurerm_storage_account.state.id
  lock_level = "CanNotDelete"
  notes      = "Holds the Terraform state of cell ${var.cell_id}."
}
