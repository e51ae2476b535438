output "edge" {
  description = "Where clients call, and what the control plane publishes into."

  value = {
    url                = "https://${var.hostname}"
    worker             = cloudflare_worker.router.name
    version            = cloudflare_worker_version.router.id
    registry_namespace = cloudflare_workers_kv_namespace.registry.id
    cells              = sort(var.cells[*].id)
    hosts              = local.hosts
    is_open            = length(cloudflare_workers_custom_domain.edge) > 0
  }
}
