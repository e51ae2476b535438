# The same file in every cell's module: a cell has one output, and the contract makes it.

output "cell" {
  description = "The cell as its neighbours see it; cell_contract says what is in it."
  value       = module.contract.cell
}
