output "cell" {
  description = "The cell's document: what the edge and the control plane are told, and what both clouds promise alike."
  value       = module.contract.cell
}
