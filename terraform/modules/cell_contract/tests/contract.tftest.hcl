# A cell as its cloud's module describes it, and what the contract says of one that strays.

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

run "describes_a_cell" {
  command = plan

  assert {
    condition     = output.cell.id == "alpha" && output.cell.ordinal == 1 && output.cell.cloud == "aws"
    error_message = "The cell is not the one that was described."
  }

  assert {
    condition     = output.cell.auth.key_ids == tolist(["edge-1"]) && !can(output.cell.auth.jwks)
    error_message = "The document names keys by their ids, and holds none."
  }

  assert {
    condition     = output.cell.settings.cloud == tolist(["CELL_TABLE", "CELL_TRACING"])
    error_message = "The document names the settings of its cloud."
  }
}

run "refuses_a_cell_with_other_runtime" {
  command = plan
  variables {
    found = { runtime = "python3.11", package_sha256 = "8739c76e681f900923b900c9df0ef75cf421d39cabb54650c4b9ad19b6a76d85", memory_mb = 2048, timeout_s = 30, max_concurrency = 100, partition_key = "pk", logs_days = 365, backup_days = 30, deletion_protected = true }
  }
  expect_failures = [output.cell]
}

run "refuses_a_cell_with_other_zip" {
  command = plan
  variables {
    found = { runtime = "python3.13", package_sha256 = "0000000000000000000000000000000000000000000000000000000000000000", memory_mb = 2048, timeout_s = 30, max_concurrency = 100, partition_key = "pk", logs_days = 365, backup_days = 30, deletion_protected = true }
  }
  expect_failures = [output.cell]
}

run "refuses_a_cell_with_less_memory" {
  command = plan
  variables {
    found = { runtime = "python3.13", package_sha256 = "8739c76e681f900923b900c9df0ef75cf421d39cabb54650c4b9ad19b6a76d85", memory_mb = 512, timeout_s = 30, max_concurrency = 100, partition_key = "pk", logs_days = 365, backup_days = 30, deletion_protected = true }
  }
  expect_failures = [output.cell]
}

run "refuses_a_cell_with_less_time" {
  command = plan
  variables {
    found = { runtime = "python3.13", package_sha256 = "8739c76e681f900923b900c9df0ef75cf421d39cabb54650c4b9ad19b6a76d85", memory_mb = 2048, timeout_s = 10, max_concurrency = 100, partition_key = "pk", logs_days = 365, backup_days = 30, deletion_protected = true }
  }
  expect_failures = [output.cell]
}

run "refuses_a_cell_with_less_concurrency" {
  command = plan
  variables {
    found = { runtime = "python3.13", package_sha256 = "8739c76e681f900923b900c9df0ef75cf421d39cabb54650c4b9ad19b6a76d85", memory_mb = 2048, timeout_s = 30, max_concurrency = 40, partition_key = "pk", logs_days = 365, backup_days = 30, deletion_protected = true }
  }
  expect_failures = [output.cell]
}

run "refuses_a_cell_with_other_partition_key" {
  command = plan
  variables {
    found = { runtime = "python3.13", package_sha256 = "8739c76e681f900923b900c9df0ef75cf421d39cabb54650c4b9ad19b6a76d85", memory_mb = 2048, timeout_s = 30, max_concurrency = 100, partition_key = "/id", logs_days = 365, backup_days = 30, deletion_protected = true }
  }
  expect_failures = [output.cell]
}

run "refuses_a_cell_with_shorter_logs" {
  command = plan
  variables {
    found = { runtime = "python3.13", package_sha256 = "8739c76e681f900923b900c9df0ef75cf421d39cabb54650c4b9ad19b6a76d85", memory_mb = 2048, timeout_s = 30, max_concurrency = 100, partition_key = "pk", logs_days = 30, backup_days = 30, deletion_protected = true }
  }
  expect_failures = [output.cell]
}

run "refuses_a_cell_with_shorter_backups" {
  command = plan
  variables {
    found = { runtime = "python3.13", package_sha256 = "8739c76e681f900923b900c9df0ef75cf421d39cabb54650c4b9ad19b6a76d85", memory_mb = 2048, timeout_s = 30, max_concurrency = 100, partition_key = "pk", logs_days = 365, backup_days = 7, deletion_protected = true }
  }
  expect_failures = [output.cell]
}

