# Who is called, and when. The same six reasons as in every cell.

resource "azurerm_monitor_action_group" "cell" {
  name                = "cell-${var.cell_id}"
  resource_group_name = local.group
  short_name          = substr(local.compact, 0, 12)
  tags                = local.contract_tags

  dynamic "email_receiver" {
    for_each = var.alarms.emails

    content {
      name                    = "email-${email_receiver.key}"
      email_address           = email_receiver.value
      use_common_alert_schema = true
    }
  }
}

resource "azurerm_monitor_metric_alert" "errors" {
  name                = "errors"
  description         = "The worker failed more often within five minutes than it may."
  resource_group_name = local.group
  scopes              = [azurerm_function_app_flex_consumption.app["worker"].id]
  severity            = 1
  frequency           = "PT1M"
  window_size         = "PT5M"
  tags                = local.contract_tags

  criteria {
    metric_namespace = "Microsoft.Web/sites"
    metric_name      = "Http5xx"
    aggregation      = "Total"
    operator         = "GreaterThan"
    threshold        = var.alarms.errors_max
  }

  action {
    action_group_id = azurerm_monitor_action_group.cell.id
  }
}

resource "azurerm_monitor_metric_alert" "throttles" {
  name                = "throttles"
  description         = "The state refused requests for want of request units: raise azure_request_units_max, or move tenants."
  resource_group_name = local.group
  scopes              = [azurerm_cosmosdb_account.state.id]
  severity            = 2
  frequency           = "PT1M"
  window_size         = "PT5M"
  tags                = local.contract_tags

  criteria {
    metric_namespace = "Microsoft.DocumentDB/databaseAccounts"
    metric_name      = "TotalRequests"
    aggregation      = "Count"
    operator         = "GreaterThan"
    threshold        = var.alarms.throttles_max

    dimension {
      name     = "StatusCode"
      operator = "Include"
      values   = ["429"]
    }
  }

  action {
    action_group_id = azurerm_monitor_action_group.cell.id
  }
}

locals {
  # Alarms that only the logs can raise. Each query returns one number.
  queries = merge({
    duration = {
      description = "The slowest hundredth of requests is slower than it may be."
      threshold   = var.alarms.duration_ms_p99_max
      severity    = 2
      window      = "PT5M"
      query       = "AppRequests | where AppRoleName == '${local.names.worker}' | summarize value = percentile(DurationMs, 99)"
    }
    stripe-size = {
      description = "A stripe nears the 20 GB that Cosmos DB keeps under one partition key: split the tenant into more stripes."
      threshold   = 15
      severity    = 2
      window      = "P1D"
      query       = "CDBPartitionKeyStatistics | summarize value = max(SizeKb) / 1048576.0"
    }
    }, local.with_relay ? {
    change-lag = {
      description = "The relay has not looked through the whole journal, and published it, for longer than it may."
      # A sweep a minute publishes what is left; logs arrive up to four minutes late.
      threshold = var.alarms.change_lag_s_max + 240
      severity  = 2
      window    = "PT15M"
      query     = "AppTraces | where AppRoleName == '${local.names.relay}' | extend line = parse_json(Message) | where line.message == 'sweep' | summarize value = 60.0 * (15 - countif(tobool(line.done)))"
    }
  } : {})
}

resource "azurerm_monitor_scheduled_query_rules_alert_v2" "cell" {
  for_each = local.queries

  name                 = each.key
  description          = each.value.description
  resource_group_name  = local.group
  location             = local.location
  scopes               = [azurerm_log_analytics_workspace.cell.id]
  severity             = each.value.severity
  evaluation_frequency = "PT5M"
  window_duration      = each.value.window
  # Tables appear with their first row, and this has to stand before it.
  skip_query_validation = true
  tags                  = local.contract_tags

  criteria {
    query                   = each.value.query
    time_aggregation_method = "Maximum"
    metric_measure_column   = "value"
    operator                = "GreaterThan"
    threshold               = each.value.threshold

    failing_periods {
      minimum_failing_periods_to_trigger_alert = 1
      number_of_evaluation_periods             = 1
    }
  }

  action {
    action_groups = [azurerm_monitor_action_group.cell.id]
  }
}
