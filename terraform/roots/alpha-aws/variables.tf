variable "account_id" {
  description = "The account that this cell belongs to; in any other the plan stops."
  type        = string
  nullable    = false

  validation {
    condition     = can(regex("^[0-9]{12}$", var.account_id))
    error_message = "account_id has 12 digits."
  }
}

variable "region" {
  description = "Where the cell stands."
  type        = string
  default     = "eu-central-1"
  nullable    = false

  validation {
    condition     = can(regex("^[a-z]{2}(-[a-z]+)+-[0-9]$", var.region))
    error_message = "region is a region of AWS, such as eu-central-1."
  }
}

variable "package_dir" {
  description = "Where `make build` wrote the zips."
  type        = string
  default     = "../../../dist"
  nullable    = false

  validation {
    condition     = fileexists("${var.package_dir}/aws_worker.zip")
    error_message = "package_dir holds no aws_worker.zip: run `make build`."
  }
}

variable "with_relay" {
  description = "Whether aws_relay.zip is deployed too."
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
  description = "Whether the cell's tenants may have acknowledgements from a standby: a NAT gateway."
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
