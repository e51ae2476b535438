# An identity for each app, and what it may do. None has a password or a key.

resource "azurerm_user_assigned_identity" "app" {
  for_each = local.apps

  name                = each.key
  resource_group_name = local.group
  location            = local.location
  tags                = local.contract_tags
}

# Built-in Data Contributor, on this database and nothing above it.
resource "azurerm_cosmosdb_sql_role_assignment" "data" {
  for_each = azurerm_user_assigned_identity.app

  resource_group_name = local.group
  account_name        = azurerm_cosmosdb_account.state.name
  role_definition_id  = "${azurerm_cosmosdb_account.state.id}/sqlRoleDefinitions/00000000-0000-0000-0000-000000000002"
  principal_id        = each.value.principal_id
  scope               = "${azurerm_cosmosdb_account.state.id}/dbs/${azurerm_cosmosdb_sql_database.cell.name}"
}

# A worker asks the account itself for its consistency before it serves; that lies above the
# database, and this says nothing about data.
resource "azurerm_cosmosdb_sql_role_definition" "account_reader" {
  name                = "Account Metadata Reader"
  resource_group_name = local.group
  account_name        = azurerm_cosmosdb_account.state.name
  type                = "CustomRole"
  assignable_scopes   = [azurerm_cosmosdb_account.state.id]

  permissions {
    data_actions = ["Microsoft.DocumentDB/databaseAccounts/readMetadata"]
  }
}

resource "azurerm_cosmosdb_sql_role_assignment" "account_reader" {
  for_each = azurerm_user_assigned_identity.app

  resource_group_name = local.group
  account_name        = azurerm_cosmosdb_account.state.name
  role_definition_id  = azurerm_cosmosdb_sql_role_definition.account_reader.id
  principal_id        = each.value.principal_id
  scope               = azurerm_cosmosdb_account.state.id
}

# The Functions host keeps packages, locks and timers in its account; it asks for these two roles.
resource "azurerm_role_assignment" "host" {
  for_each = merge([
    for name, identity in azurerm_user_assigned_identity.app : {
      "${name}-blobs"  = { role = "Storage Blob Data Owner", principal = identity.principal_id }
      "${name}-tables" = { role = "Storage Table Data Contributor", principal = identity.principal_id }
    }
  ]...)

  scope                = azurerm_storage_account.account["host"].id
  role_definition_name = each.value.role
  principal_id         = each.value.principal
  principal_type       = "ServicePrincipal"
}

resource "azurerm_role_assignment" "logs" {
  for_each = azurerm_user_assigned_identity.app

  scope                = azurerm_application_insights.cell.id
  role_definition_name = "Monitoring Metrics Publisher"
  principal_id         = each.value.principal_id
  principal_type       = "ServicePrincipal"
}
