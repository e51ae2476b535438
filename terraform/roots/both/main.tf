# Both cells in one root, as one would draw them: for reading, for a first try, and for the test
# that holds the two against each other. What they share is written once; what differs is which
# cell, where, and which zip.

locals {
  shared = {
    auth    = { jwks = var.grant_keys }
    alarms  = { emails = var.alarm_emails }
    protect = var.protect
  }
}

module "alpha" {
  source = "../../modules/cell_aws"

  cell_id = "alpha"
  ordinal = 1
  region  = var.aws_region

  worker_package = {
    path   = "${var.package_dir}/aws_worker.zip"
    sha256 = filesha256("${var.package_dir}/aws_worker.zip")
  }

  auth    = local.shared.auth
  alarms  = local.shared.alarms
  protect = local.shared.protect
}

module "beta" {
  source = "../../modules/cell_azure"

  cell_id = "beta"
  ordinal = 2
  region  = var.azure_region

  worker_package = {
    path   = "${var.package_dir}/azure_worker.zip"
    sha256 = filesha256("${var.package_dir}/azure_worker.zip")
  }

  auth          = local.shared.auth
  alarms        = local.shared.alarms
  protect       = local.shared.protect
  azure_publish = var.publish
}
