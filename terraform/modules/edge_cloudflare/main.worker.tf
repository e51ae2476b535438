# The Worker: a version of exactly the files that `make build` wrote, and all traffic on it.

locals {
  # The same names and date as packages/router/worker/wrangler.toml; a test compares them.
  name                = "cell-router"
  compatibility_date  = "2026-09-08"
  compatibility_flags = ["python_workers"]

  sources   = { for file in fileset("${var.bundle}/src", "**") : file => "${var.bundle}/src/${file}" }
  libraries = { for file in fileset("${var.bundle}/python_modules", "**") : "python_modules/${file}" => "${var.bundle}/python_modules/${file}" }
  modules   = merge(local.sources, local.libraries)
}

resource "cloudflare_worker" "router" {
  account_id = var.account_id
  name       = local.name

  # Nobody may go around the name and its rules.
  subdomain = {
    enabled          = false
    previews_enabled = false
  }

  observability = {
    enabled = true
  }
}

resource "cloudflare_worker_version" "router" {
  account_id          = var.account_id
  worker_id           = cloudflare_worker.router.id
  main_module         = "entry.py"
  compatibility_date  = local.compatibility_date
  compatibility_flags = local.compatibility_flags
  bindings            = local.bindings

  modules = [
    for name, path in local.modules : {
      name         = name
      content_file = path
      content_type = endswith(name, ".py") ? "text/x-python" : "application/octet-stream"
    }
  ]

  annotations = {
    # What stands there can be traced to what was built.
    workers_tag = substr(sha256(join("", [for name in sort(keys(local.modules)) : "${name} ${filesha256(local.modules[name])}\n"])), 0, 16)
  }
}

resource "cloudflare_workers_deployment" "router" {
  account_id  = var.account_id
  script_name = cloudflare_worker.router.name
  strategy    = "percentage"

  versions = [{ version_id = cloudflare_worker_version.router.id, percentage = 100 }]
}
