# What the edge needs to know. None of it is a secret: those never pass through Terraform.

variable "account_id" {
  description = "The account in Cloudflare."
  type        = string
  nullable    = false

  validation {
    condition     = can(regex("^[0-9a-f]{32}$", var.account_id))
    error_message = "account_id has 32 hexadecimal digits; Cloudflare's dashboard shows it."
  }
}

variable "zone_id" {
  description = "The zone that holds the edge's name."
  type        = string
  nullable    = false

  validation {
    condition     = can(regex("^[0-9a-f]{32}$", var.zone_id))
    error_message = "zone_id has 32 hexadecimal digits; the zone's overview shows it."
  }
}

variable "hostname" {
  description = "The name that clients call, within the zone."
  type        = string
  nullable    = false

  validation {
    condition     = can(regex("^([a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?\\.)+[a-z]{2,63}$", var.hostname))
    error_message = "hostname is a full name in lower case, such as api.example.com, without a wildcard."
  }
}

variable "bundle" {
  description = "The folder that `make build` wrote: dist/worker."
  type        = string
  nullable    = false

  validation {
    condition     = fileexists("${var.bundle}/wrangler.toml") && fileexists("${var.bundle}/src/entry.py")
    error_message = "bundle holds no Worker: run `make build`, and name its dist/worker."
  }
}

variable "cells" {
  description = "The cells' documents, as their modules put them out; the edge calls their hosts and no others."
  type = list(object({
    contract     = number
    id           = string
    ordinal      = number
    cloud        = string
    base_url     = string
    grant_header = string
    auth         = object({ scheme = string, issuers = list(string), key_ids = list(string) })
  }))
  nullable = false

  validation {
    condition     = length(var.cells) > 0 && length(var.cells) <= 16
    error_message = "cells are 1 to 16 documents."
  }

  validation {
    condition     = alltrue([for cell in var.cells : cell.contract == 1])
    error_message = "A cell's document follows another contract than this edge: deploy cells and edge from one commit."
  }

  validation {
    condition     = length(distinct(var.cells[*].id)) == length(var.cells) && length(distinct(var.cells[*].ordinal)) == length(var.cells)
    error_message = "Two cells share an id or an ordinal: epochs would have two owners."
  }

  validation {
    condition     = alltrue([for cell in var.cells : can(regex("^https://[a-z0-9.-]+(:443)?(/[^?#]*)?$", cell.base_url))])
    error_message = "A cell's base_url is no https:// URL."
  }

  validation {
    condition     = alltrue([for cell in var.cells : cell.auth.scheme == "grant" && contains(cell.auth.issuers, "edge")])
    error_message = "A cell takes no grants of the edge."
  }
}

variable "registry_keys" {
  description = "A JWKS with the public keys that sign registries, each with registry as its iss."
  type        = string
  nullable    = false

  validation {
    condition = try(
      length(jsondecode(var.registry_keys).keys) > 0 && alltrue([
        for key in jsondecode(var.registry_keys).keys :
        key.kty == "OKP" && key.crv == "Ed25519" && key.iss == "registry" && !can(key.d) && !startswith(key.kid, "local-world")
      ]),
      false
    )
    error_message = "registry_keys is a JWKS of public Ed25519 keys with registry as their iss, and none of the local world's."
  }
}

variable "issuers" {
  description = "Who signs clients' tokens; packages/router/worker/README.md says what each part means."
  type = list(object({
    issuer       = string
    audience     = string
    algorithms   = list(string)
    jwks_url     = string
    tenant_claim = optional(string, "tenant")
  }))
  default  = []
  nullable = false

  validation {
    condition     = alltrue([for issuer in var.issuers : startswith(issuer.jwks_url, "https://")])
    error_message = "An issuer's jwks_url begins with https://."
  }

  validation {
    condition     = alltrue([for issuer in var.issuers : length(issuer.algorithms) > 0 && length(setsubtract(issuer.algorithms, ["EdDSA", "ES256", "ES384", "PS256", "RS256"])) == 0])
    error_message = "An issuer's algorithms are public-key ones: EdDSA, ES256, ES384, PS256, RS256."
  }
}

variable "limits" {
  description = "The largest request, and its time when the client names no deadline, and the longest it may name."
  type = object({
    request_bytes_max = optional(number, 65536)
    total_ms          = optional(number, 5000)
    deadline_max_ms   = optional(number, 30000)
  })
  default  = {}
  nullable = false

  validation {
    condition     = var.limits.request_bytes_max >= 1024 && var.limits.request_bytes_max <= 4194304 && var.limits.total_ms >= 50 && var.limits.total_ms <= 60000 && var.limits.deadline_max_ms >= 50 && var.limits.deadline_max_ms <= 120000
    error_message = "limits: request_bytes_max is 1024 to 4194304, total_ms 50 to 60000, deadline_max_ms 50 to 120000."
  }
}

variable "secrets" {
  description = "Which secrets the Worker holds already (`wrangler secret put`): each version takes them over from the one before. Empty for the first apply, which gives them a Worker to be put into."
  type        = set(string)
  default     = ["GRANT_KEY"]
  nullable    = false

  validation {
    condition     = length(setsubtract(var.secrets, ["API_KEYS", "GRANT_KEY"])) == 0
    error_message = "secrets are GRANT_KEY and API_KEYS: names, never values."
  }
}

variable "zone_settings" {
  description = "Whether the whole zone is set to https, TLS 1.2 and checked certificates; turn it off where the zone has other owners."
  type        = bool
  default     = true
  nullable    = false
}
