# What the cell is: the contract, in Azure's words.

variables {
  cell_id        = "beta"
  ordinal        = 2
  region         = "westeurope"
  worker_package = { path = "../cell_contract/tests/any.zip", sha256 = "8739c76e681f900923b900c9df0ef75cf421d39cabb54650c4b9ad19b6a76d85" }
  relay_package  = { path = "../cell_contract/tests/any.zip", sha256 = "8739c76e681f900923b900c9df0ef75cf421d39cabb54650c4b9ad19b6a76d85" }
  auth           = { jwks = "{\"keys\":[{\"kty\":\"OKP\",\"crv\":\"Ed25519\",\"kid\":\"edge-1\",\"iss\":\"edge\",\"x\":\"11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo\"}]}" }
  alarms         = { emails = ["cells@example.com"] }
  azure_publish  = false
}

mock_provider "azurerm" {
  source = "./tests"
}

run "is_the_cell_that_the_contract_describes" {
  # Describes itself as the contract says.
  assert {
    condition     = output.cell.id == "beta" && output.cell.cloud == "azure" && output.cell.base_url == "https://worker-beta.azurewebsites.net/api"
    error_message = "The document does not describe this cell."
  }

  assert {
    condition     = output.cell.settings.cloud == tolist(["AZURE_CLIENT_ID", "CELL_COSMOS_CONTAINER", "CELL_COSMOS_DATABASE", "CELL_COSMOS_ENDPOINT"])
    error_message = "The worker gets other settings than it reads."
  }

  assert {
    condition     = !contains(keys(azurerm_function_app_flex_consumption.app["worker"].app_settings), "CELL_COSMOS_KEY")
    error_message = "A key stands in the worker's environment."
  }

  # Keeps state as the protocol needs it.
  assert {
    condition     = azurerm_cosmosdb_account.state.consistency_policy[0].consistency_level == "Strong"
    error_message = "With less than Strong, an instance may not see the fence that another one wrote."
  }

  assert {
    condition     = length(azurerm_cosmosdb_account.state.geo_location) == 1 && !azurerm_cosmosdb_account.state.multiple_write_locations_enabled && !azurerm_cosmosdb_account.state.automatic_failover_enabled
    error_message = "A cell has one write region, and fails over to another cell only."
  }

  assert {
    condition     = azurerm_cosmosdb_sql_container.state.partition_key_paths == tolist(["/pk"]) && azurerm_cosmosdb_sql_container.state.default_ttl == -1
    error_message = "The state is partitioned by /pk, and only documents that say so expire."
  }

  assert {
    condition     = azurerm_cosmosdb_account.state.backup[0].type == "Continuous" && azurerm_cosmosdb_account.state.backup[0].tier == "Continuous30Days"
    error_message = "The state can be restored to any second of the last 30 days."
  }

  # Runs the zip on flex consumption.
  assert {
    condition     = azurerm_service_plan.app["worker"].sku_name == "FC1" && azurerm_service_plan.app["worker"].os_type == "Linux"
    error_message = "The plan is not Flex Consumption."
  }

  assert {
    condition     = azurerm_function_app_flex_consumption.app["worker"].runtime_name == "python" && azurerm_function_app_flex_consumption.app["worker"].runtime_version == "3.13"
    error_message = "The runtime is not the one that the zip was built for."
  }

  assert {
    condition     = azurerm_function_app_flex_consumption.app["worker"].app_settings["AzureFunctionsJobHost__functionTimeout"] == "00:00:30"
    error_message = "The host ends a function after another time than the contract says."
  }

  assert {
    condition     = alltrue([for app, package in terraform_data.package : package.output.sha256 == "8739c76e681f900923b900c9df0ef75cf421d39cabb54650c4b9ad19b6a76d85"])
    error_message = "Another zip is published than the one that was named."
  }

  # Wakes the relay by identity.
  assert {
    condition     = azurerm_function_app_flex_consumption.app["relay"].app_settings["CELL_COSMOS__credential"] == "managedidentity" && azurerm_function_app_flex_consumption.app["relay"].app_settings["CELL_COSMOS_LEASES"] == azurerm_cosmosdb_sql_container.leases[0].name
    error_message = "The trigger of the relay has no identity or no leases."
  }

  assert {
    condition     = toset([for name in keys(azurerm_function_app_flex_consumption.app["relay"].app_settings) : name if startswith(name, "CELL_") && !startswith(name, "CELL_COSMOS__")]) == toset(["CELL_COSMOS_CONTAINER", "CELL_COSMOS_DATABASE", "CELL_COSMOS_ENDPOINT", "CELL_COSMOS_LEASES", "CELL_ID", "CELL_LAKE_URL", "CELL_LOG_LEVEL", "CELL_ORDINAL", "CELL_RELAY_RUN_S", "CELL_STORE_CONNECT_TIMEOUT_S", "CELL_STORE_READ_TIMEOUT_S"])
    error_message = "The relay is given something that it does not read, or lacks something."
  }

  assert {
    condition     = azurerm_function_app_flex_consumption.app["relay"].app_settings["AzureFunctionsJobHost__functionTimeout"] == "00:01:00"
    error_message = "The host ends the relay after another time than the contract says."
  }

  # Calls somebody for each reason.
  assert {
    condition     = azurerm_monitor_metric_alert.errors.criteria[0].threshold == 5 && azurerm_monitor_metric_alert.throttles.criteria[0].threshold == 10
    error_message = "Errors and throttles have other thresholds than the contract."
  }

  assert {
    condition     = toset(keys(azurerm_monitor_scheduled_query_rules_alert_v2.cell)) == toset(["duration", "stripe-size", "change-lag"])
    error_message = "Duration, stripe size and replication lag are watched."
  }

  assert {
    condition     = alltrue([for alert in concat([azurerm_monitor_metric_alert.errors], [azurerm_monitor_metric_alert.throttles]) : length(alert.action) == 1]) && alltrue([for alert in azurerm_monitor_scheduled_query_rules_alert_v2.cell : length(alert.action) == 1]) && azurerm_monitor_action_group.cell.email_receiver[0].email_address == "cells@example.com"
    error_message = "An alarm reaches nobody."
  }

  assert {
    condition     = azurerm_consumption_budget_resource_group.cell.amount == 200 && toset([for told in azurerm_consumption_budget_resource_group.cell.notification : told.threshold]) == toset([80, 100])
    error_message = "Nobody hears of what the cell costs."
  }
}

