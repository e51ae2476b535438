# What only AWS asks. Every input here has a default and begins with aws_.

variable "aws_ingress" {
  description = "How requests reach the worker: http_api takes every bearer of a grant; function_url takes AWS's own signature too, from aws_url_principals, and the grant in X-Cell-Grant."
  type        = string
  default     = "http_api"
  nullable    = false

  validation {
    condition     = contains(["http_api", "function_url"], var.aws_ingress)
    error_message = "aws_ingress is http_api or function_url."
  }
}

variable "aws_url_principals" {
  description = "ARNs of the accounts' roles and users that may sign requests to the Function URL."
  type        = list(string)
  default     = []
  nullable    = false

  validation {
    condition     = alltrue([for arn in var.aws_url_principals : can(regex("^arn:aws[a-z-]*:iam::[0-9]{12}:(role|user)/[^*]+$", arn))])
    error_message = "aws_url_principals are ARNs of IAM roles and users, without wildcards."
  }

  validation {
    condition     = (var.aws_ingress == "function_url") == (length(var.aws_url_principals) > 0)
    error_message = "aws_url_principals are given with aws_ingress = function_url, and only then."
  }
}

variable "aws_throttle" {
  description = "Requests a second, and at once, that the HTTP API lets through; the rest is answered 429 before it costs anything."
  type = object({
    rate_per_s = optional(number, 1000)
    burst      = optional(number, 500)
  })
  default  = {}
  nullable = false

  validation {
    condition     = var.aws_throttle.rate_per_s >= 1 && var.aws_throttle.rate_per_s <= 10000 && var.aws_throttle.burst >= 1 && var.aws_throttle.burst <= 5000
    error_message = "aws_throttle: rate_per_s is 1 to 10000, burst 1 to 5000: what an account gets."
  }
}

variable "aws_tracing" {
  description = "Whether the worker sends traces to X-Ray; it costs about 0.2 s of a cold start."
  type        = bool
  default     = true
  nullable    = false
}

variable "aws_standby_egress" {
  description = "Whether functions in the private network may open connections to other cells through a NAT gateway: what tenants with acknowledgements from a standby need."
  type        = bool
  default     = false
  nullable    = false

  validation {
    condition     = !var.aws_standby_egress || var.private_network
    error_message = "aws_standby_egress belongs to a private network; without one every connection is open."
  }
}

variable "aws_zones" {
  description = "Letters of the two availability zones of the private network; named, so that a new zone of the region moves nothing."
  type        = list(string)
  default     = ["a", "b"]
  nullable    = false

  validation {
    condition     = length(distinct(var.aws_zones)) == 2 && length(var.aws_zones) == 2 && alltrue([for zone in var.aws_zones : can(regex("^[a-z]$", zone))])
    error_message = "aws_zones are the letters of two different zones, such as a and b."
  }
}
