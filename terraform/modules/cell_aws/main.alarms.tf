# When somebody is called. Numbers come from the contract; a missing metric is no alarm, because a
# cell without tenants has none.

resource "aws_sns_topic" "alarms" {
  name              = "${var.cell_id}-alarms"
  kms_master_key_id = aws_kms_key.cell.arn
  tags              = local.contract_tags
}

resource "aws_sns_topic_subscription" "email" {
  for_each = toset(var.alarms.emails)

  topic_arn = aws_sns_topic.alarms.arn
  protocol  = "email"
  endpoint  = each.value
}

locals {
  by_function = {
    errors    = { metric = "Errors", statistic = "Sum", extended = null, above = var.alarms.errors_max, says = "invocations that failed" }
    throttles = { metric = "Throttles", statistic = "Sum", extended = null, above = var.alarms.throttles_max, says = "invocations that were throttled" }
    duration  = { metric = "Duration", statistic = null, extended = "p99", above = var.alarms.duration_ms_p99_max, says = "milliseconds that the slowest hundredth took" }
  }

  function_alarms = merge([
    for function, about in local.functions : {
      for name, alarm in local.by_function : "${function}-${name}" => merge(alarm, { function = about.name })
      # A batch of the relay may take long; its lag says whether it is late.
      if !(function == "relay" && name == "duration")
    }
  ]...)
}

resource "aws_cloudwatch_metric_alarm" "function" {
  for_each = local.function_alarms

  alarm_name          = "${var.cell_id}-${each.key}"
  alarm_description   = "Cell ${var.cell_id}, ${each.value.function}: ${each.value.says} within five minutes."
  namespace           = "AWS/Lambda"
  metric_name         = each.value.metric
  dimensions          = { FunctionName = each.value.function }
  statistic           = each.value.statistic
  extended_statistic  = each.value.extended
  period              = 300
  evaluation_periods  = 1
  comparison_operator = "GreaterThanThreshold"
  threshold           = each.value.above
  treat_missing_data  = "notBreaching"
  alarm_actions       = [aws_sns_topic.alarms.arn]
  ok_actions          = [aws_sns_topic.alarms.arn]
  tags                = local.contract_tags
}

resource "aws_cloudwatch_metric_alarm" "change_lag" {
  count = local.with_relay ? 1 : 0

  alarm_name          = "${var.cell_id}-change-lag"
  alarm_description   = "Cell ${var.cell_id}: how old the change is that the relay reads, in milliseconds."
  namespace           = "AWS/Lambda"
  metric_name         = "IteratorAge"
  dimensions          = { FunctionName = local.functions["relay"].name }
  statistic           = "Maximum"
  period              = 60
  evaluation_periods  = 3
  comparison_operator = "GreaterThanThreshold"
  threshold           = var.alarms.change_lag_s_max * 1000
  treat_missing_data  = "notBreaching"
  alarm_actions       = [aws_sns_topic.alarms.arn]
  ok_actions          = [aws_sns_topic.alarms.arn]
  tags                = local.contract_tags
}

resource "aws_cloudwatch_metric_alarm" "dead_letters" {
  alarm_name          = "${var.cell_id}-dead-letters"
  alarm_description   = "Cell ${var.cell_id}: something could not be done in the end and was set aside."
  namespace           = "AWS/SQS"
  metric_name         = "ApproximateNumberOfMessagesVisible"
  dimensions          = { QueueName = aws_sqs_queue.dead_letters.name }
  statistic           = "Maximum"
  period              = 300
  evaluation_periods  = 1
  comparison_operator = "GreaterThanThreshold"
  threshold           = 0
  treat_missing_data  = "notBreaching"
  alarm_actions       = [aws_sns_topic.alarms.arn]
  ok_actions          = [aws_sns_topic.alarms.arn]
  tags                = local.contract_tags
}

resource "aws_cloudwatch_metric_alarm" "state" {
  alarm_name          = "${var.cell_id}-state-throttles"
  alarm_description   = "Cell ${var.cell_id}: requests that the table throttled within five minutes; a stripe may be too hot."
  namespace           = "AWS/DynamoDB"
  metric_name         = "ThrottledRequests"
  dimensions          = { TableName = aws_dynamodb_table.state.name }
  statistic           = "Sum"
  period              = 300
  evaluation_periods  = 1
  comparison_operator = "GreaterThanThreshold"
  threshold           = var.alarms.throttles_max
  treat_missing_data  = "notBreaching"
  alarm_actions       = [aws_sns_topic.alarms.arn]
  ok_actions          = [aws_sns_topic.alarms.arn]
  tags                = local.contract_tags
}
