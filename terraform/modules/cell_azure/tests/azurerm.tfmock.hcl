# What Azure would answer: ids of the right form, for the real provider reads them.

mock_data "azurerm_client_config" {
  defaults = {
    subscription_id = "11111111-1111-1111-1111-111111111111"
    tenant_id       = "22222222-2222-2222-2222-222222222222"
    object_id       = "33333333-3333-3333-3333-333333333333"
    client_id       = "44444444-4444-4444-4444-444444444444"
  }
}

mock_resource "azurerm_resource_group" {
  defaults = { id = "/subscriptions/11111111-1111-1111-1111-111111111111/resourceGroups/cell" }
}

mock_resource "azurerm_virtual_network" {
  defaults = { id = "/subscriptions/11111111-1111-1111-1111-111111111111/resourceGroups/cell/providers/Microsoft.Network/virtualNetworks/cell" }
}

mock_resource "azurerm_subnet" {
  defaults = { id = "/subscriptions/11111111-1111-1111-1111-111111111111/resourceGroups/cell/providers/Microsoft.Network/virtualNetworks/cell/subnets/some" }
}

mock_resource "azurerm_network_security_group" {
  defaults = { id = "/subscriptions/11111111-1111-1111-1111-111111111111/resourceGroups/cell/providers/Microsoft.Network/networkSecurityGroups/some" }
}

mock_resource "azurerm_private_dns_zone" {
  defaults = { id = "/subscriptions/11111111-1111-1111-1111-111111111111/resourceGroups/cell/providers/Microsoft.Network/privateDnsZones/some" }
}

mock_resource "azurerm_cosmosdb_account" {
  defaults = {
    id       = "/subscriptions/11111111-1111-1111-1111-111111111111/resourceGroups/cell/providers/Microsoft.DocumentDB/databaseAccounts/state"
    endpoint = "https://state.documents.azure.com:443/"
  }
}

mock_resource "azurerm_cosmosdb_sql_role_definition" {
  defaults = { id = "/subscriptions/11111111-1111-1111-1111-111111111111/resourceGroups/cell/providers/Microsoft.DocumentDB/databaseAccounts/state/sqlRoleDefinitions/55555555-5555-5555-5555-555555555555" }
}

mock_resource "azurerm_storage_account" {
  defaults = {
    id                    = "/subscriptions/11111111-1111-1111-1111-111111111111/resourceGroups/cell/providers/Microsoft.Storage/storageAccounts/some"
    primary_blob_endpoint = "https://some.blob.core.windows.net/"
  }
}

mock_resource "azurerm_service_plan" {
  defaults = { id = "/subscriptions/11111111-1111-1111-1111-111111111111/resourceGroups/cell/providers/Microsoft.Web/serverFarms/some" }
}

mock_resource "azurerm_function_app_flex_consumption" {
  defaults = {
    id               = "/subscriptions/11111111-1111-1111-1111-111111111111/resourceGroups/cell/providers/Microsoft.Web/sites/some"
    default_hostname = "worker-beta.azurewebsites.net"
  }
}

mock_resource "azurerm_user_assigned_identity" {
  defaults = {
    id           = "/subscriptions/11111111-1111-1111-1111-111111111111/resourceGroups/cell/providers/Microsoft.ManagedIdentity/userAssignedIdentities/some"
    principal_id = "66666666-6666-6666-6666-666666666666"
    client_id    = "77777777-7777-7777-7777-777777777777"
    tenant_id    = "22222222-2222-2222-2222-222222222222"
  }
}

mock_resource "azurerm_role_definition" {
  defaults = { role_definition_resource_id = "/subscriptions/11111111-1111-1111-1111-111111111111/providers/Microsoft.Authorization/roleDefinitions/88888888-8888-8888-8888-888888888888" }
}

mock_resource "azurerm_log_analytics_workspace" {
  defaults = { id = "/subscriptions/11111111-1111-1111-1111-111111111111/resourceGroups/cell/providers/Microsoft.OperationalInsights/workspaces/logs" }
}

mock_resource "azurerm_application_insights" {
  defaults = {
    id                = "/subscriptions/11111111-1111-1111-1111-111111111111/resourceGroups/cell/providers/Microsoft.Insights/components/traces"
    connection_string = "InstrumentationKey=99999999-9999-9999-9999-999999999999"
  }
}

mock_resource "azurerm_monitor_action_group" {
  defaults = { id = "/subscriptions/11111111-1111-1111-1111-111111111111/resourceGroups/cell/providers/Microsoft.Insights/actionGroups/cell" }
}
