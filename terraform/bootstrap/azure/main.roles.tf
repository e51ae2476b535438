# Two identities for the repository's workflows, without a secret: one that reads, for any plan, and
# one that changes, only in the environment where somebody has agreed.

locals {
  may = {
    plan = {
      subjects = { pull-request = "repo:${var.repository}:pull_request", main = "repo:${var.repository}:ref:refs/heads/main" }
      state    = "Storage Blob Data Reader"
    }
    apply = {
      subjects = { environment = "repo:${var.repository}:environment:${var.environment}" }
      state    = "Storage Blob Data Contributor"
    }
  }

  subscription = "/subscriptions/${var.subscription_id}"

  # Owner, User Access Administrator, Role Based Access Control Administrator.
  never_given = "8e3af657-a8ff-443c-a75c-2fe8c4bcb635, 18d7d88d-d35e-4fb5-a5c3-7773c20a72d9, f58310d9-a9f6-439a-9e8d-f62e7b41a168"
}

resource "azurerm_user_assigned_identity" "ci" {
  for_each = local.may

  name                = "${var.cell_id}-terraform-${each.key}"
  resource_group_name = azurerm_resource_group.state.name
  location            = azurerm_resource_group.state.location
  tags                = local.tags
}

resource "azurerm_federated_identity_credential" "ci" {
  for_each = merge([
    for name, may in local.may : { for event, subject in may.subjects : "${name}-${event}" => { identity = name, subject = subject } }
  ]...)

  name                = each.key
  resource_group_name = azurerm_resource_group.state.name
  parent_id           = azurerm_user_assigned_identity.ci[each.value.identity].id
  issuer              = "https://token.actions.githubusercontent.com"
  audience            = ["api://AzureADTokenExchange"]
  subject             = each.value.subject
}

# A plan reads the state without its lock, which here would be a write (`-lock=false`).
resource "azurerm_role_assignment" "state" {
  for_each = local.may

  scope                = azurerm_storage_container.state.id
  role_definition_name = each.value.state
  principal_id         = azurerm_user_assigned_identity.ci[each.key].principal_id
  principal_type       = "ServicePrincipal"
}

resource "azurerm_role_assignment" "plan" {
  scope                = local.subscription
  role_definition_name = "Reader"
  principal_id         = azurerm_user_assigned_identity.ci["plan"].principal_id
  principal_type       = "ServicePrincipal"
}

# Reader may not see an app's settings, which a plan compares. They hold no secret.
resource "azurerm_role_definition" "settings_reader" {
  name              = "${var.cell_id} settings reader"
  scope             = local.subscription
  assignable_scopes = [local.subscription]

  permissions {
    actions = ["Microsoft.Web/sites/config/list/action"]
  }
}

resource "azurerm_role_assignment" "settings" {
  scope              = local.subscription
  role_definition_id = azurerm_role_definition.settings_reader.role_definition_resource_id
  principal_id       = azurerm_user_assigned_identity.ci["plan"].principal_id
  principal_type     = "ServicePrincipal"
}

# The subscription is the cell's own. Contributor has no way to tenants' data: the accounts have no
# keys that open them.
resource "azurerm_role_assignment" "apply" {
  scope                = local.subscription
  role_definition_name = "Contributor"
  principal_id         = azurerm_user_assigned_identity.ci["apply"].principal_id
  principal_type       = "ServicePrincipal"
}

resource "azurerm_role_definition" "access" {
  name              = "${var.cell_id} access"
  description       = "Gives a cell's identities their roles, and locks what must not be deleted."
  scope             = local.subscription
  assignable_scopes = [local.subscription]

  permissions {
    actions = [
      "Microsoft.Authorization/locks/delete",
      "Microsoft.Authorization/locks/read",
      "Microsoft.Authorization/locks/write",
      "Microsoft.Authorization/roleAssignments/delete",
      "Microsoft.Authorization/roleAssignments/read",
      "Microsoft.Authorization/roleAssignments/write",
      "Microsoft.Authorization/roleDefinitions/delete",
      "Microsoft.Authorization/roleDefinitions/read",
      "Microsoft.Authorization/roleDefinitions/write",
    ]
  }
}

resource "azurerm_role_assignment" "access" {
  scope              = local.subscription
  role_definition_id = azurerm_role_definition.access.role_definition_resource_id
  principal_id       = azurerm_user_assigned_identity.ci["apply"].principal_id
  principal_type     = "ServicePrincipal"
  # It makes nobody an administrator, itself included.
  condition_version = "2.0"
  condition         = <<-CONDITION
    (
     (
      !(ActionMatches{'Microsoft.Authorization/roleAssignments/write'})
     )
     OR
     (
      @Request[Microsoft.Authorization/roleAssignments:RoleDefinitionId] ForAnyOfAllValues:GuidNotEquals {${local.never_given}}
      AND
      @Request[Microsoft.Authorization/roleAssignments:PrincipalType] StringEqualsIgnoreCase 'ServicePrincipal'
     )
    )
  CONDITION
}
