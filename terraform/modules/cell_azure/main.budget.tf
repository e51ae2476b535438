# What the cell may cost. Azure tells; it stops nothing.

resource "azurerm_consumption_budget_resource_group" "cell" {
  name              = "cell-${var.cell_id}"
  resource_group_id = azurerm_resource_group.cell.id
  amount            = var.budget_usd_monthly
  time_grain        = "Monthly"

  time_period {
    start_date = formatdate("YYYY-MM-01'T'00:00:00'Z'", plantimestamp())
  }

  dynamic "notification" {
    for_each = [80, 100]

    content {
      enabled        = true
      operator       = "GreaterThanOrEqualTo"
      threshold      = notification.value
      threshold_type = "Actual"
      contact_emails = var.alarms.emails
    }
  }

  lifecycle {
    # It begins in the month it was made; a later plan has another month.
    ignore_changes = [time_period]
  }
}
