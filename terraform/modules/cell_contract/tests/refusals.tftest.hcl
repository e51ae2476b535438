# What the contract refuses, one value a run: the name of the run says which, and the input that refuses it is
# the one named in expect_failures.

variables {
  cell_id        = "alpha"
  ordinal        = 1
  region         = "eu-central-1"
  worker_package = { path = "tests/any.zip", sha256 = "8739c76e681f900923b900c9df0ef75cf421d39cabb54650c4b9ad19b6a76d85" }
  auth           = { jwks = "{\"keys\":[{\"kty\":\"OKP\",\"crv\":\"Ed25519\",\"kid\":\"edge-1\",\"iss\":\"edge\",\"x\":\"11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo\"}]}" }
  alarms         = { emails = ["cells@example.com"] }
  cloud          = "aws"
  endpoint       = { base_url = "https://alpha.example.com", grant_header = "authorization" }
  environment = {
    CELL_ID                      = "alpha"
    CELL_ORDINAL                 = "1"
    CELL_GRANT_KEYS              = "{\"keys\":[{\"crv\":\"Ed25519\",\"iss\":\"edge\",\"kid\":\"edge-1\",\"kty\":\"OKP\",\"x\":\"11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo\"}]}"
    CELL_LOG_LEVEL               = "INFO"
    CELL_STORE_CONNECT_TIMEOUT_S = "0.5"
    CELL_STORE_READ_TIMEOUT_S    = "0.8"
    CELL_TABLE                   = "alpha-state"
    CELL_TRACING                 = "true"
  }
  found = {
    runtime            = "python3.13"
    package_sha256     = "8739c76e681f900923b900c9df0ef75cf421d39cabb54650c4b9ad19b6a76d85"
    memory_mb          = 2048
    timeout_s          = 30
    max_concurrency    = 100
    partition_key      = "pk"
    logs_days          = 365
    backup_days        = 30
    deletion_protected = true
  }
  resources = { worker = "w", relay = "", state = "s", lake = "l", logs = "g", key = "k" }
}

run "refuses_upper_case_in_the_name" {
  command = plan
  variables {
    cell_id = "Alpha"
  }
  expect_failures = [var.cell_id]
}

run "refuses_hyphen_at_the_end" {
  command = plan
  variables {
    cell_id = "alpha-"
  }
  expect_failures = [var.cell_id]
}

run "refuses_ordinal_beyond_15" {
  command = plan
  variables {
    ordinal = 16
  }
  expect_failures = [var.ordinal]
}

run "refuses_half_an_ordinal" {
  command = plan
  variables {
    ordinal = 1.5
  }
  expect_failures = [var.ordinal]
}

run "refuses_region_as_a_person_writes_it" {
  command = plan
  variables {
    region = "West Europe"
  }
  expect_failures = [var.region]
}

run "refuses_zip_that_is_another" {
  command = plan
  variables {
    worker_package = { path = "tests/any.zip", sha256 = "0000000000000000000000000000000000000000000000000000000000000000" }
  }
  expect_failures = [var.worker_package]
}

run "refuses_zip_that_is_missing" {
  command = plan
  variables {
    worker_package = { path = "tests/none.zip", sha256 = "8739c76e681f900923b900c9df0ef75cf421d39cabb54650c4b9ad19b6a76d85" }
  }
  expect_failures = [var.worker_package]
}

run "refuses_folder_for_a_zip" {
  command = plan
  variables {
    worker_package = { path = "tests", sha256 = "8739c76e681f900923b900c9df0ef75cf421d39cabb54650c4b9ad19b6a76d85" }
  }
  expect_failures = [var.worker_package]
}

run "refuses_relay_that_is_another" {
  command = plan
  variables {
    relay_package = { path = "tests/any.zip", sha256 = "0000000000000000000000000000000000000000000000000000000000000000" }
  }
  expect_failures = [var.relay_package]
}

run "refuses_older_runtime" {
  command = plan
  variables {
    runtime = { version = "3.11" }
  }
  expect_failures = [var.runtime]
}

run "refuses_other_language" {
  command = plan
  variables {
    runtime = { language = "node" }
  }
  expect_failures = [var.runtime]
}

run "refuses_memory_of_one_cloud_only" {
  command = plan
  variables {
    limits = { memory_mb = 1024 }
  }
  expect_failures = [var.limits]
}

run "refuses_time_that_one_cloud_cuts" {
  command = plan
  variables {
    limits = { timeout_s = 60 }
  }
  expect_failures = [var.limits]
}

run "refuses_concurrency_of_one_cloud_only" {
  command = plan
  variables {
    limits = { max_concurrency = 10 }
  }
  expect_failures = [var.limits]
}

run "refuses_smaller_bodies" {
  command = plan
  variables {
    limits = { body_bytes_max = 1024 }
  }
  expect_failures = [var.limits]
}

run "refuses_open_cell" {
  command = plan
  variables {
    auth = { scheme = "none", jwks = "{\"keys\":[{\"kty\":\"OKP\",\"x\":\"AA\",\"kid\":\"edge-1\",\"iss\":\"edge\"}]}" }
  }
  expect_failures = [var.auth]
}

run "refuses_third_issuer" {
  command = plan
  variables {
    auth = { issuers = ["edge", "control", "client"], jwks = "{\"keys\":[{\"kty\":\"OKP\",\"x\":\"AA\",\"kid\":\"edge-1\",\"iss\":\"edge\"}]}" }
  }
  expect_failures = [var.auth]
}

run "refuses_no_keys" {
  command = plan
  variables {
    auth = { jwks = "{\"keys\":[]}" }
  }
  expect_failures = [var.auth]
}

