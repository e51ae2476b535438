# The cell's own network: workers in one subnet, private addresses of what they use in another.

locals {
  private = var.private_network ? { cell = true } : {}

  # What a private address is made for, and the zone that resolves its name.
  zones = var.private_network ? {
    documents = "privatelink.documents.azure.com"
    blob      = "privatelink.blob.core.windows.net"
    queue     = "privatelink.queue.core.windows.net"
    table     = "privatelink.table.core.windows.net"
    sites     = "privatelink.azurewebsites.net"
  } : {}

  endpoints = var.private_network ? merge({
    state      = { id = azurerm_cosmosdb_account.state.id, part = "Sql", zone = "documents" }
    lake       = { id = azurerm_storage_account.lake.id, part = "blob", zone = "blob" }
    host-blob  = { id = azurerm_storage_account.host.id, part = "blob", zone = "blob" }
    host-queue = { id = azurerm_storage_account.host.id, part = "queue", zone = "queue" }
    host-table = { id = azurerm_storage_account.host.id, part = "table", zone = "table" }
    worker     = { id = azurerm_function_app_flex_consumption.worker.id, part = "sites", zone = "sites" }
    }, local.has_relay ? {
    relay = { id = azurerm_function_app_flex_consumption.relay["relay"].id, part = "sites", zone = "sites" }
  } : {}) : {}
}

resource "azurerm_virtual_network" "cell" {
  for_each = local.private

  name                = "cell"
  resource_group_name = local.group
  location            = local.location
  address_space       = [var.network_cidr]
  tags                = local.contract_tags
}

resource "azurerm_subnet" "workers" {
  for_each = local.private

  name                 = "workers"
  resource_group_name  = local.group
  virtual_network_name = azurerm_virtual_network.cell["cell"].name
  address_prefixes     = [cidrsubnet(var.network_cidr, 1, 0)]
  # Logs, and a home's pushes to its standby, leave by public addresses; main.firewall.tf says which.
  default_outbound_access_enabled   = true
  private_endpoint_network_policies = "Enabled"

  delegation {
    name = "flex-consumption"

    service_delegation {
      name    = "Microsoft.App/environments"
      actions = ["Microsoft.Network/virtualNetworks/subnets/join/action"]
    }
  }
}

resource "azurerm_subnet" "endpoints" {
  for_each = local.private

  name                              = "endpoints"
  resource_group_name               = local.group
  virtual_network_name              = azurerm_virtual_network.cell["cell"].name
  address_prefixes                  = [cidrsubnet(var.network_cidr, 2, 2)]
  default_outbound_access_enabled   = false
  private_endpoint_network_policies = "Enabled"
}

resource "azurerm_private_dns_zone" "cell" {
  for_each = local.zones

  name                = each.value
  resource_group_name = local.group
  tags                = local.contract_tags
}

resource "azurerm_private_dns_zone_virtual_network_link" "cell" {
  for_each = local.zones

  name                  = "cell"
  resource_group_name   = local.group
  private_dns_zone_name = azurerm_private_dns_zone.cell[each.key].name
  virtual_network_id    = azurerm_virtual_network.cell["cell"].id
  tags                  = local.contract_tags
}

resource "azurerm_private_dns_zone_virtual_network_link" "peered" {
  for_each = var.private_network ? var.azure_peered_network_ids : {}

  name                  = each.key
  resource_group_name   = local.group
  private_dns_zone_name = azurerm_private_dns_zone.cell["sites"].name
  virtual_network_id    = each.value
  tags                  = local.contract_tags
}

resource "azurerm_private_endpoint" "cell" {
  for_each = local.endpoints

  name                = each.key
  resource_group_name = local.group
  location            = local.location
  subnet_id           = azurerm_subnet.endpoints["cell"].id
  tags                = local.contract_tags

  private_service_connection {
    name                           = each.key
    private_connection_resource_id = each.value.id
    subresource_names              = [each.value.part]
    is_manual_connection           = false
  }

  private_dns_zone_group {
    name                 = each.key
    private_dns_zone_ids = [azurerm_private_dns_zone.cell[each.value.zone].id]
  }
}
