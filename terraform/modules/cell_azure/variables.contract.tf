# What must be equal in every cell, whatever its cloud. This file stands byte for byte in
# cell_contract, cell_aws and cell_azure, and a test compares the three. A cloud's own inputs begin
# with its name, have a default and stand in variables.<cloud>.tf.

variable "cell_id" {
  description = "The cell's name on the wire, the audience of its grants, and part of every resource's name."
  type        = string
  nullable    = false

  validation {
    condition     = can(regex("^[a-z][a-z0-9-]{1,18}[a-z0-9]$", var.cell_id)) && !strcontains(var.cell_id, "--")
    error_message = "cell_id has 3 to 20 lower-case letters, digits and single hyphens, begins with a letter and ends with none of the hyphens."
  }
}

variable "ordinal" {
  description = "The remainder of the epochs that this cell owns; no two cells share one, and it never changes."
  type        = number
  nullable    = false

  validation {
    condition     = var.ordinal >= 0 && var.ordinal <= 15 && floor(var.ordinal) == var.ordinal
    error_message = "ordinal is a whole number from 0 to 15."
  }
}

variable "region" {
  description = "The region that holds everything of this cell, as its cloud spells it."
  type        = string
  nullable    = false

  validation {
    condition     = can(regex("^[a-z][a-z0-9-]{2,31}$", var.region))
    error_message = "region is a region's short name, such as eu-central-1 or westeurope."
  }
}

variable "worker_package" {
  description = "The finished zip of the worker, and the SHA-256 of its bytes in hexadecimal; nothing is built during a plan."
  type = object({
    path   = string
    sha256 = string
  })
  nullable = false

  validation {
    condition     = endswith(var.worker_package.path, ".zip") && can(regex("^[0-9a-f]{64}$", var.worker_package.sha256))
    error_message = "worker_package names a .zip and the 64 lower-case hexadecimal digits of its SHA-256."
  }

  validation {
    condition     = try(filesha256(var.worker_package.path), "") == var.worker_package.sha256
    error_message = "worker_package: the file at path is missing, or is not the one that sha256 names. Run `make build`."
  }
}

variable "relay_package" {
  description = "The finished zip of the relay, which follows the cell's changes, and its SHA-256; an empty path leaves the relay out."
  type = object({
    path   = string
    sha256 = string
  })
  default = {
    path   = ""
    sha256 = ""
  }
  nullable = false

  validation {
    condition     = var.relay_package.path == "" || (endswith(var.relay_package.path, ".zip") && can(regex("^[0-9a-f]{64}$", var.relay_package.sha256)))
    error_message = "relay_package names a .zip and the 64 lower-case hexadecimal digits of its SHA-256, or nothing at all."
  }

  validation {
    condition     = var.relay_package.path == "" || try(filesha256(var.relay_package.path), "") == var.relay_package.sha256
    error_message = "relay_package: the file at path is missing, or is not the one that sha256 names. Run `make build`."
  }
}

variable "runtime" {
  description = "What runs the zips."
  type = object({
    language = optional(string, "python")
    version  = optional(string, "3.13")
  })
  default  = {}
  nullable = false

  validation {
    condition     = var.runtime.language == "python" && var.runtime.version == "3.13"
    error_message = "runtime is python 3.13: the zips hold libraries compiled for it, and both clouds offer it."
  }
}

