terraform {
  required_version = ">= 1.11.0, < 2.0.0"

  required_providers {
    cloudflare = {
      source  = "cloudflare/cloudflare"
      version = "~> 5.0"
    }
  }

  # One state, in the edge's own cloud: a cell that is down stops no change here.
  # `terraform init -backend-config=backend.hcl` names the bucket; `-backend=false` is enough to
  # validate and test.
  backend "s3" {
    key                         = "edge/terraform.tfstate"
    region                      = "auto"
    use_lockfile                = true
    skip_credentials_validation = true
    skip_metadata_api_check     = true
    skip_region_validation      = true
    skip_requesting_account_id  = true
    skip_s3_checksum            = true
  }
}

# Its token is read from CLOUDFLARE_API_TOKEN.
provider "cloudflare" {}
