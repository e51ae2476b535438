# What the edge is: exactly the bundle, and exactly what it reads.

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

run "is_the_bundle_with_what_it_reads" {
  assert {
    condition     = toset([for module in cloudflare_worker_version.router.modules : module.name]) == toset(["entry.py", "cell_router/__init__.py", "python_modules/msgspec/__init__.py", "python_modules/pyvenv.cfg"]) && cloudflare_worker_version.router.main_module == "entry.py"
    error_message = "The version holds other files than the bundle."
  }

  assert {
    condition     = alltrue([for module in cloudflare_worker_version.router.modules : module.content_type == (endswith(module.name, ".py") ? "text/x-python" : "application/octet-stream")])
    error_message = "A module is uploaded as something else than it is."
  }

  assert {
    condition     = [for binding in cloudflare_worker_version.router.bindings : binding.name] == ["REGISTRY", "SETTINGS", "GRANT_KEY"]
    error_message = "The Worker gets other bindings than it reads."
  }

  assert {
    condition     = jsondecode([for binding in cloudflare_worker_version.router.bindings : binding.text if binding.name == "SETTINGS"][0]).host_suffixes == ["abc123.execute-api.eu-central-1.amazonaws.com", "worker-beta.azurewebsites.net"]
    error_message = "The edge may call other hosts than its cells."
  }

  assert {
    condition     = !can(jsondecode([for binding in cloudflare_worker_version.router.bindings : binding.text if binding.name == "SETTINGS"][0]).local)
    error_message = "The edge believes itself in the local world."
  }

  assert {
    condition     = alltrue([for binding in cloudflare_worker_version.router.bindings : binding.type == "inherit" && binding.text == null if contains(["GRANT_KEY", "API_KEYS"], binding.name)])
    error_message = "A secret passes through Terraform, and so stands in its state."
  }

  assert {
    condition     = !cloudflare_worker.router.subdomain.enabled && !cloudflare_worker.router.subdomain.previews_enabled
    error_message = "The Worker can be called around its name and the rules there."
  }

  assert {
    condition     = { for name, setting in cloudflare_zone_setting.zone : name => setting.value } == { always_use_https = "on", min_tls_version = "1.2", ssl = "strict", tls_1_3 = "on" }
    error_message = "The zone takes plain HTTP or an old TLS, or does not check certificates."
  }

  assert {
    condition     = cloudflare_workers_deployment.router.versions[0].percentage == 100 && cloudflare_workers_deployment.router.versions[0].version_id == cloudflare_worker_version.router.id
    error_message = "Requests reach another version."
  }

  assert {
    condition     = output.edge.is_open && cloudflare_workers_custom_domain.edge[0].hostname == "api.example.com"
    error_message = "Clients do not reach the edge by its name."
  }
}

run "has_no_name_before_it_has_a_key" {
  variables {
    secrets = []
  }

  assert {
    condition     = length(cloudflare_workers_custom_domain.edge) == 0 && !output.edge.is_open && length(cloudflare_worker_version.router.bindings) == 2
    error_message = "Clients reach an edge without a key."
  }
}

run "takes_api_keys_over_too" {
  variables {
    secrets = ["API_KEYS", "GRANT_KEY"]
  }

  assert {
    condition     = [for binding in cloudflare_worker_version.router.bindings : binding.name if binding.type == "inherit"] == ["API_KEYS", "GRANT_KEY"]
    error_message = "A secret is not taken over."
  }
}

