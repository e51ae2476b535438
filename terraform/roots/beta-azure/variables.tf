variable "subscription_id" {
  description = "The subscription that this cell belongs to."
  type        = string
  nullable    = false

  validation {
    condition     = can(regex("^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$", var.subscription_id))
    error_message = "subscription_id is a GUID in lower case; `az account show` prints it."
  }
}

variable "region" {
  description = "Where the cell stands."
  type        = string
  default     = "westeurope"
  nullable    = false

  validation {
    condition     = can(regex("^[a-z]+[0-9]?$", var.region))
    error_message = "region is a region of Azure by its short name, such as westeurope."
  }
}

variable "package_dir" {
  description = "Where `make build` wrote the zips."
  type        = string
  default     = "../../../dist"
  nullable    = false

  validation {
    condition     = fileexists("${var.package_dir}/azure_worker.zip")
    error_message = "package_dir holds no azure_worker.zip: run `make build`."
  }
}

variable "with_relay" {
  description = "Whether azure_relay.zip is deployed too."
  type        = bool
  default     = false
  nullable    = false
}

variable "grant_keys" {
  description = "The JWKS with the public keys of the edge and the control plane."
  type        = string
  nullable    = false

  validation {
    condition     = can(jsondecode(var.grant_keys).keys)
    error_message = "grant_keys is the text of a JSON Web Key Set."
  }
}

variable "alarm_emails" {
  description = "Who is called."
  type        = list(string)
  nullable    = false

  validation {
    condition     = length(var.alarm_emails) > 0
    error_message = "alarm_emails names at least one address."
  }
}

variable "standby_egress" {
  description = "Whether the cell's tenants may have acknowledgements from a standby."
  type        = bool
  default     = false
  nullable    = false
}

variable "protect" {
  description = "Whether state, backups and keys are protected against deletion. Turn it off only to tear the cell down."
  type        = bool
  default     = true
  nullable    = false
}

variable "edge_cidrs" {
  description = "From where the edge calls: Cloudflare publishes its ranges (https://www.cloudflare.com/ips/), a router of your own has its addresses. Empty: only networks that are peered with the cell's reach it."
  type        = list(string)
  default     = []
  nullable    = false

  validation {
    condition     = alltrue([for cidr in var.edge_cidrs : can(cidrhost(cidr, 0)) && try(tonumber(split("/", cidr)[1]), 0) >= 8])
    error_message = "edge_cidrs are ranges of /8 or smaller: the whole internet (0.0.0.0/0, ::/0) is no edge."
  }
}

variable "deployer_cidrs" {
  description = "From where zips are published. Empty: from networks that are peered with the cell's."
  type        = list(string)
  default     = []
  nullable    = false

  validation {
    condition     = alltrue([for cidr in var.deployer_cidrs : can(cidrhost(cidr, 0)) && try(tonumber(split("/", cidr)[1]), 0) >= 24])
    error_message = "deployer_cidrs are ranges of /24 or smaller: few machines may replace a worker."
  }
}

variable "peered_network_ids" {
  description = "Networks that resolve the cell's private names, by a short name each."
  type        = map(string)
  default     = {}
  nullable    = false
}

variable "publish" {
  description = "Whether an apply publishes the zips with the Azure CLI."
  type        = bool
  default     = true
  nullable    = false
}
