# What the cell costs, by its tag; the tag has to be activated for billing once in an account.

resource "aws_budgets_budget" "cell" {
  name         = "${var.cell_id}-monthly"
  budget_type  = "COST"
  limit_amount = tostring(var.budget_usd_monthly)
  limit_unit   = "USD"
  time_unit    = "MONTHLY"

  cost_filter {
    name   = "TagKeyValue"
    values = [format("user:cell$%s", var.cell_id)]
  }

  dynamic "notification" {
    for_each = [80, 100]

    content {
      comparison_operator        = "GREATER_THAN"
      threshold                  = notification.value
      threshold_type             = "PERCENTAGE"
      notification_type          = "ACTUAL"
      subscriber_email_addresses = var.alarms.emails
    }
  }
}
