# Names, apps and settings, each said once. Names that the whole of Azure shares end with a hash of
# the subscription and the cell.

data "azurerm_client_config" "current" {}

locals {
  unique  = substr(sha256("${data.azurerm_client_config.current.subscription_id}/${var.cell_id}"), 0, 6)
  compact = substr(replace(var.cell_id, "-", ""), 0, 12)

  group    = azurerm_resource_group.cell.name
  location = azurerm_resource_group.cell.location

  names = {
    # The host keeps locks under an app's first 32 characters; what tells two apart stands there.
    worker = "worker-${var.cell_id}-${local.unique}"
    relay  = "relay-${var.cell_id}-${local.unique}"
    state  = "state-${var.cell_id}-${local.unique}"
    host   = "host${local.compact}${local.unique}"
    lake   = "lake${local.compact}${local.unique}"
  }

  with_relay   = var.relay_package.path != ""
  with_network = var.private_network

  apps = merge(
    {
      worker = {
        name    = local.names.worker
        package = var.worker_package
        # Without a known edge there is no public way in: callers come by the private address.
        callers   = var.edge_cidrs
        is_public = length(var.edge_cidrs) > 0
        at_once   = var.azure_requests_per_instance
        instances = var.limits.max_concurrency
        timeout_s = var.limits.timeout_s
      }
    },
    local.with_relay ? {
      relay = {
        name    = local.names.relay
        package = var.relay_package
        # Nobody calls it: the change feed wakes it. Its package comes as the worker's does.
        callers   = []
        is_public = false
        at_once   = null
        # The fewest that Flex Consumption can be held to; the feed has less to do.
        instances = 40
        timeout_s = local.contract_relay_timeout_s
      }
    } : {}
  )

  state_settings = {
    CELL_COSMOS_ENDPOINT  = azurerm_cosmosdb_account.state.endpoint
    CELL_COSMOS_DATABASE  = azurerm_cosmosdb_sql_database.cell.name
    CELL_COSMOS_CONTAINER = azurerm_cosmosdb_sql_container.state.name
  }

  # What the host reads, in the host's own names: storage and logs by identity, never by a
  # connection string; and the contract's timeout, over what host.json in the zip says.
  host_settings = {
    for app, identity in azurerm_user_assigned_identity.app : app => {
      AZURE_CLIENT_ID                           = identity.client_id
      APPLICATIONINSIGHTS_AUTHENTICATION_STRING = "Authorization=AAD;ClientId=${identity.client_id}"
      AzureWebJobsStorage__accountName          = azurerm_storage_account.account["host"].name
      AzureWebJobsStorage__credential           = "managedidentity"
      AzureWebJobsStorage__clientId             = identity.client_id
      AzureFunctionsJobHost__functionTimeout    = formatdate("hh:mm:ss", timeadd("2000-01-01T00:00:00Z", "${local.apps[app].timeout_s}s"))
    }
  }

  # The contract's settings, and what only this cloud needs. The trigger's connection is the three
  # CELL_COSMOS__ settings, and no string.
  environment = {
    for app in keys(local.apps) : app => merge(
      app == "worker" ? local.contract_environment : local.contract_relay_environment,
      local.state_settings,
      local.host_settings[app],
      app == "worker" ? {} : {
        CELL_COSMOS__accountEndpoint = azurerm_cosmosdb_account.state.endpoint
        CELL_COSMOS__credential      = "managedidentity"
        CELL_COSMOS__clientId        = azurerm_user_assigned_identity.app[app].client_id
        CELL_COSMOS_LEASES           = azurerm_cosmosdb_sql_container.leases[0].name
        CELL_LAKE_URL                = local.lake_url
      },
    )
  }
}

resource "azurerm_resource_group" "cell" {
  name     = "cell-${var.cell_id}"
  location = var.region
  tags     = local.contract_tags
}