variable "limits" {
  description = "Memory and time of one invocation, how many run at once, and the largest request."
  type = object({
    memory_mb       = optional(number, 2048)
    timeout_s       = optional(number, 30)
    max_concurrency = optional(number, 100)
    body_bytes_max  = optional(number, 4194304)
  })
  default  = {}
  nullable = false

  validation {
    condition     = contains([512, 2048, 4096], var.limits.memory_mb)
    error_message = "limits.memory_mb is 512, 2048 or 4096: the sizes that both clouds offer."
  }

  validation {
    condition     = var.limits.timeout_s == 30
    error_message = "limits.timeout_s is 30: what host.json in the zip says, and the most that an HTTP API waits."
  }

  validation {
    condition     = var.limits.max_concurrency >= 40 && var.limits.max_concurrency <= 1000 && floor(var.limits.max_concurrency) == var.limits.max_concurrency
    error_message = "limits.max_concurrency is a whole number from 40 to 1000: what Flex Consumption takes."
  }

  validation {
    condition     = var.limits.body_bytes_max == 4194304
    error_message = "limits.body_bytes_max is 4194304: what the worker reads at most, and both clouds carry."
  }
}

variable "auth" {
  description = "Who may call: bearers of grants signed by one of these public keys. The worker verifies them, in both clouds with the same code."
  type = object({
    scheme  = optional(string, "grant")
    issuers = optional(list(string), ["control", "edge"])
    jwks    = string
  })
  nullable = false

  validation {
    condition     = var.auth.scheme == "grant"
    error_message = "auth.scheme is grant: no cell is open, and none has a scheme of its own."
  }

  validation {
    condition     = toset(var.auth.issuers) == toset(["control", "edge"])
    error_message = "auth.issuers are control and edge."
  }

  validation {
    condition = try(
      length(jsondecode(var.auth.jwks).keys) > 0 && alltrue([
        for key in jsondecode(var.auth.jwks).keys :
        contains(["OKP", "RSA"], key.kty) && contains(var.auth.issuers, key.iss) && length(key.kid) > 0
      ]),
      false
    )
    error_message = "auth.jwks is a JSON Web Key Set of OKP or RSA keys, each with a kid and, as iss, who signs with it: edge or control."
  }

  validation {
    condition     = try(alltrue([for key in jsondecode(var.auth.jwks).keys : length(setintersection(keys(key), ["d", "p", "q", "dp", "dq", "qi", "k"])) == 0]), false)
    error_message = "auth.jwks holds public keys only: a private half was given. Take it out, and replace that key."
  }

  validation {
    condition     = try(alltrue([for key in jsondecode(var.auth.jwks).keys : !startswith(key.kid, "local-world")]), false)
    error_message = "auth.jwks names a key of the local world, which no deployed cell may trust."
  }
}

variable "keys" {
  description = "What the state is partitioned by."
  type = object({
    partition = optional(string, "pk")
  })
  default  = {}
  nullable = false

  validation {
    condition     = var.keys.partition == "pk"
    error_message = "keys.partition is pk: the worker writes no other."
  }
}

variable "routes" {
  description = "What the worker answers below the cell's base URL; each ends a path or, with a slash at its end, begins one."
  type        = list(string)
  default     = ["/healthz", "/openapi.json", "/process", "/readyz", "/v1/"]
  nullable    = false

  validation {
    condition     = tolist(sort(var.routes)) == tolist(["/healthz", "/openapi.json", "/process", "/readyz", "/v1/"])
    error_message = "routes are those of the worker: /healthz, /openapi.json, /process, /readyz and everything below /v1/."
  }
}

variable "retention" {
  description = "For how many days logs stay, and how far back the state can be restored to any second."
  type = object({
    logs_days   = optional(number, 365)
    backup_days = optional(number, 30)
  })
  default  = {}
  nullable = false

  validation {
    condition     = contains([365, 400, 545], var.retention.logs_days)
    error_message = "retention.logs_days is 365, 400 or 545: a year at least, and a number that both clouds take."
  }

  validation {
    condition     = contains([7, 30], var.retention.backup_days)
    error_message = "retention.backup_days is 7 or 30: the windows that both clouds offer."
  }
}

