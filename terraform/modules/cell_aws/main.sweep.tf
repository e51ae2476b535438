# Once a minute the worker is told to look for what has become due.

resource "aws_cloudwatch_event_rule" "sweep" {
  name                = "${var.cell_id}-sweep"
  description         = "Lets cell ${var.cell_id} do what has become due."
  schedule_expression = "rate(1 minute)"
  tags                = local.contract_tags
}

resource "aws_cloudwatch_event_target" "sweep" {
  rule = aws_cloudwatch_event_rule.sweep.name
  arn  = aws_lambda_alias.live["worker"].arn

  # The next minute is the retry.
  retry_policy {
    maximum_event_age_in_seconds = 60
    maximum_retry_attempts       = 0
  }

  dead_letter_config {
    arn = aws_sqs_queue.dead_letters.arn
  }
}

resource "aws_lambda_permission" "sweep" {
  statement_id  = "sweep"
  action        = "lambda:InvokeFunction"
  function_name = aws_lambda_function.function["worker"].function_name
  qualifier     = aws_lambda_alias.live["worker"].name
  principal     = "events.amazonaws.com"
  source_arn    = aws_cloudwatch_event_rule.sweep.arn
}
