output "cell" {
  description = "The cell's document: `terraform output -json cell` is what the edge and `cellctl` are given."
  value       = module.cell.cell
}
