output "cells" {
  description = "Both cells' documents, by their ids."
  value       = { for cell in [module.alpha.cell, module.beta.cell] : cell.id => cell }

  # What a test finds, an apply finds too.
  precondition {
    condition     = alltrue([for promise in ["keys", "auth", "limits", "routes", "retention", "contract"] : jsonencode(module.alpha.cell[promise]) == jsonencode(module.beta.cell[promise])])
    error_message = "The two cells promise different things."
  }
}
