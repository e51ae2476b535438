# What is refused before anything is made.

variables {
  account_id = "0123456789abcdef0123456789abcdef"
  zone_id    = "fedcba9876543210fedcba9876543210"
  hostname   = "api.example.com"
  bundle     = "tests/bundle"
  cells = [
    { contract = 1, id = "alpha", ordinal = 1, cloud = "aws", base_url = "https://abc123.execute-api.eu-central-1.amazonaws.com", grant_header = "authorization", auth = { scheme = "grant", issuers = ["control", "edge"], key_ids = ["edge-1"] } },
    { contract = 1, id = "beta", ordinal = 2, cloud = "azure", base_url = "https://worker-beta.azurewebsites.net/api", grant_header = "authorization", auth = { scheme = "grant", issuers = ["control", "edge"], key_ids = ["edge-1"] } },
  ]
  registry_keys = "{\"keys\":[{\"kty\":\"OKP\",\"crv\":\"Ed25519\",\"kid\":\"registry-1\",\"iss\":\"registry\",\"x\":\"11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo\"}]}"
}

mock_provider "cloudflare" {}

run "refuses_a_wildcard_for_a_name" {
  command = plan

  variables {
    hostname = "*.example.com"
  }

  expect_failures = [var.hostname]
}

run "refuses_a_folder_that_is_no_bundle" {
  command = plan

  variables {
    bundle = "tests"
  }

  expect_failures = [var.bundle]
}

run "refuses_an_edge_without_cells" {
  command = plan

  variables {
    cells = []
  }

  expect_failures = [var.cells]
}

run "refuses_a_cell_by_plain_http" {
  command = plan

  variables {
    cells = [{ contract = 1, id = "alpha", ordinal = 1, cloud = "aws", base_url = "http://alpha.example.com", grant_header = "authorization", auth = { scheme = "grant", issuers = ["edge"], key_ids = [] } }]
  }

  expect_failures = [var.cells]
}

run "refuses_a_cell_of_another_contract" {
  command = plan

  variables {
    cells = [{ contract = 2, id = "alpha", ordinal = 1, cloud = "aws", base_url = "https://alpha.example.com", grant_header = "authorization", auth = { scheme = "grant", issuers = ["edge"], key_ids = [] } }]
  }

  expect_failures = [var.cells]
}

run "refuses_a_cell_that_is_open" {
  command = plan

  variables {
    cells = [{ contract = 1, id = "alpha", ordinal = 1, cloud = "aws", base_url = "https://alpha.example.com", grant_header = "authorization", auth = { scheme = "none", issuers = ["edge"], key_ids = [] } }]
  }

  expect_failures = [var.cells]
}

run "refuses_two_owners_of_an_epoch" {
  command = plan

  variables {
    cells = [{ contract = 1, id = "alpha", ordinal = 1, cloud = "aws", base_url = "https://a.example.com", grant_header = "authorization", auth = { scheme = "grant", issuers = ["edge"], key_ids = [] } }, { contract = 1, id = "beta", ordinal = 1, cloud = "aws", base_url = "https://b.example.com", grant_header = "authorization", auth = { scheme = "grant", issuers = ["edge"], key_ids = [] } }]
  }

  expect_failures = [var.cells]
}

run "refuses_a_private_registry_key" {
  command = plan

  variables {
    registry_keys = "{\"keys\":[{\"kty\":\"OKP\",\"crv\":\"Ed25519\",\"kid\":\"registry-1\",\"iss\":\"registry\",\"x\":\"x\",\"d\":\"d\"}]}"
  }

  expect_failures = [var.registry_keys]
}

run "refuses_a_development_key" {
  command = plan

  variables {
    registry_keys = "{\"keys\":[{\"kty\":\"OKP\",\"crv\":\"Ed25519\",\"kid\":\"local-world\",\"iss\":\"registry\",\"x\":\"x\"}]}"
  }

  expect_failures = [var.registry_keys]
}

run "refuses_an_issuer_by_plain_http" {
  command = plan

  variables {
    issuers = [{ issuer = "https://idp.example", audience = "cells", algorithms = ["RS256"], jwks_url = "http://idp.example/keys" }]
  }

  expect_failures = [var.issuers]
}

run "refuses_an_issuer_with_a_shared_secret" {
  command = plan

  variables {
    issuers = [{ issuer = "https://idp.example", audience = "cells", algorithms = ["HS256"], jwks_url = "https://idp.example/keys" }]
  }

  expect_failures = [var.issuers]
}

run "refuses_a_secret_by_value" {
  command = plan

  variables {
    secrets = ["{\"kty\":\"OKP\"}"]
  }

  expect_failures = [var.secrets]
}

run "refuses_limits_that_the_worker_refuses" {
  command = plan

  variables {
    limits = { request_bytes_max = 10485760 }
  }

  expect_failures = [var.limits]
}

