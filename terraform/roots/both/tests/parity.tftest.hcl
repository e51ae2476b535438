# The two cells against each other: what a tenant may rely on is equal, whatever its cloud.

variables {
  aws_account_id        = "111122223333"
  azure_subscription_id = "11111111-1111-1111-1111-111111111111"
  package_dir           = "tests/zips"
  alarm_emails          = ["cells@example.com"]
  grant_keys            = "{\"keys\":[{\"kty\":\"OKP\",\"crv\":\"Ed25519\",\"kid\":\"edge-1\",\"iss\":\"edge\",\"x\":\"11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo\"}]}"
  publish               = false
}

mock_provider "aws" {
  source = "../../modules/cell_aws/tests"
}

mock_provider "azurerm" {
  source = "../../modules/cell_azure/tests"
}

run "both_cells_promise_the_same" {
  command = apply

  assert {
    condition     = output.cells.alpha.keys == output.cells.beta.keys
    error_message = "The states are partitioned differently."
  }

  assert {
    condition     = output.cells.alpha.auth == output.cells.beta.auth
    error_message = "The cells trust different callers."
  }

  assert {
    condition     = output.cells.alpha.runtime.language == output.cells.beta.runtime.language && output.cells.alpha.runtime.version == output.cells.beta.runtime.version
    error_message = "The cells run different languages."
  }

  assert {
    condition     = output.cells.alpha.routes == output.cells.beta.routes
    error_message = "The cells answer on different paths."
  }

  assert {
    condition     = output.cells.alpha.limits == output.cells.beta.limits
    error_message = "The cells have different limits."
  }

  assert {
    condition     = output.cells.alpha.retention == output.cells.beta.retention
    error_message = "The cells keep logs or backups for different times."
  }

  assert {
    condition     = output.cells.alpha.settings.contract == output.cells.beta.settings.contract
    error_message = "The workers read different settings."
  }

  assert {
    condition     = toset(keys(output.cells.alpha)) == toset(keys(output.cells.beta))
    error_message = "A cell's document says more than the other's."
  }

  assert {
    condition     = output.cells.alpha.protected && output.cells.beta.protected
    error_message = "A cell can be deleted by mistake."
  }
}

run "they_are_still_two_cells" {
  command = apply

  assert {
    condition     = output.cells.alpha.ordinal != output.cells.beta.ordinal && output.cells.alpha.cloud != output.cells.beta.cloud && output.cells.alpha.base_url != output.cells.beta.base_url
    error_message = "The cells share an ordinal, a cloud or an address."
  }

  assert {
    condition     = length(setintersection(output.cells.alpha.settings.cloud, output.cells.beta.settings.cloud)) == 0
    error_message = "A setting of one cloud has the other one's name."
  }
}
