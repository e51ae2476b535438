# Who may plan, who may apply, and how the state is kept.

variables {
  subscription_id = "11111111-1111-1111-1111-111111111111"
  region          = "westeurope"
  cell_id         = "beta"
  repository      = "example/cells"
  runner_cidrs    = ["203.0.113.0/30"]
}

mock_provider "azurerm" {
  source = "../../modules/cell_azure/tests"
}

run "keeps_the_state_and_lets_the_right_ones_in" {
  command = apply

  assert {
    condition     = azurerm_storage_account.state.blob_properties[0].versioning_enabled && azurerm_management_lock.state.lock_level == "CanNotDelete" && azurerm_storage_container.state.container_access_type == "private"
    error_message = "A state could be lost, or read by others."
  }

  assert {
    condition     = !azurerm_storage_account.state.shared_access_key_enabled && azurerm_storage_account.state.min_tls_version == "TLS1_2" && azurerm_storage_account.state.network_rules[0].default_action == "Deny"
    error_message = "A key opens the state, or it is open to every network."
  }

  assert {
    condition     = alltrue([for trust in azurerm_federated_identity_credential.ci : startswith(trust.subject, "repo:example/cells:") && !strcontains(trust.subject, "*") && trust.issuer == "https://token.actions.githubusercontent.com"])
    error_message = "Another repository could take an identity."
  }

  assert {
    condition     = [for name, trust in azurerm_federated_identity_credential.ci : trust.subject if startswith(name, "apply-")] == ["repo:example/cells:environment:production"]
    error_message = "An apply needs nobody's consent."
  }

  assert {
    condition     = azurerm_role_assignment.plan.role_definition_name == "Reader" && azurerm_role_assignment.state["plan"].role_definition_name == "Storage Blob Data Reader"
    error_message = "A plan may change something."
  }

  assert {
    condition     = toset(flatten([for permission in azurerm_role_definition.settings_reader.permissions : permission.actions])) == toset(["Microsoft.Web/sites/config/list/action"])
    error_message = "A plan may do more than read settings."
  }

  assert {
    condition     = alltrue([for action in flatten([for permission in azurerm_role_definition.access.permissions : permission.actions]) : !strcontains(action, "*")]) && strcontains(azurerm_role_assignment.access.condition, "8e3af657-a8ff-443c-a75c-2fe8c4bcb635")
    error_message = "An apply may make somebody an administrator."
  }

  assert {
    condition     = output.backend.resource_group_name == "beta-terraform" && output.backend.container_name == "state"
    error_message = "The cell's root would look for its state elsewhere."
  }
}

run "refuses_runners_from_anywhere" {
  command = plan

  variables {
    runner_cidrs = ["0.0.0.0/0"]
  }

  expect_failures = [var.runner_cidrs]
}

run "refuses_any_repository" {
  command = plan

  variables {
    repository = "example/*"
  }

  expect_failures = [var.repository]
}
