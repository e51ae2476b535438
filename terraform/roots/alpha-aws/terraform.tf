terraform {
  required_version = ">= 1.11.0, < 2.0.0"

  required_providers {
    aws = {
      source  = "hashicorp/aws"
      version = ">= 5.100.0, < 7.0.0"
    }
  }

  # One state, in this cell's own cloud. `terraform init -backend-config=backend.hcl` names the
  # bucket, which bootstrap/aws makes; `-backend=false` is enough to validate and test.
  backend "s3" {
    key          = "cells/alpha/terraform.tfstate"
    encrypt      = true
    use_lockfile = true
  }
}

provider "aws" {
  region              = var.region
  allowed_account_ids = [var.account_id]
}
