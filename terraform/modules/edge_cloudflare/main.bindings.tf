# What the Worker is given: the registry, its public settings, and secrets by name.

resource "cloudflare_workers_kv_namespace" "registry" {
  account_id = var.account_id
  title      = "${local.name}-registry"
}

locals {
  hosts = sort(distinct([for cell in var.cells : regex("^https://([a-z0-9.-]+)", cell.base_url)[0]]))

  settings = jsonencode({
    registry_keys = jsondecode(var.registry_keys)
    host_suffixes = local.hosts
    issuers       = var.issuers
    limits        = var.limits
  })

  # A secret's value stands in no variable, plan or state: the version takes it over from the one
  # before, where `wrangler secret put` left it.
  bindings = concat(
    [
      { name = "REGISTRY", type = "kv_namespace", namespace_id = cloudflare_workers_kv_namespace.registry.id },
      { name = "SETTINGS", type = "plain_text", text = local.settings },
    ],
    [for name in sort(var.secrets) : { name = name, type = "inherit", version_id = "latest" }],
  )
}

check "settings_fit_into_a_variable" {
  assert {
    condition     = length(local.settings) <= 5120
    error_message = "The settings have more than 5 KB, which is what a Worker's variable holds: name fewer issuers."
  }
}
