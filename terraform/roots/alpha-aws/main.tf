# Cell alpha, on AWS. Everything that a cell is stands in the module; here stands which one it is.

module "cell" {
  source = "../../modules/cell_aws"

  cell_id = "alpha"
  ordinal = 1
  region  = var.region

  worker_package = {
    path   = "${var.package_dir}/aws_worker.zip"
    sha256 = filesha256("${var.package_dir}/aws_worker.zip")
  }

  relay_package = {
    path   = var.with_relay ? "${var.package_dir}/aws_relay.zip" : ""
    sha256 = var.with_relay ? filesha256("${var.package_dir}/aws_relay.zip") : ""
  }

  auth               = { jwks = var.grant_keys }
  alarms             = { emails = var.alarm_emails }
  protect            = var.protect
  aws_standby_egress = var.standby_egress
}
