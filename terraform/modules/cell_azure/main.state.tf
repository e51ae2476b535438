# The state. Strong consistency and one write region: another instance has to see the fence that
# this one wrote, and a cell refuses to serve from an account that promises less.

locals {
  leases_request_units_max = local.with_relay ? 1000 : 0

  backup_tiers = { 7 = "Continuous7Days", 30 = "Continuous30Days" }
}

resource "azurerm_cosmosdb_account" "state" {
  # checkov:skip=CKV_AZURE_140:Local authentication is off; the rule knows the attribute by its name in 3.x only, and the tests assert the new one.
  name                = local.names.state
  resource_group_name = local.group
  location            = local.location
  offer_type          = "Standard"
  kind                = "GlobalDocumentDB"
  tags                = local.contract_tags

  # Identities only: no key opens this account, and nobody changes it with one.
  local_authentication_enabled       = false
  access_key_metadata_writes_enabled = false
  minimal_tls_version                = "Tls12"

  public_network_access_enabled         = var.private_network ? false : true
  network_acl_bypass_for_azure_services = false

  multiple_write_locations_enabled = false
  automatic_failover_enabled       = false
  free_tier_enabled                = false

  key_vault_key_id      = try(var.azure_customer_key.key_id, null)
  default_identity_type = var.azure_customer_key == null ? "FirstPartyIdentity" : "UserAssignedIdentity=${var.azure_customer_key.identity_id}"

  consistency_policy {
    consistency_level = "Strong"
  }

  geo_location {
    location          = local.location
    failover_priority = 0
    zone_redundant    = var.azure_zone_redundant
  }

  backup {
    type = "Continuous"
    tier = local.backup_tiers[var.retention.backup_days]
  }

  capacity {
    # What a mistake can cost: the state's units and those of the relay's leases.
    total_throughput_limit = var.azure_request_units_max + local.leases_request_units_max
  }

  dynamic "identity" {
    for_each = var.azure_customer_key == null ? [] : [var.azure_customer_key.identity_id]

    content {
      type         = "UserAssigned"
      identity_ids = [identity.value]
    }
  }
}

resource "azurerm_cosmosdb_sql_database" "cell" {
  name                = "cell"
  resource_group_name = local.group
  account_name        = azurerm_cosmosdb_account.state.name
}

resource "azurerm_cosmosdb_sql_container" "state" {
  name                = "state"
  resource_group_name = local.group
  account_name        = azurerm_cosmosdb_account.state.name
  database_name       = azurerm_cosmosdb_sql_database.cell.name

  partition_key_paths   = ["/${var.keys.partition}"]
  partition_key_version = 2
  # On, but nothing expires unless its document says so.
  default_ttl = -1

  autoscale_settings {
    max_throughput = var.azure_request_units_max
  }

  # Everything is found by partition and id; an index on more would only be paid for.
  indexing_policy {
    indexing_mode = "consistent"

    excluded_path {
      path = "/*"
    }
  }
}

# Where the relay's trigger keeps how far it has read.
resource "azurerm_cosmosdb_sql_container" "leases" {
  count = local.with_relay ? 1 : 0

  name                = "leases"
  resource_group_name = local.group
  account_name        = azurerm_cosmosdb_account.state.name
  database_name       = azurerm_cosmosdb_sql_database.cell.name
  partition_key_paths = ["/id"]

  autoscale_settings {
    max_throughput = local.leases_request_units_max
  }
}
