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
    condition     = strcontains(var.hostname, ".") && !strcontains(var.hostname, "*")
    error_message = "hostname is a full name, such as api.example.com, without a wildcard."
  }
}

variable "cells_dir" {
  description = "The folder with the cells' documents; `make deploy` writes them there, one for each cell."
  type        = string
  default     = "../../cells"
  nullable    = false

  validation {
    condition     = length(fileset(var.cells_dir, "*.json")) > 0
    error_message = "cells_dir holds no document of a cell: deploy a cell first."
  }
}

variable "bundle_dir" {
  description = "Where `make build` wrote the Worker."
  type        = string
  default     = "../../../dist/worker"
  nullable    = false

  validation {
    condition     = fileexists("${var.bundle_dir}/src/entry.py")
    error_message = "bundle_dir holds no Worker: run `make build`."
  }
}

variable "registry_keys" {
  description = "The JWKS with the public keys that sign registries."
  type        = string
  nullable    = false

  validation {
    condition     = can(jsondecode(var.registry_keys).keys)
    error_message = "registry_keys is the text of a JSON Web Key Set."
  }
}

variable "issuers" {
  description = "Who signs clients' tokens; the module says what each part means."
  type = list(object({
    issuer       = string
    audience     = string
    algorithms   = list(string)
    jwks_url     = string
    tenant_claim = optional(string, "tenant")
  }))
  default  = []
  nullable = false
}

variable "secrets" {
  description = "Which secrets the Worker holds already; empty for the first apply."
  type        = set(string)
  default     = ["GRANT_KEY"]
  nullable    = false
}

variable "zone_settings" {
  description = "Whether the whole zone is set to https, TLS 1.2 and checked certificates."
  type        = bool
  default     = true
  nullable    = false
}
