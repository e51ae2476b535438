# Publishing the zips. The provider's own way (zip_deploy_file) needs the password that is turned
# off for every app, and it leaves an AzureWebJobsStorage behind at every update of one, which the
# host would prefer to the identity. So the Azure CLI does both, after every such update.

resource "terraform_data" "package" {
  for_each = local.apps

  # What stands there; the contract is held against this.
  input = { app = each.value.name, sha256 = each.value.package.sha256 }
}

resource "terraform_data" "publish" {
  for_each = var.azure_publish ? local.apps : {}

  triggers_replace = [terraform_data.package[each.key].output]

  lifecycle {
    replace_triggered_by = [azurerm_function_app_flex_consumption.app[each.key]]
  }

  provisioner "local-exec" {
    command = "${path.module}/publish.sh"
    environment = {
      GROUP   = local.group
      APP     = azurerm_function_app_flex_consumption.app[each.key].name
      PACKAGE = each.value.package.path
    }
  }

  depends_on = [
    azurerm_private_dns_zone_virtual_network_link.cell,
    azurerm_private_dns_zone_virtual_network_link.peered,
    azurerm_private_endpoint.app,
    azurerm_private_endpoint.host,
    azurerm_role_assignment.host,
  ]
}
