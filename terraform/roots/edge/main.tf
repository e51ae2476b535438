# The edge. It knows cells by the documents that they published, never by their states: planning it
# asks no other cloud for anything.

locals {
  documents = fileset(var.cells_dir, "*.json")
}

module "edge" {
  source = "../../modules/edge_cloudflare"

  account_id    = var.account_id
  zone_id       = var.zone_id
  hostname      = var.hostname
  bundle        = var.bundle_dir
  cells         = [for name in sort(local.documents) : jsondecode(file("${var.cells_dir}/${name}"))]
  registry_keys = var.registry_keys
  issuers       = var.issuers
  secrets       = var.secrets
  zone_settings = var.zone_settings
}
