# Names. Those that the whole of Azure shares end with a hash of the subscription and the cell.

data "azurerm_client_config" "current" {}

locals {
  unique    = substr(sha256("${data.azurerm_client_config.current.subscription_id}/${var.cell_id}"), 0, 6)
  compact   = substr(replace(var.cell_id, "-", ""), 0, 12)
  group     = azurerm_resource_group.cell.name
  location  = azurerm_resource_group.cell.location
  has_relay = var.relay_package.path != ""

  names = {
    # The host keeps locks under an app's first 32 characters; what tells two apart stands there.
    worker    = "worker-${var.cell_id}-${local.unique}"
    relay     = "relay-${var.cell_id}-${local.unique}"
    state     = "state-${var.cell_id}-${local.unique}"
    host      = "host${local.compact}${local.unique}"
    lake      = "lake${local.compact}${local.unique}"
    database  = "cell"
    container = "state"
    leases    = "leases"
  }
}

resource "azurerm_resource_group" "cell" {
  name     = "cell-${var.cell_id}"
  location = var.region
  tags     = local.contract_tags
}
