variable "account_id" {
  description = "The account of one cell."
  type        = string
  nullable    = false

  validation {
    condition     = can(regex("^[0-9]{12}$", var.account_id))
    error_message = "account_id has 12 digits."
  }
}

variable "region" {
  description = "The cell's region; its state lies there too."
  type        = string
  nullable    = false

  validation {
    condition     = can(regex("^[a-z]{2}(-[a-z]+)+-[0-9]$", var.region))
    error_message = "region is a region of AWS, such as eu-central-1."
  }
}

variable "cell_id" {
  description = "The cell that is deployed into this account; the names of its roles begin with it."
  type        = string
  nullable    = false

  validation {
    condition     = can(regex("^[a-z][a-z0-9-]{1,18}[a-z0-9]$", var.cell_id))
    error_message = "cell_id is a cell's name, as the contract has it."
  }
}

variable "repository" {
  description = "The GitHub repository whose workflows plan and apply, as owner/name."
  type        = string
  nullable    = false

  validation {
    condition     = can(regex("^[A-Za-z0-9_.-]+/[A-Za-z0-9_.-]+$", var.repository))
    error_message = "repository is owner/name, without wildcards."
  }
}

variable "environment" {
  description = "The GitHub environment that an apply runs in; it is there that somebody has to agree."
  type        = string
  default     = "production"
  nullable    = false

  validation {
    condition     = can(regex("^[A-Za-z0-9_-]+$", var.environment))
    error_message = "environment is the name of a GitHub environment."
  }
}
