# Cell beta, on Azure. Everything that a cell is stands in the module; here stands which one it is.

module "cell" {
  source = "../../modules/cell_azure"

  cell_id = "beta"
  ordinal = 2
  region  = var.region

  worker_package = {
    path   = "${var.package_dir}/azure_worker.zip"
    sha256 = filesha256("${var.package_dir}/azure_worker.zip")
  }

  relay_package = {
    path   = var.with_relay ? "${var.package_dir}/azure_relay.zip" : ""
    sha256 = var.with_relay ? filesha256("${var.package_dir}/azure_relay.zip") : ""
  }

  auth       = { jwks = var.grant_keys }
  alarms     = { emails = var.alarm_emails }
  edge_cidrs = var.edge_cidrs
  protect    = var.protect

  azure_deployer_cidrs     = var.deployer_cidrs
  azure_peered_network_ids = var.peered_network_ids
  azure_standby_egress     = var.standby_egress
  azure_publish            = var.publish
}
