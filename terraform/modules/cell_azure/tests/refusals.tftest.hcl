# What is refused before anything is made; the contract's own refusals stand in cell_contract.

variables {
  cell_id        = "beta"
  ordinal        = 2
  region         = "westeurope"
  worker_package = { path = "../cell_contract/tests/any.zip", sha256 = "8739c76e681f900923b900c9df0ef75cf421d39cabb54650c4b9ad19b6a76d85" }
  relay_package  = { path = "../cell_contract/tests/any.zip", sha256 = "8739c76e681f900923b900c9df0ef75cf421d39cabb54650c4b9ad19b6a76d85" }
  auth           = { jwks = "{\"keys\":[{\"kty\":\"OKP\",\"crv\":\"Ed25519\",\"kid\":\"edge-1\",\"iss\":\"edge\",\"x\":\"11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo\"}]}" }
  alarms         = { emails = ["cells@example.com"] }
  azure_publish  = false
}

mock_provider "azurerm" {
  source = "./tests"
}

run "refuses_the_whole_internet_as_an_edge" {
  command = plan

  variables {
    edge_cidrs = ["0.0.0.0/0"]
  }

  expect_failures = [var.edge_cidrs]
}

run "refuses_half_the_internet_as_an_edge" {
  command = plan

  variables {
    edge_cidrs = ["0.0.0.0/1", "128.0.0.0/1"]
  }

  expect_failures = [var.edge_cidrs]
}

run "refuses_the_whole_internet_of_ipv6_as_an_edge" {
  command = plan

  variables {
    edge_cidrs = ["::/0"]
  }

  expect_failures = [var.edge_cidrs]
}

run "refuses_many_machines_as_deployers" {
  command = plan

  variables {
    azure_deployer_cidrs = ["10.0.0.0/8"]
  }

  expect_failures = [var.azure_deployer_cidrs]
}

run "refuses_request_units_that_azure_does_not_sell" {
  command = plan

  variables {
    azure_request_units_max = 1500
  }

  expect_failures = [var.azure_request_units_max]
}

run "refuses_more_requests_than_the_host_admits" {
  command = plan

  variables {
    azure_requests_per_instance = 64
  }

  expect_failures = [var.azure_requests_per_instance]
}

run "refuses_a_key_with_a_version" {
  command = plan

  variables {
    azure_customer_key = { key_id = "https://keys.vault.azure.net/keys/cell/0123456789abcdef", identity_id = "x" }
  }

  expect_failures = [var.azure_customer_key]
}

run "refuses_a_network_that_is_none" {
  command = plan

  variables {
    azure_peered_network_ids = { edge = "10.0.0.0/8" }
  }

  expect_failures = [var.azure_peered_network_ids]
}

run "refuses_a_zip_that_is_not_the_named_one" {
  command = plan

  variables {
    worker_package = { path = "../cell_contract/tests/any.zip", sha256 = "0000000000000000000000000000000000000000000000000000000000000000" }
  }

  expect_failures = [var.worker_package]
}

run "refuses_a_private_half_of_a_key" {
  command = plan

  variables {
    auth = { jwks = "{\"keys\":[{\"kty\":\"OKP\",\"crv\":\"Ed25519\",\"kid\":\"edge-1\",\"iss\":\"edge\",\"x\":\"x\",\"d\":\"d\"}]}" }
  }

  expect_failures = [var.auth]
}

run "refuses_a_quota_of_logs_that_azure_does_not_have" {
  command = plan

  variables {
    azure_logs_gb_daily = 0
  }

  expect_failures = [var.azure_logs_gb_daily]
}

run "refuses_a_way_to_standbys_without_a_network" {
  command = plan

  variables {
    private_network      = false
    azure_standby_egress = true
  }

  expect_failures = [var.azure_standby_egress]
}
