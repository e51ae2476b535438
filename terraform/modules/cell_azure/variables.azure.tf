# What only Azure asks for. Everything has a default: a cell needs the contract's inputs and no more.

variable "azure_request_units_max" {
  description = "How many request units a second the state may use; it scales from a tenth of this, and is billed for what the busiest second of an hour took."
  type        = number
  default     = 4000
  nullable    = false

  validation {
    condition     = var.azure_request_units_max >= 1000 && var.azure_request_units_max <= 1000000 && var.azure_request_units_max % 1000 == 0
    error_message = "azure_request_units_max is a multiple of 1000, from 1000 to 1000000."
  }
}

variable "azure_requests_per_instance" {
  description = "How many requests one instance serves at once; Lambda's is always 1 (DEVIATIONS.md)."
  type        = number
  default     = 16
  nullable    = false

  validation {
    condition     = var.azure_requests_per_instance >= 1 && var.azure_requests_per_instance <= 32 && floor(var.azure_requests_per_instance) == var.azure_requests_per_instance
    error_message = "azure_requests_per_instance is a whole number from 1 to 32: host.json in the zip admits no more."
  }
}

variable "azure_zone_redundant" {
  description = "Whether worker, state and storage survive the loss of one zone; only regions with zones can."
  type        = bool
  default     = true
  nullable    = false
}

variable "azure_deployer_cidrs" {
  description = "From where packages may be published to the workers, beside the cell's own network; the runners' addresses."
  type        = list(string)
  default     = []
  nullable    = false

  validation {
    condition     = alltrue([for cidr in var.azure_deployer_cidrs : can(cidrhost(cidr, 0)) && try(tonumber(split("/", cidr)[1]), 0) >= 24])
    error_message = "azure_deployer_cidrs are ranges of /24 or smaller: few machines may replace a worker."
  }
}

variable "azure_logs_gb_daily" {
  description = "How much may be logged in a day before the rest is dropped; 100 commands/s log about 12 GB."
  type        = number
  default     = 50
  nullable    = false

  validation {
    condition     = var.azure_logs_gb_daily >= 1 && var.azure_logs_gb_daily <= 1000
    error_message = "azure_logs_gb_daily is 1 to 1000."
  }
}

variable "azure_standby_egress" {
  description = "Whether workers in the private network may open connections to other cells: what tenants with acknowledgements from a standby need."
  type        = bool
  default     = false
  nullable    = false

  validation {
    condition     = !var.azure_standby_egress || var.private_network
    error_message = "azure_standby_egress belongs to a private network; without one every connection is open."
  }
}

variable "azure_peered_network_ids" {
  description = "Networks in Azure, by resource id, that resolve the cell's private names: the edge's and the runners', once they are peered."
  type        = map(string)
  default     = {}
  nullable    = false

  validation {
    condition     = alltrue([for name, id in var.azure_peered_network_ids : can(regex("^[a-z0-9-]{1,40}$", name)) && can(regex("(?i)^/subscriptions/[^/]+/resourceGroups/[^/]+/providers/Microsoft.Network/virtualNetworks/[^/]+$", id))])
    error_message = "azure_peered_network_ids maps short names to ids of virtual networks (/subscriptions/…/virtualNetworks/…)."
  }
}

variable "azure_customer_key" {
  description = "A key of yours that encrypts state and lake, versionless, and the identity that may use it; null leaves both to keys that Azure keeps (DEVIATIONS.md)."
  type = object({
    key_id      = string
    identity_id = string
  })
  default = null

  validation {
    condition     = var.azure_customer_key == null || can(regex("^https://[a-z0-9-]+\\.(vault|managedhsm)\\.azure\\.net/keys/[A-Za-z0-9-]+$", var.azure_customer_key.key_id))
    error_message = "azure_customer_key.key_id is https://<vault>.vault.azure.net/keys/<name>, without a version, so that the key can rotate."
  }
}

variable "azure_publish" {
  description = "Whether an apply publishes the zips with the Azure CLI, as the identity that is signed in there; the provider itself can only do it with a password (DEVIATIONS.md)."
  type        = bool
  default     = true
  nullable    = false
}
