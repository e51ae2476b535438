# Publishing the zips. The provider's own way (zip_deploy_file) needs the password that is turned
# off above, and it leaves an AzureWebJobsStorage behind at every update of an app, which the host
# would prefer to the identity. So the Azure CLI does both, after every such update.

locals {
  packages = merge(
    { worker = var.worker_package },
    { for name in keys(local.relays) : name => var.relay_package },
  )
}

resource "terraform_data" "package" {
  for_each = local.packages

  # What stands there; the contract is held against this.
  input = { app = local.names[each.key], sha256 = each.value.sha256 }
}

resource "terraform_data" "publish_worker" {
  count = var.azure_publish ? 1 : 0

  triggers_replace = [terraform_data.package["worker"].output]

  lifecycle {
    replace_triggered_by = [azurerm_function_app_flex_consumption.worker]
  }

  provisioner "local-exec" {
    interpreter = ["bash", "-euo", "pipefail"]
    command     = "${path.module}/publish.sh"
    environment = {
      GROUP   = local.group
      APP     = azurerm_function_app_flex_consumption.worker.name
      PACKAGE = var.worker_package.path
    }
  }

  depends_on = [
    azurerm_role_assignment.host, azurerm_private_endpoint.cell, azurerm_private_dns_zone_virtual_network_link.cell,
    azurerm_private_dns_zone_virtual_network_link.peered,
  ]
}

resource "terraform_data" "publish_relay" {
  count = var.azure_publish && local.has_relay ? 1 : 0

  triggers_replace = [terraform_data.package["relay"].output]

  lifecycle {
    replace_triggered_by = [azurerm_function_app_flex_consumption.relay]
  }

  provisioner "local-exec" {
    interpreter = ["bash", "-euo", "pipefail"]
    command     = "${path.module}/publish.sh"
    environment = {
      GROUP   = local.group
      APP     = azurerm_function_app_flex_consumption.relay["relay"].name
      PACKAGE = var.relay_package.path
    }
  }

  depends_on = [
    azurerm_role_assignment.host, azurerm_private_endpoint.cell, azurerm_private_dns_zone_virtual_network_link.cell,
    azurerm_private_dns_zone_virtual_network_link.peered,
  ]
}
