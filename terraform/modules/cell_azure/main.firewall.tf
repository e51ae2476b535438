# Who may talk to whom inside the network: what is not named is denied, in both directions.

locals {
  # The database and storage by private addresses, logs by public ones; standbys only where wanted.
  https_out = merge({
    stores = { priority = 100, to = "VirtualNetwork" }
    logs   = { priority = 110, to = "AzureMonitor" }
    }, var.azure_standby_egress ? {
    standbys = { priority = 120, to = "Internet" }
  } : {})
}

resource "azurerm_network_security_group" "workers" {
  count = local.with_network ? 1 : 0

  name                = "workers"
  resource_group_name = local.group
  location            = local.location
  tags                = local.contract_tags

  security_rule {
    name                       = "no-one-calls-in"
    priority                   = 4096
    direction                  = "Inbound"
    access                     = "Deny"
    protocol                   = "*"
    source_address_prefix      = "*"
    source_port_range          = "*"
    destination_address_prefix = "*"
    destination_port_range     = "*"
  }

  dynamic "security_rule" {
    for_each = local.https_out

    content {
      name                       = "https-to-${security_rule.key}"
      priority                   = security_rule.value.priority
      direction                  = "Outbound"
      access                     = "Allow"
      protocol                   = "Tcp"
      source_address_prefix      = "VirtualNetwork"
      source_port_range          = "*"
      destination_address_prefix = security_rule.value.to
      destination_port_range     = "443"
    }
  }

  security_rule {
    name                       = "nothing-else-out"
    priority                   = 4096
    direction                  = "Outbound"
    access                     = "Deny"
    protocol                   = "*"
    source_address_prefix      = "*"
    source_port_range          = "*"
    destination_address_prefix = "*"
    destination_port_range     = "*"
  }
}

resource "azurerm_network_security_group" "endpoints" {
  count = local.with_network ? 1 : 0

  name                = "endpoints"
  resource_group_name = local.group
  location            = local.location
  tags                = local.contract_tags

  security_rule {
    name                       = "https-from-the-network"
    description                = "From the workers, and from networks that were peered with this one."
    priority                   = 100
    direction                  = "Inbound"
    access                     = "Allow"
    protocol                   = "Tcp"
    source_address_prefix      = "VirtualNetwork"
    source_port_range          = "*"
    destination_address_prefix = "VirtualNetwork"
    destination_port_range     = "443"
  }

  security_rule {
    name                       = "no-one-else-in"
    priority                   = 4096
    direction                  = "Inbound"
    access                     = "Deny"
    protocol                   = "*"
    source_address_prefix      = "*"
    source_port_range          = "*"
    destination_address_prefix = "*"
    destination_port_range     = "*"
  }
}

resource "azurerm_subnet_network_security_group_association" "workers" {
  count = local.with_network ? 1 : 0

  subnet_id                 = azurerm_subnet.workers[0].id
  network_security_group_id = azurerm_network_security_group.workers[0].id
}

resource "azurerm_subnet_network_security_group_association" "endpoints" {
  count = local.with_network ? 1 : 0

  subnet_id                 = azurerm_subnet.endpoints[0].id
  network_security_group_id = azurerm_network_security_group.endpoints[0].id
}
