output "cell" {
  description = "The cell as its neighbours see it: what the edge and the control plane are told, and what both clouds promise alike."

  value = {
    contract     = 1
    id           = var.cell_id
    ordinal      = var.ordinal
    cloud        = var.cloud
    region       = var.region
    base_url     = var.endpoint.base_url
    grant_header = var.endpoint.grant_header

    runtime = {
      language       = var.runtime.language
      version        = var.runtime.version
      package_sha256 = var.worker_package.sha256
      relay_sha256   = var.relay_package.sha256
    }

    limits = var.limits

    auth = {
      scheme  = var.auth.scheme
      issuers = sort(var.auth.issuers)
      key_ids = sort([for key in jsondecode(var.auth.jwks).keys : key.kid])
    }

    keys      = var.keys
    routes    = sort(var.routes)
    retention = var.retention
    protected = var.protect

    settings = {
      contract = sort(keys(local.contract_environment))
      cloud    = local.own_settings
    }

    resources = var.resources
    tags      = local.contract_tags
  }

  precondition {
    condition     = var.found.runtime == "${var.runtime.language}${var.runtime.version}"
    error_message = "The worker's runtime is not the contract's."
  }

  precondition {
    condition     = var.found.package_sha256 == var.worker_package.sha256
    error_message = "What was deployed is not the zip that the contract names."
  }

  precondition {
    condition     = var.found.memory_mb == var.limits.memory_mb && var.found.timeout_s == var.limits.timeout_s && var.found.max_concurrency == var.limits.max_concurrency
    error_message = "The worker's limits are not the contract's."
  }

  precondition {
    condition     = trimprefix(var.found.partition_key, "/") == var.keys.partition
    error_message = "The state's partition key is not the contract's."
  }

  precondition {
    condition     = var.found.logs_days == var.retention.logs_days
    error_message = "Logs do not stay as long as the contract says."
  }

  precondition {
    condition     = var.found.backup_days == var.retention.backup_days
    error_message = "The state cannot be restored as far back as the contract says."
  }

  precondition {
    condition     = var.found.deletion_protected == var.protect
    error_message = "The state's protection against deletion is not what the contract says."
  }

  precondition {
    condition     = alltrue([for name, value in local.contract_environment : try(var.environment[name] == value, false)])
    error_message = "The worker's environment lacks a setting of the contract, or holds another value."
  }

  precondition {
    condition     = local.own_settings == tolist(local.cloud_settings[var.cloud])
    error_message = "The worker's environment is not the contract's settings and this cloud's, and nothing beside them."
  }
}
