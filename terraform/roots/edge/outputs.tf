output "edge" {
  description = "Where clients call, and what the control plane publishes into."
  value       = module.edge.edge
}
