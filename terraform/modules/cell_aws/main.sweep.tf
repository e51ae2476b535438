# Once a minute each function is told to look around: the worker for what has become due, the relay
# for what no change told it of.

resource "aws_cloudwatch_event_rule" "sweep" {
  name                = "${var.cell_id}-sweep"
  description         = "Lets the functions of cell ${var.cell_id} look for what is due."
  schedule_expression = "rate(1 minute)"
  tags                = local.contract_tags
}

resource "aws_cloudwatch_event_target" "sweep" {
  for_each = local.functions

  rule = aws_cloudwatch_event_rule.sweep.name
  arn  = aws_lambda_alias.live[each.key].arn

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
  for_each = local.functions

  statement_id  = "sweep"
  action        = "lambda:InvokeFunction"
  function_name = aws_lambda_function.function[each.key].function_name
  qualifier     = aws_lambda_alias.live[each.key].name
  principal     = "events.amazonaws.com"
  source_arn    = aws_cloudwatch_event_rule.sweep.arn
}
