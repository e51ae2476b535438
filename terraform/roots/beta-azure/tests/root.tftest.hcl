# What this root adds to the module: which cell it is, and that it takes the zips of `make build`.

variables {
  subscription_id = "11111111-1111-1111-1111-111111111111"
  package_dir     = "tests/zips"
  alarm_emails    = ["cells@example.com"]
  grant_keys      = "{\"keys\":[{\"kty\":\"OKP\",\"crv\":\"Ed25519\",\"kid\":\"edge-1\",\"iss\":\"edge\",\"x\":\"11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo\"}]}"
  publish         = false
}

mock_provider "azurerm" {
  source = "../../modules/cell_azure/tests"
}

run "is_cell_beta" {
  command = apply

  assert {
    condition     = output.cell.id == "beta" && output.cell.ordinal == 2 && output.cell.cloud == "azure" && output.cell.region == "westeurope"
    error_message = "Another cell stands here."
  }

  assert {
    condition     = output.cell.runtime.package_sha256 == filesha256("tests/zips/azure_worker.zip") && output.cell.protected
    error_message = "Another zip is deployed, or nothing protects the cell."
  }
}

run "refuses_a_folder_without_a_zip" {
  command = plan

  variables {
    package_dir = "tests"
  }

  expect_failures = [var.package_dir]
}

run "refuses_a_subscription_that_is_none" {
  command = plan

  variables {
    subscription_id = "my subscription"
  }

  expect_failures = [var.subscription_id]
}

run "refuses_the_whole_internet_as_an_edge" {
  command = plan

  variables {
    edge_cidrs = ["0.0.0.0/0"]
  }

  expect_failures = [var.edge_cidrs]
}