run "refuses_keys_that_are_no_json" {
  command = plan
  variables {
    auth = { jwks = "none" }
  }
  expect_failures = [var.auth]
}

run "refuses_key_without_an_issuer" {
  command = plan
  variables {
    auth = { jwks = "{\"keys\":[{\"kty\":\"OKP\",\"x\":\"AA\",\"kid\":\"edge-1\"}]}" }
  }
  expect_failures = [var.auth]
}

run "refuses_private_key" {
  command = plan
  variables {
    auth = { jwks = "{\"keys\":[{\"kty\":\"OKP\",\"x\":\"AA\",\"kid\":\"edge-1\",\"iss\":\"edge\",\"d\":\"AA\"}]}" }
  }
  expect_failures = [var.auth]
}

run "refuses_shared_secret" {
  command = plan
  variables {
    auth = { jwks = "{\"keys\":[{\"kty\":\"oct\",\"x\":\"AA\",\"kid\":\"edge-1\",\"iss\":\"edge\"}]}" }
  }
  expect_failures = [var.auth]
}

run "refuses_key_of_the_local_world" {
  command = plan
  variables {
    auth = { jwks = "{\"keys\":[{\"kty\":\"OKP\",\"x\":\"AA\",\"kid\":\"local-world\",\"iss\":\"edge\"}]}" }
  }
  expect_failures = [var.auth]
}

run "refuses_renamed_key" {
  command = plan
  variables {
    keys = { partition = "id" }
  }
  expect_failures = [var.keys]
}

run "refuses_route_missing" {
  command = plan
  variables {
    routes = ["/healthz", "/openapi.json", "/readyz", "/v1/"]
  }
  expect_failures = [var.routes]
}

run "refuses_route_too_many" {
  command = plan
  variables {
    routes = ["/healthz", "/openapi.json", "/process", "/readyz", "/v1/", "/admin"]
  }
  expect_failures = [var.routes]
}

run "refuses_logs_for_a_month" {
  command = plan
  variables {
    retention = { logs_days = 30 }
  }
  expect_failures = [var.retention]
}

run "refuses_backup_window_of_one_cloud_only" {
  command = plan
  variables {
    retention = { backup_days = 14 }
  }
  expect_failures = [var.retention]
}

run "refuses_alarm_that_nobody_gets" {
  command = plan
  variables {
    alarms = { emails = [] }
  }
  expect_failures = [var.alarms]
}

run "refuses_threshold_of_nothing" {
  command = plan
  variables {
    alarms = { emails = ["a@example.com"], errors_max = 0 }
  }
  expect_failures = [var.alarms]
}

run "refuses_budget_of_nothing" {
  command = plan
  variables {
    budget_usd_monthly = 0
  }
  expect_failures = [var.budget_usd_monthly]
}

run "refuses_log_level_of_another_tool" {
  command = plan
  variables {
    log_level = "TRACE"
  }
  expect_failures = [var.log_level]
}

run "refuses_patience_without_end" {
  command = plan
  variables {
    store_timeouts_s = { read = 60 }
  }
  expect_failures = [var.store_timeouts_s]
}

run "refuses_network_of_public_addresses" {
  command = plan
  variables {
    network_cidr = "8.8.8.0/24"
  }
  expect_failures = [var.network_cidr]
}

run "refuses_network_too_small" {
  command = plan
  variables {
    network_cidr = "10.0.0.0/28"
  }
  expect_failures = [var.network_cidr]
}

run "refuses_whole_internet_for_an_edge" {
  command = plan
  variables {
    edge_cidrs = ["0.0.0.0/0"]
  }
  expect_failures = [var.edge_cidrs]
}

run "refuses_whole_internet_in_halves" {
  command = plan
  variables {
    edge_cidrs = ["0.0.0.0/1", "128.0.0.0/1"]
  }
  expect_failures = [var.edge_cidrs]
}

run "refuses_whole_new_internet_for_an_edge" {
  command = plan
  variables {
    edge_cidrs = ["::/0"]
  }
  expect_failures = [var.edge_cidrs]
}

run "refuses_tag_of_the_module" {
  command = plan
  variables {
    tags = { cell = "other" }
  }
  expect_failures = [var.tags]
}

run "refuses_third_cloud" {
  command = plan
  variables {
    cloud = "gcp"
  }
  expect_failures = [var.cloud]
}

run "refuses_plain_http" {
  command = plan
  variables {
    endpoint = { base_url = "http://alpha.example.com", grant_header = "authorization" }
  }
  expect_failures = [var.endpoint]
}

run "refuses_slash_at_the_end" {
  command = plan
  variables {
    endpoint = { base_url = "https://alpha.example.com/", grant_header = "authorization" }
  }
  expect_failures = [var.endpoint]
}

run "refuses_header_that_nobody_reads" {
  command = plan
  variables {
    endpoint = { base_url = "https://alpha.example.com", grant_header = "x-api-key" }
  }
  expect_failures = [var.endpoint]
}

run "refuses_local_world_in_the_cloud" {
  command = plan
  variables {
    environment = { CELL_ID = "alpha", CELL_ORDINAL = "1", CELL_GRANT_KEYS = "{\"keys\":[{\"crv\":\"Ed25519\",\"iss\":\"edge\",\"kid\":\"edge-1\",\"kty\":\"OKP\",\"x\":\"11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo\"}]}", CELL_LOG_LEVEL = "INFO", CELL_STORE_CONNECT_TIMEOUT_S = "0.5", CELL_STORE_READ_TIMEOUT_S = "0.8", CELL_TABLE = "alpha-state", CELL_TRACING = "true", CELL_LOCAL = "true" }
  }
  expect_failures = [var.environment]
}
