# What this root adds to the module: which cell it is, and that it takes the zips of `make build`.

variables {
  account_id   = "111122223333"
  package_dir  = "tests/zips"
  alarm_emails = ["cells@example.com"]
  grant_keys   = "{\"keys\":[{\"kty\":\"OKP\",\"crv\":\"Ed25519\",\"kid\":\"edge-1\",\"iss\":\"edge\",\"x\":\"11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo\"}]}"
}

mock_provider "aws" {
  source = "../../modules/cell_aws/tests"
}

run "is_cell_alpha" {
  command = apply

  assert {
    condition     = output.cell.id == "alpha" && output.cell.ordinal == 1 && output.cell.cloud == "aws" && output.cell.region == "eu-central-1"
    error_message = "Another cell stands here."
  }

  assert {
    condition     = output.cell.runtime.package_sha256 == filesha256("tests/zips/aws_worker.zip") && output.cell.protected
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

run "refuses_an_account_that_is_none" {
  command = plan

  variables {
    account_id = "123"
  }

  expect_failures = [var.account_id]
}
