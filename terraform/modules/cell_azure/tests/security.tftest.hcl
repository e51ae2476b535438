# Secure without asking: every switch that a cell must have, and what checkov has no rule for.

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

run "is_secure_by_default" {
  # Opens the state to identities only.
  assert {
    condition     = !azurerm_cosmosdb_account.state.local_authentication_enabled && !azurerm_cosmosdb_account.state.access_key_metadata_writes_enabled
    error_message = "Keys open the state."
  }

  assert {
    condition     = !azurerm_cosmosdb_account.state.public_network_access_enabled && !azurerm_cosmosdb_account.state.network_acl_bypass_for_azure_services && azurerm_cosmosdb_account.state.minimal_tls_version == "Tls12"
    error_message = "The state can be reached from outside of the network, or with an old TLS."
  }

  # Gives roles on the database and no further.
  assert {
    condition     = alltrue([for role in azurerm_cosmosdb_sql_role_assignment.data : endswith(role.scope, "/dbs/cell") && endswith(role.role_definition_id, "/00000000-0000-0000-0000-000000000002")])
    error_message = "The role on data is scoped to more than the database, or is not Data Contributor."
  }

  assert {
    condition     = toset(flatten([for permission in azurerm_cosmosdb_sql_role_definition.account_reader.permissions : permission.data_actions])) == toset(["Microsoft.DocumentDB/databaseAccounts/readMetadata"])
    error_message = "The role on the account may do more than read its metadata."
  }

  assert {
    condition     = toset([for role in azurerm_role_assignment.host : role.role_definition_name]) == toset(["Storage Blob Data Owner", "Storage Table Data Contributor"]) && alltrue([for role in azurerm_role_assignment.host : role.scope == azurerm_storage_account.account["host"].id])
    error_message = "An identity may do more in storage than the Functions host needs."
  }

  # Lets the relay write the lake and read no row.
  assert {
    condition     = alltrue([for action in flatten([for permission in azurerm_role_definition.lake_writer[0].permissions : tolist(permission.data_actions)]) : !strcontains(action, "*") && !endswith(action, "/delete") && !endswith(action, "/manageOwnership/action")])
    error_message = "The role on the lake has a wildcard, or may delete."
  }

  assert {
    condition     = length(flatten([for permission in azurerm_role_definition.lake_writer[0].permissions : coalesce(permission.actions, [])])) == 0
    error_message = "The role on the lake may change the account."
  }

  assert {
    condition     = strcontains(azurerm_role_assignment.lake_writer[0].condition, "_delta_log") && azurerm_role_assignment.lake_writer[0].condition_version == "2.0"
    error_message = "The relay may read rows of the lake."
  }

  assert {
    condition     = length(azurerm_role_assignment.lake_writer) == 1
    error_message = "Somebody beside the relay may write the lake."
  }

  # Keeps the lake private and its versions.
  assert {
    condition     = azurerm_storage_account.account["lake"].blob_properties[0].versioning_enabled && azurerm_storage_account.account["lake"].blob_properties[0].delete_retention_policy[0].days == 30
    error_message = "What was overwritten or deleted in the lake is gone."
  }

  assert {
    condition     = alltrue([for container in azurerm_storage_container.container : container.container_access_type == "private"])
    error_message = "A container is open."
  }

  # Opens storage to identities only.
  assert {
    condition     = alltrue([for account in azurerm_storage_account.account : !account.shared_access_key_enabled && account.default_to_oauth_authentication && !account.local_user_enabled])
    error_message = "Keys open a storage account."
  }

  assert {
    condition     = alltrue([for account in azurerm_storage_account.account : account.https_traffic_only_enabled && account.min_tls_version == "TLS1_2"])
    error_message = "A storage account takes plain HTTP, or an old TLS."
  }

  assert {
    condition     = alltrue([for account in azurerm_storage_account.account : !account.public_network_access_enabled && !account.allow_nested_items_to_be_public && !account.cross_tenant_replication_enabled && account.network_rules[0].default_action == "Deny"])
    error_message = "A storage account can be reached from outside of the network."
  }

  # Serves nobody from outside without a known edge.
  assert {
    condition     = !azurerm_function_app_flex_consumption.app["worker"].public_network_access_enabled && !azurerm_function_app_flex_consumption.app["relay"].public_network_access_enabled
    error_message = "An app has a public way in."
  }

  # Encrypts every way in.
  assert {
    condition     = alltrue([for app in azurerm_function_app_flex_consumption.app : app.https_only && app.site_config[0].minimum_tls_version == "1.2" && app.site_config[0].scm_minimum_tls_version == "1.2"])
    error_message = "An app takes plain HTTP, or an old TLS."
  }

  # Has no password anywhere.
  assert {
    condition     = alltrue([for app in azurerm_function_app_flex_consumption.app : !app.webdeploy_publish_basic_authentication_enabled])
    error_message = "A publishing password is on."
  }

  assert {
    condition     = alltrue([for app in azurerm_function_app_flex_consumption.app : app.storage_authentication_type == "UserAssignedIdentity" && app.storage_access_key == null])
    error_message = "An app opens its packages with a key."
  }

  assert {
    condition     = alltrue([for app in azurerm_function_app_flex_consumption.app : app.app_settings["AzureWebJobsStorage__credential"] == "managedidentity" && !contains(keys(app.app_settings), "AzureWebJobsStorage")])
    error_message = "The Functions host opens its storage with a connection string."
  }

  assert {
    condition     = alltrue([for app in azurerm_function_app_flex_consumption.app : app.identity[0].type == "UserAssigned" && startswith(app.app_settings["APPLICATIONINSIGHTS_AUTHENTICATION_STRING"], "Authorization=AAD")])
    error_message = "An app has another identity than its own, or writes logs without one."
  }

  assert {
    condition     = !azurerm_application_insights.cell.local_authentication_enabled && !azurerm_log_analytics_workspace.cell.local_authentication_enabled
    error_message = "Whoever knows a key may write logs."
  }

  assert {
    condition     = alltrue([for app in azurerm_function_app_flex_consumption.app : !app.site_config[0].remote_debugging_enabled])
    error_message = "A debugger may attach to an app."
  }

  # Stands in a network of its own.
  assert {
    condition     = alltrue([for app in azurerm_function_app_flex_consumption.app : app.virtual_network_subnet_id == azurerm_subnet.workers[0].id && app.site_config[0].vnet_route_all_enabled])
    error_message = "An app does not stand in the network."
  }

  assert {
    condition     = length(azurerm_private_endpoint.state) == 1 && length(azurerm_private_endpoint.lake) == 1 && toset(keys(azurerm_private_endpoint.host)) == toset(["blob", "queue", "table"]) && toset(keys(azurerm_private_endpoint.app)) == toset(["worker", "relay"])
    error_message = "A part has no private address."
  }

  assert {
    condition     = alltrue([for group in [azurerm_network_security_group.workers[0], azurerm_network_security_group.endpoints[0]] : alltrue([for rule in group.security_rule : !(rule.direction == "Inbound" && rule.access == "Allow" && contains(["*", "Internet", "0.0.0.0/0"], rule.source_address_prefix))]) && anytrue([for rule in group.security_rule : rule.direction == "Inbound" && rule.access == "Deny" && rule.priority == 4096])])
    error_message = "A network lets the internet in."
  }

  assert {
    condition     = toset([for rule in azurerm_network_security_group.workers[0].security_rule : rule.destination_address_prefix if rule.direction == "Outbound" && rule.access == "Allow"]) == toset(["AzureMonitor", "VirtualNetwork"])
    error_message = "Workers may open connections to the internet."
  }

  assert {
    condition     = length(azurerm_subnet_network_security_group_association.workers) == 1 && length(azurerm_subnet_network_security_group_association.endpoints) == 1
    error_message = "A subnet has no rules."
  }

  # Keeps logs for a year.
  assert {
    condition     = azurerm_log_analytics_workspace.cell.retention_in_days == 365 && azurerm_application_insights.cell.retention_in_days == 365
    error_message = "Logs are gone before a year is over."
  }

  assert {
    condition     = toset(keys(azurerm_monitor_diagnostic_setting.cell)) == toset(["state", "lake", "host", "host-queues", "worker", "relay"]) && alltrue([for kept in azurerm_monitor_diagnostic_setting.cell : length(kept.enabled_log) > 0])
    error_message = "Nobody can tell who changed a part, or read it."
  }

  assert {
    condition     = contains([for log in azurerm_monitor_diagnostic_setting.cell["state"].enabled_log : log.category], "ControlPlaneRequests") && contains([for log in azurerm_monitor_diagnostic_setting.cell["lake"].enabled_log : log.category], "StorageRead") && endswith(azurerm_monitor_diagnostic_setting.cell["host-queues"].target_resource_id, "/queueServices/default")
    error_message = "Changes of the account, reads of the lake, or the host's queues leave no trace."
  }

  # Locks what must not be deleted.
  assert {
    condition     = toset(keys(azurerm_management_lock.cell)) == toset(["state", "lake", "logs"]) && alltrue([for lock in azurerm_management_lock.cell : lock.lock_level == "CanNotDelete"]) && output.cell.protected
    error_message = "State, lake or logs can be deleted."
  }
}

