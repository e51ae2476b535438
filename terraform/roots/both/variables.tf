variable "aws_account_id" {
  description = "The account of cell alpha; in any other the plan stops."
  type        = string
  nullable    = false

  validation {
    condition     = can(regex("^[0-9]{12}$", var.aws_account_id))
    error_message = "aws_account_id has 12 digits."
  }
}

variable "aws_region" {
  description = "Where cell alpha stands."
  type        = string
  default     = "eu-central-1"
  nullable    = false

  validation {
    condition     = can(regex("^[a-z]{2}(-[a-z]+)+-[0-9]$", var.aws_region))
    error_message = "aws_region is a region of AWS, such as eu-central-1."
  }
}

variable "azure_subscription_id" {
  description = "The subscription of cell beta."
  type        = string
  nullable    = false

  validation {
    condition     = can(regex("^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$", var.azure_subscription_id))
    error_message = "azure_subscription_id is a GUID in lower case; `az account show` prints it."
  }
}

variable "azure_region" {
  description = "Where cell beta stands."
  type        = string
  default     = "westeurope"
  nullable    = false

  validation {
    condition     = can(regex("^[a-z]+[0-9]?$", var.azure_region))
    error_message = "azure_region is a region of Azure by its short name, such as westeurope."
  }
}

variable "package_dir" {
  description = "Where `make build` wrote the zips."
  type        = string
  default     = "../../../dist"
  nullable    = false

  validation {
    condition     = fileexists("${var.package_dir}/aws_worker.zip") && fileexists("${var.package_dir}/azure_worker.zip")
    error_message = "package_dir lacks aws_worker.zip or azure_worker.zip: run `make build`."
  }
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

variable "protect" {
  description = "Whether state, backups and keys are protected against deletion. Turn it off only to tear the cells down."
  type        = bool
  default     = true
  nullable    = false
}

variable "publish" {
  description = "Whether an apply publishes the zips with the Azure CLI."
  type        = bool
  default     = true
  nullable    = false
}
