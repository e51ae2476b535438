terraform {
  required_version = ">= 1.11.0, < 2.0.0"

  required_providers {
    azurerm = {
      source  = "hashicorp/azurerm"
      version = ">= 4.81.0, < 6.0.0"
    }
  }

  # One state, in this cell's own cloud, opened by identities and never by the account's key.
  # `terraform init -backend-config=backend.hcl` names the account, which bootstrap/azure makes;
  # `-backend=false` is enough to validate and test.
  backend "azurerm" {
    key              = "cells/beta.tfstate"
    use_azuread_auth = true
  }
}

provider "azurerm" {
  subscription_id     = var.subscription_id
  storage_use_azuread = true

  features {
    resource_group {
      prevent_deletion_if_contains_resources = true
    }

    storage {
      # The accounts have private addresses, which whoever plans need not reach.
      data_plane_available = false
    }
  }
}
