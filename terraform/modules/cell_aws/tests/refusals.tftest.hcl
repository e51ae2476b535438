# What this cloud's own inputs refuse.

variables {
  cell_id        = "alpha"
  ordinal        = 1
  region         = "eu-central-1"
  worker_package = { path = "../cell_contract/tests/any.zip", sha256 = "8739c76e681f900923b900c9df0ef75cf421d39cabb54650c4b9ad19b6a76d85" }
  auth           = { jwks = "{\"keys\":[{\"kty\":\"OKP\",\"crv\":\"Ed25519\",\"kid\":\"edge-1\",\"iss\":\"edge\",\"x\":\"11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo\"}]}" }
  alarms         = { emails = ["cells@example.com"] }
}

mock_provider "aws" {
  source = "./tests"
}

run "refuses_ingress_that_is_none" {
  command = plan

  variables {
    aws_ingress = "public"
  }

  expect_failures = [var.aws_ingress]
}

run "refuses_url_for_everybody" {
  command = plan

  variables {
    aws_ingress        = "function_url"
    aws_url_principals = ["*"]
  }

  expect_failures = [var.aws_url_principals]
}

run "refuses_url_for_nobody" {
  command = plan

  variables {
    aws_ingress = "function_url"
  }

  expect_failures = [var.aws_url_principals]
}

run "refuses_principals_without_a_url" {
  command = plan

  variables {
    aws_url_principals = ["arn:aws:iam::111122223333:role/edge"]
  }

  expect_failures = [var.aws_url_principals]
}

run "refuses_flood" {
  command = plan

  variables {
    aws_throttle = { rate_per_s = 1000000 }
  }

  expect_failures = [var.aws_throttle]
}

run "refuses_egress_of_no_network" {
  command = plan

  variables {
    aws_standby_egress = true
    private_network    = false
  }

  expect_failures = [var.aws_standby_egress]
}

run "refuses_one_zone_for_two" {
  command = plan

  variables {
    aws_zones = ["a", "a"]
  }

  expect_failures = [var.aws_zones]
}

run "says_that_addresses_are_not_asked_for" {
  command = plan

  variables {
    edge_cidrs = ["203.0.113.0/24"]
  }

  expect_failures = [check.addresses_of_the_edge]
}