run "serves_the_known_edge_and_no_other" {
  variables {
    edge_cidrs = ["203.0.113.0/24"]
  }

  assert {
    condition     = azurerm_function_app_flex_consumption.app["worker"].public_network_access_enabled && azurerm_function_app_flex_consumption.app["worker"].site_config[0].ip_restriction_default_action == "Deny" && [for rule in azurerm_function_app_flex_consumption.app["worker"].site_config[0].ip_restriction : rule.ip_address] == ["203.0.113.0/24"]
    error_message = "The worker answers others than the edge."
  }

  assert {
    condition     = azurerm_function_app_flex_consumption.app["worker"].site_config[0].scm_ip_restriction_default_action == "Deny" && !azurerm_function_app_flex_consumption.app["worker"].site_config[0].scm_use_main_ip_restriction && length(azurerm_function_app_flex_consumption.app["worker"].site_config[0].scm_ip_restriction) == 0
    error_message = "The edge, or anybody, may replace the worker."
  }

  assert {
    condition     = !azurerm_function_app_flex_consumption.app["relay"].public_network_access_enabled
    error_message = "The relay got a public way in with the worker."
  }
}

run "unlocks_it_to_be_torn_down" {
  variables {
    protect = false
  }

  assert {
    condition     = length(azurerm_management_lock.cell) == 0 && !output.cell.protected
    error_message = "A cell that nobody protects cannot be torn down."
  }
}

run "takes_a_key_of_the_customer" {
  variables {
    azure_customer_key = {
      key_id      = "https://keys.vault.azure.net/keys/cell"
      identity_id = "/subscriptions/11111111-1111-1111-1111-111111111111/resourceGroups/keys/providers/Microsoft.ManagedIdentity/userAssignedIdentities/keys"
    }
  }

  assert {
    condition     = azurerm_cosmosdb_account.state.key_vault_key_id == "https://keys.vault.azure.net/keys/cell" && azurerm_storage_account.account["lake"].customer_managed_key[0].key_vault_key_id == "https://keys.vault.azure.net/keys/cell" && output.cell.resources.key == "https://keys.vault.azure.net/keys/cell"
    error_message = "State or lake are not encrypted with the key that was named."
  }
}

run "lets_workers_out_to_standbys_only_where_wanted" {
  variables {
    azure_standby_egress = true
  }

  assert {
    condition     = contains([for rule in azurerm_network_security_group.workers[0].security_rule : rule.destination_address_prefix if rule.direction == "Outbound" && rule.access == "Allow"], "Internet")
    error_message = "A home cannot push to its standby."
  }
}