run "takes_the_shorter_backup_window" {
  variables {
    retention = { backup_days = 7 }
  }

  assert {
    condition     = azurerm_cosmosdb_account.state.backup[0].tier == "Continuous7Days" && output.cell.retention.backup_days == 7
    error_message = "A window of 7 days is Continuous7Days."
  }
}

run "has_the_relay_only_with_its_zip" {
  variables {
    relay_package = { path = "", sha256 = "" }
  }

  assert {
    condition     = toset(keys(azurerm_function_app_flex_consumption.app)) == toset(["worker"]) && length(azurerm_cosmosdb_sql_container.leases) == 0 && output.cell.resources.relay == ""
    error_message = "Something of the relay stands there without its zip."
  }

  assert {
    condition     = !contains(keys(azurerm_monitor_scheduled_query_rules_alert_v2.cell), "change-lag")
    error_message = "An alarm watches a relay that is not there."
  }
}

run "publishes_what_the_provider_cannot" {
  command = plan

  variables {
    azure_publish = true
  }

  assert {
    condition     = toset(keys(terraform_data.publish)) == toset(["worker", "relay"])
    error_message = "Nobody publishes the zips."
  }
}

run "stands_without_a_network_where_one_is_not_wanted" {
  variables {
    private_network = false
  }

  assert {
    condition     = length(azurerm_virtual_network.cell) == 0 && azurerm_function_app_flex_consumption.app["worker"].virtual_network_subnet_id == null && azurerm_cosmosdb_account.state.public_network_access_enabled
    error_message = "A cell without a network cannot reach its state."
  }

  assert {
    condition     = !azurerm_cosmosdb_account.state.local_authentication_enabled && alltrue([for account in azurerm_storage_account.account : !account.shared_access_key_enabled])
    error_message = "Without a network, keys open a part."
  }
}
