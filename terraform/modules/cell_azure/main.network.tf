# The cell's own network: workers in one subnet, private addresses of what they use in another.

locals {
  # What a private address is made for, and the zone that resolves its name.
  zones = local.with_network ? {
    documents = "privatelink.documents.azure.com"
    blob      = "privatelink.blob.core.windows.net"
    queue     = "privatelink.queue.core.windows.net"
    table     = "privatelink.table.core.windows.net"
    sites     = "privatelink.azurewebsites.net"
  } : {}
}

resource "azurerm_virtual_network" "cell" {
  count = local.with_network ? 1 : 0

  name                = "cell"
  resource_group_name = local.group
  location            = local.location
  address_space       = [var.network_cidr]
  tags                = local.contract_tags
}

resource "azurerm_subnet" "workers" {
  count = local.with_network ? 1 : 0

  name                 = "workers"
  resource_group_name  = local.group
  virtual_network_name = azurerm_virtual_network.cell[0].name
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
  count = local.with_network ? 1 : 0

  name                              = "endpoints"
  resource_group_name               = local.group
  virtual_network_name              = azurerm_virtual_network.cell[0].name
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
  virtual_network_id    = azurerm_virtual_network.cell[0].id
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

resource "azurerm_private_endpoint" "state" {
  count = local.with_network ? 1 : 0

  name                = "state"
  resource_group_name = local.group
  location            = local.location
  subnet_id           = azurerm_subnet.endpoints[0].id
  tags                = local.contract_tags

  private_service_connection {
    name                           = "state"
    private_connection_resource_id = azurerm_cosmosdb_account.state.id
    subresource_names              = ["Sql"]
    is_manual_connection           = false
  }

  private_dns_zone_group {
    name                 = "state"
    private_dns_zone_ids = [azurerm_private_dns_zone.cell["documents"].id]
  }
}

resource "azurerm_private_endpoint" "lake" {
  count = local.with_network ? 1 : 0

  name                = "lake"
  resource_group_name = local.group
  location            = local.location
  subnet_id           = azurerm_subnet.endpoints[0].id
  tags                = local.contract_tags

  private_service_connection {
    name                           = "lake"
    private_connection_resource_id = azurerm_storage_account.account["lake"].id
    subresource_names              = ["blob"]
    is_manual_connection           = false
  }

  private_dns_zone_group {
    name                 = "lake"
    private_dns_zone_ids = [azurerm_private_dns_zone.cell["blob"].id]
  }

  # Says nothing new to Terraform; the scanner follows it where it does not follow an index.
  depends_on = [azurerm_storage_account.account]
}

resource "azurerm_private_endpoint" "host" {
  # The host asks for all three services of its account.
  for_each = local.with_network ? toset(["blob", "queue", "table"]) : toset([])

  name                = "host-${each.key}"
  resource_group_name = local.group
  location            = local.location
  subnet_id           = azurerm_subnet.endpoints[0].id
  tags                = local.contract_tags

  private_service_connection {
    name                           = each.key
    private_connection_resource_id = azurerm_storage_account.account["host"].id
    subresource_names              = [each.key]
    is_manual_connection           = false
  }

  private_dns_zone_group {
    name                 = each.key
    private_dns_zone_ids = [azurerm_private_dns_zone.cell[each.key].id]
  }
}

resource "azurerm_private_endpoint" "app" {
  for_each = local.with_network ? local.apps : {}

  name                = each.key
  resource_group_name = local.group
  location            = local.location
  subnet_id           = azurerm_subnet.endpoints[0].id
  tags                = local.contract_tags

  private_service_connection {
    name                           = each.key
    private_connection_resource_id = azurerm_function_app_flex_consumption.app[each.key].id
    subresource_names              = ["sites"]
    is_manual_connection           = false
  }

  private_dns_zone_group {
    name                 = each.key
    private_dns_zone_ids = [azurerm_private_dns_zone.cell["sites"].id]
  }
}
