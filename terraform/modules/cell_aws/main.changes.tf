# The table's stream rings the relay's doorbell whenever the journal has grown.

resource "aws_lambda_event_source_mapping" "changes" {
  count = local.with_relay ? 1 : 0

  event_source_arn                   = aws_dynamodb_table.state.stream_arn
  function_name                      = aws_lambda_alias.live["relay"].arn
  starting_position                  = "TRIM_HORIZON"
  batch_size                         = 1000
  maximum_batching_window_in_seconds = 5
  parallelization_factor             = 1
  kms_key_arn                        = aws_kms_key.cell.arn
  tags                               = local.contract_tags

  # The relay names the first record whose journal it could not publish; the batch begins there again.
  function_response_types = ["ReportBatchItemFailures"]

  # One poisoned record is found by halving and set aside; those behind it go on.
  bisect_batch_on_function_error = true
  maximum_retry_attempts         = 10
  maximum_record_age_in_seconds  = 3600

  destination_config {
    on_failure {
      destination_arn = aws_sqs_queue.dead_letters.arn
    }
  }

  # New entries of the journal alone; fences and entities change with them.
  filter_criteria {
    filter {
      pattern = jsonencode({
        eventName = ["INSERT"]
        dynamodb  = { Keys = { sk = { S = [{ prefix = "LOG:" }] } } }
      })
    }
  }
}
