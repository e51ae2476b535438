# What this root adds to the module: it finds the cells by their documents.

variables {
  account_id    = "0123456789abcdef0123456789abcdef"
  zone_id       = "fedcba9876543210fedcba9876543210"
  hostname      = "api.example.com"
  cells_dir     = "tests/cells"
  bundle_dir    = "../../modules/edge_cloudflare/tests/bundle"
  registry_keys = "{\"keys\":[{\"kty\":\"OKP\",\"crv\":\"Ed25519\",\"kid\":\"registry-1\",\"iss\":\"registry\",\"x\":\"11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo\"}]}"
}

mock_provider "cloudflare" {}

run "calls_the_cells_that_published_a_document" {
  command = apply

  assert {
    condition     = output.edge.cells == tolist(["alpha", "beta"]) && output.edge.hosts == tolist(["abc123.execute-api.eu-central-1.amazonaws.com", "worker-beta.azurewebsites.net"])
    error_message = "The edge calls other cells than those that published a document."
  }

  assert {
    condition     = output.edge.url == "https://api.example.com"
    error_message = "The edge has another name."
  }
}

run "refuses_a_folder_without_documents" {
  command = plan

  variables {
    cells_dir = "tests"
  }

  expect_failures = [var.cells_dir]
}

run "refuses_a_folder_without_a_worker" {
  command = plan

  variables {
    bundle_dir = "tests"
  }

  expect_failures = [var.bundle_dir]
}
