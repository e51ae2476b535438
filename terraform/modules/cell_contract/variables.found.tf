# What a cloud's module found: read from its resources, not from its inputs, so that the contract
# is held against what will stand there.

variable "cloud" {
  description = "The cell's cloud."
  type        = string
  nullable    = false

  validation {
    condition     = contains(["aws", "azure"], var.cloud)
    error_message = "cloud is aws or azure."
  }
}

variable "endpoint" {
  description = "Where the edge reaches the cell, and in which header it takes the grant."
  type = object({
    base_url     = string
    grant_header = string
  })
  nullable = false

  validation {
    condition     = startswith(var.endpoint.base_url, "https://") && !endswith(var.endpoint.base_url, "/")
    error_message = "endpoint.base_url begins with https:// and does not end with a slash."
  }

  validation {
    condition     = contains(["authorization", "x-cell-grant"], var.endpoint.grant_header)
    error_message = "endpoint.grant_header is authorization or x-cell-grant."
  }
}

variable "environment" {
  description = "The worker's whole environment, as far as it is ours."
  type        = map(string)
  nullable    = false

  validation {
    condition     = !contains(keys(var.environment), "CELL_LOCAL")
    error_message = "environment: CELL_LOCAL belongs to the local world and to no deployed cell."
  }
}

variable "found" {
  description = "What the resources say of themselves, in one vocabulary for both clouds."
  type = object({
    runtime            = string
    package_sha256     = string
    memory_mb          = number
    timeout_s          = number
    max_concurrency    = number
    partition_key      = string
    logs_days          = number
    backup_days        = number
    deletion_protected = bool
  })
  nullable = false
}

variable "resources" {
  description = "The names under which an operator finds the cell's parts in its cloud; an empty one stands for a part that was left out."
  type = object({
    worker = string
    relay  = string
    state  = string
    lake   = string
    logs   = string
    key    = string
  })
  nullable = false
}
