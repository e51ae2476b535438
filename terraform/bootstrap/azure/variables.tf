variable "subscription_id" {
  description = "The subscription of one cell."
  type        = string
  nullable    = false

  validation {
    condition     = can(regex("^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$", var.subscription_id))
    error_message = "subscription_id is a GUID in lower case; `az account show` prints it."
  }
}

variable "region" {
  description = "The cell's region; its state lies there too."
  type        = string
  nullable    = false

  validation {
    condition     = can(regex("^[a-z]+[0-9]?$", var.region))
    error_message = "region is a region of Azure by its short name, such as westeurope."
  }
}

variable "cell_id" {
  description = "The cell that is deployed into this subscription."
  type        = string
  nullable    = false

  validation {
    condition     = can(regex("^[a-z][a-z0-9-]{1,18}[a-z0-9]$", var.cell_id))
    error_message = "cell_id has 3 to 20 lower-case letters, digits and hyphens, and begins with a letter."
  }
}

variable "repository" {
  description = "The repository on GitHub whose workflows plan and apply."
  type        = string
  nullable    = false

  validation {
    condition     = can(regex("^[A-Za-z0-9_.-]+/[A-Za-z0-9_.-]+$", var.repository))
    error_message = "repository is owner/name, without a wildcard."
  }
}

variable "environment" {
  description = "The environment on GitHub in which somebody has to agree before anything is applied."
  type        = string
  default     = "production"
  nullable    = false

  validation {
    condition     = can(regex("^[A-Za-z0-9_-]{1,50}$", var.environment))
    error_message = "environment is the name of one environment on GitHub."
  }
}

variable "runner_cidrs" {
  description = "From where the workflows run: runners with addresses of their own."
  type        = list(string)
  nullable    = false

  validation {
    condition     = length(var.runner_cidrs) > 0 && alltrue([for cidr in var.runner_cidrs : can(cidrhost(cidr, 0)) && try(tonumber(split("/", cidr)[1]), 0) >= 24 && try(tonumber(split("/", cidr)[1]), 0) <= 30])
    error_message = "runner_cidrs are ranges from /24 to /30, which is what the storage account takes."
  }
}