run "refuses_a_cell_with_unprotected_state" {
  command = plan
  variables {
    found = { runtime = "python3.13", package_sha256 = "8739c76e681f900923b900c9df0ef75cf421d39cabb54650c4b9ad19b6a76d85", memory_mb = 2048, timeout_s = 30, max_concurrency = 100, partition_key = "pk", logs_days = 365, backup_days = 30, deletion_protected = false }
  }
  expect_failures = [output.cell]
}

run "refuses_a_cell_with_setting_missing" {
  command = plan
  variables {
    environment = { CELL_ID = "alpha", CELL_ORDINAL = "1", CELL_GRANT_KEYS = "{\"keys\":[{\"crv\":\"Ed25519\",\"iss\":\"edge\",\"kid\":\"edge-1\",\"kty\":\"OKP\",\"x\":\"11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo\"}]}", CELL_STORE_CONNECT_TIMEOUT_S = "0.5", CELL_STORE_READ_TIMEOUT_S = "0.8", CELL_TABLE = "alpha-state", CELL_TRACING = "true" }
  }
  expect_failures = [output.cell]
}

run "refuses_a_cell_with_setting_with_another_value" {
  command = plan
  variables {
    environment = { CELL_ID = "alpha", CELL_ORDINAL = "2", CELL_GRANT_KEYS = "{\"keys\":[{\"crv\":\"Ed25519\",\"iss\":\"edge\",\"kid\":\"edge-1\",\"kty\":\"OKP\",\"x\":\"11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo\"}]}", CELL_LOG_LEVEL = "INFO", CELL_STORE_CONNECT_TIMEOUT_S = "0.5", CELL_STORE_READ_TIMEOUT_S = "0.8", CELL_TABLE = "alpha-state", CELL_TRACING = "true" }
  }
  expect_failures = [output.cell]
}

run "refuses_a_cell_with_setting_that_nobody_knows" {
  command = plan
  variables {
    environment = { CELL_ID = "alpha", CELL_ORDINAL = "1", CELL_GRANT_KEYS = "{\"keys\":[{\"crv\":\"Ed25519\",\"iss\":\"edge\",\"kid\":\"edge-1\",\"kty\":\"OKP\",\"x\":\"11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo\"}]}", CELL_LOG_LEVEL = "INFO", CELL_STORE_CONNECT_TIMEOUT_S = "0.5", CELL_STORE_READ_TIMEOUT_S = "0.8", CELL_TABLE = "alpha-state", CELL_TRACING = "true", CELL_TURBO = "1" }
  }
  expect_failures = [output.cell]
}

run "refuses_a_cell_with_setting_of_the_other_cloud" {
  command = plan
  variables {
    environment = { CELL_ID = "alpha", CELL_ORDINAL = "1", CELL_GRANT_KEYS = "{\"keys\":[{\"crv\":\"Ed25519\",\"iss\":\"edge\",\"kid\":\"edge-1\",\"kty\":\"OKP\",\"x\":\"11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo\"}]}", CELL_LOG_LEVEL = "INFO", CELL_STORE_CONNECT_TIMEOUT_S = "0.5", CELL_STORE_READ_TIMEOUT_S = "0.8", CELL_TABLE = "alpha-state", CELL_TRACING = "true", CELL_COSMOS_ENDPOINT = "https://x.example.com" }
  }
  expect_failures = [output.cell]
}

run "refuses_a_cell_with_setting_of_this_cloud_missing" {
  command = plan
  variables {
    environment = { CELL_ID = "alpha", CELL_ORDINAL = "1", CELL_GRANT_KEYS = "{\"keys\":[{\"crv\":\"Ed25519\",\"iss\":\"edge\",\"kid\":\"edge-1\",\"kty\":\"OKP\",\"x\":\"11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo\"}]}", CELL_LOG_LEVEL = "INFO", CELL_STORE_CONNECT_TIMEOUT_S = "0.5", CELL_STORE_READ_TIMEOUT_S = "0.8", CELL_TRACING = "true" }
  }
  expect_failures = [output.cell]
}
