# The name that clients call, and what the zone promises them. Before the Worker has its key there
# is no name: nobody can call an edge that could only refuse.

resource "cloudflare_workers_custom_domain" "edge" {
  count = contains(var.secrets, "GRANT_KEY") ? 1 : 0

  account_id  = var.account_id
  zone_id     = var.zone_id
  hostname    = var.hostname
  service     = cloudflare_worker.router.name
  environment = "production"

  depends_on = [cloudflare_workers_deployment.router]
}

resource "cloudflare_zone_setting" "zone" {
  for_each = var.zone_settings ? {
    always_use_https = "on"
    min_tls_version  = "1.2"
    ssl              = "strict"
    tls_1_3          = "on"
  } : {}

  zone_id    = var.zone_id
  setting_id = each.key
  value      = each.value
}
