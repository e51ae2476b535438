output "backend" {
  description = "What the cell's root is initialised with: write it to backend.hcl."
  value = {
    resource_group_name  = azurerm_resource_group.state.name
    storage_account_name = azurerm_storage_account.state.name
    container_name       = azurerm_storage_container.state.name
    subscription_id      = var.subscription_id
  }
}

output "identities" {
  description = "The client ids that the workflows name: AZURE_PLAN_CLIENT_ID and AZURE_APPLY_CLIENT_ID."
  value       = { for name, identity in azurerm_user_assigned_identity.ci : name => identity.client_id }
}