variable "alarms" {
  description = "When somebody is called: failed invocations, throttles and the slowest hundredth within five minutes, and how old the newest unread change may be."
  type = object({
    errors_max          = optional(number, 5)
    throttles_max       = optional(number, 10)
    duration_ms_p99_max = optional(number, 2000)
    change_lag_s_max    = optional(number, 60)
    emails              = list(string)
  })
  nullable = false

  validation {
    condition     = var.alarms.errors_max > 0 && var.alarms.throttles_max > 0 && var.alarms.duration_ms_p99_max > 0 && var.alarms.change_lag_s_max > 0
    error_message = "alarms: every threshold is above 0."
  }

  validation {
    condition     = length(var.alarms.emails) > 0 && length(var.alarms.emails) <= 10 && alltrue([for email in var.alarms.emails : can(regex("^[^@ ]+@[^@ ]+\\.[^@ ]+$", email))])
    error_message = "alarms.emails are 1 to 10 addresses: an alarm that nobody gets is none."
  }
}

variable "budget_usd_monthly" {
  description = "What the cell may cost a month, in US dollars; at 80 % and at 100 % the alarms' addresses get a message."
  type        = number
  default     = 200
  nullable    = false

  validation {
    condition     = var.budget_usd_monthly > 0 && floor(var.budget_usd_monthly) == var.budget_usd_monthly
    error_message = "budget_usd_monthly is a whole number of dollars above 0."
  }
}

variable "log_level" {
  description = "How much the worker logs; never a body, at no level."
  type        = string
  default     = "INFO"
  nullable    = false

  validation {
    condition     = contains(["DEBUG", "INFO", "WARNING", "ERROR"], var.log_level)
    error_message = "log_level is DEBUG, INFO, WARNING or ERROR."
  }
}

variable "store_timeouts_s" {
  description = "Bounds of one call to the database, in seconds: to connect, and to read the answer."
  type = object({
    connect = optional(number, 0.5)
    read    = optional(number, 0.8)
  })
  default  = {}
  nullable = false

  validation {
    condition     = var.store_timeouts_s.connect > 0 && var.store_timeouts_s.connect <= 5 && var.store_timeouts_s.read > 0 && var.store_timeouts_s.read <= 10
    error_message = "store_timeouts_s: connect is above 0 and at most 5, read above 0 and at most 10."
  }
}

variable "private_network" {
  description = "Whether the worker stands in a network of the cell's own and reaches its database and its lake over private addresses only."
  type        = bool
  default     = true
  nullable    = false
}

variable "network_cidr" {
  description = "The addresses of the cell's own network."
  type        = string
  default     = "10.64.0.0/22"
  nullable    = false

  validation {
    condition     = can(regex("^(10\\.|172\\.(1[6-9]|2[0-9]|3[01])\\.|192\\.168\\.)", var.network_cidr)) && can(cidrhost(var.network_cidr, 0)) && try(tonumber(split("/", var.network_cidr)[1]), 0) >= 16 && try(tonumber(split("/", var.network_cidr)[1]), 32) <= 24
    error_message = "network_cidr is a private IPv4 range from /16 to /24, such as 10.64.0.0/22."
  }
}

variable "edge_cidrs" {
  description = "Where the edge calls from, if its addresses are known; an ingress that can refuse others does. The grant is asked for in any case."
  type        = list(string)
  default     = []
  nullable    = false

  validation {
    condition     = alltrue([for cidr in var.edge_cidrs : can(cidrhost(cidr, 0)) && try(tonumber(split("/", cidr)[1]), 0) >= 8])
    error_message = "edge_cidrs are ranges of /8 or smaller: the whole internet (0.0.0.0/0, ::/0) is no edge."
  }
}

variable "protect" {
  description = "Whether state, backups and keys are protected against deletion. Turn it off only to tear a cell down."
  type        = bool
  default     = true
  nullable    = false
}

variable "tags" {
  description = "Tags of every resource, beside the cell's own."
  type        = map(string)
  default     = {}
  nullable    = false

  validation {
    condition     = length(var.tags) <= 20 && length(setintersection(keys(var.tags), ["cell", "managed-by"])) == 0
    error_message = "tags are at most 20, and cell and managed-by are the module's own."
  }
}
