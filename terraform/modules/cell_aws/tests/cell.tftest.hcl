# What the cell is to its neighbours, and how its parts fit together.

variables {
  cell_id        = "alpha"
  ordinal        = 1
  region         = "eu-central-1"
  worker_package = { path = "../cell_contract/tests/any.zip", sha256 = "8739c76e681f900923b900c9df0ef75cf421d39cabb54650c4b9ad19b6a76d85" }
  auth           = { jwks = "{\"keys\":[{\"kty\":\"OKP\",\"crv\":\"Ed25519\",\"kid\":\"edge-1\",\"iss\":\"edge\",\"x\":\"11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo\"}]}" }
  alarms         = { emails = ["cells@example.com"] }
}

mock_provider "aws" {
  source = "./tests"
}

run "publishes_what_the_contract_says" {
  command = apply

  assert {
    condition     = output.cell.cloud == "aws" && output.cell.id == "alpha" && output.cell.ordinal == 1 && output.cell.region == "eu-central-1"
    error_message = "The document describes another cell."
  }

  assert {
    condition     = output.cell.base_url == "https://abcdefghij.execute-api.eu-central-1.amazonaws.com" && output.cell.grant_header == "authorization"
    error_message = "The edge would not find the cell."
  }

  assert {
    condition     = output.cell.settings.cloud == tolist(["CELL_TABLE", "CELL_TRACING"])
    error_message = "The worker's settings are not those of this cloud."
  }
}

run "gives_the_worker_its_settings_and_nothing_else" {
  command = apply

  assert {
    condition     = aws_lambda_function.function["worker"].environment[0].variables.CELL_TABLE == aws_dynamodb_table.state.name
    error_message = "The worker is sent to another table."
  }

  assert {
    condition     = length(aws_lambda_function.function["worker"].environment[0].variables) == 8
    error_message = "The worker is given something that nothing reads."
  }
}

run "keeps_state_as_the_worker_writes_it" {
  command = apply

  assert {
    condition     = aws_dynamodb_table.state.hash_key == "pk" && aws_dynamodb_table.state.range_key == "sk" && alltrue([for attribute in aws_dynamodb_table.state.attribute : attribute.type == "S"])
    error_message = "The key is not pk and sk, both strings."
  }

  assert {
    condition     = aws_dynamodb_table.state.stream_enabled && aws_dynamodb_table.state.stream_view_type == "NEW_AND_OLD_IMAGES"
    error_message = "The stream does not carry both images."
  }

  assert {
    condition     = length(aws_dynamodb_table.state.local_secondary_index) == 0
    error_message = "A local index would bound a stripe at 10 GB."
  }

  assert {
    condition     = aws_dynamodb_table.state.ttl[0].enabled && aws_dynamodb_table.state.ttl[0].attribute_name == "ttl"
    error_message = "Items do not expire by ttl."
  }

  assert {
    condition     = aws_dynamodb_table.state.billing_mode == "PAY_PER_REQUEST"
    error_message = "The table has a fixed capacity."
  }
}

run "runs_the_zip_that_was_named" {
  command = apply

  assert {
    condition     = aws_lambda_function.function["worker"].source_code_hash == filebase64sha256(var.worker_package.path)
    error_message = "The function would keep older code."
  }

  assert {
    condition     = aws_lambda_function.function["worker"].handler == "worker.handler" && aws_lambda_function.function["worker"].runtime == "python3.13" && aws_lambda_function.function["worker"].architectures == tolist(["x86_64"])
    error_message = "The zip was built for something else."
  }

  assert {
    condition     = aws_lambda_function.function["worker"].publish && aws_lambda_alias.live["worker"].function_version == aws_lambda_function.function["worker"].version
    error_message = "The alias does not stand on what was published."
  }

  assert {
    condition     = aws_apigatewayv2_integration.worker[0].integration_uri == aws_lambda_alias.live["worker"].invoke_arn && aws_lambda_permission.api[0].qualifier == "live"
    error_message = "The ingress does not go through the alias."
  }
}

run "leaves_methods_and_paths_to_the_worker" {
  command = apply

  assert {
    condition     = aws_apigatewayv2_route.every[0].route_key == "$default" && aws_apigatewayv2_stage.default[0].name == "$default"
    error_message = "Some path would be answered in the gateway's words."
  }

  assert {
    condition     = aws_apigatewayv2_integration.worker[0].payload_format_version == "2.0"
    error_message = "The worker reads payload 2.0 only."
  }
}

run "sweeps_each_minute" {
  command = apply

  assert {
    condition     = aws_cloudwatch_event_rule.sweep.schedule_expression == "rate(1 minute)" && aws_cloudwatch_event_target.sweep["worker"].arn == aws_lambda_alias.live["worker"].arn
    error_message = "Nobody looks for what has become due."
  }
}

run "calls_somebody" {
  command = apply

  assert {
    condition     = toset(keys(aws_cloudwatch_metric_alarm.function)) == toset(["worker-errors", "worker-throttles", "worker-duration"])
    error_message = "An alarm is missing."
  }

  assert {
    condition     = alltrue([for alarm in aws_cloudwatch_metric_alarm.function : length(alarm.alarm_actions) == 1])
    error_message = "An alarm rings nowhere."
  }

  assert {
    condition     = aws_sns_topic_subscription.email["cells@example.com"].protocol == "email"
    error_message = "Nobody gets the alarms."
  }

  assert {
    condition     = aws_budgets_budget.cell.limit_amount == "200" && length(aws_budgets_budget.cell.notification) == 2
    error_message = "Nobody hears of what the cell costs."
  }
}

run "leaves_the_relay_out_without_its_zip" {
  command = apply

  assert {
    condition     = !contains(keys(aws_lambda_function.function), "relay") && length(aws_lambda_event_source_mapping.changes) == 0 && output.cell.resources.relay == ""
    error_message = "There is a relay without code."
  }
}

run "reads_the_stream_with_a_relay" {
  command = apply

  variables {
    relay_package = { path = "../cell_contract/tests/any.zip", sha256 = "8739c76e681f900923b900c9df0ef75cf421d39cabb54650c4b9ad19b6a76d85" }
  }

  assert {
    condition     = aws_lambda_event_source_mapping.changes[0].event_source_arn == aws_dynamodb_table.state.stream_arn && aws_lambda_event_source_mapping.changes[0].starting_position == "TRIM_HORIZON"
    error_message = "The relay does not read the stream from its beginning."
  }

  assert {
    condition     = aws_lambda_event_source_mapping.changes[0].bisect_batch_on_function_error && aws_lambda_event_source_mapping.changes[0].maximum_retry_attempts == 10
    error_message = "One poisoned record would stop the shard."
  }

  assert {
    condition     = aws_lambda_event_source_mapping.changes[0].destination_config[0].on_failure[0].destination_arn == aws_sqs_queue.dead_letters.arn
    error_message = "What cannot be read is lost without a word."
  }

  assert {
    condition     = aws_cloudwatch_metric_alarm.change_lag[0].threshold == 60000
    error_message = "Nobody hears that the relay is late."
  }

  assert {
    condition     = toset(keys(aws_lambda_function.function["relay"].environment[0].variables)) == toset(["CELL_ID", "CELL_LAKE_URL", "CELL_LOG_LEVEL", "CELL_ORDINAL", "CELL_RELAY_RUN_S", "CELL_STORE_CONNECT_TIMEOUT_S", "CELL_STORE_READ_TIMEOUT_S", "CELL_TABLE"])
    error_message = "The relay is given something that it does not read, or lacks something."
  }

  assert {
    condition     = aws_lambda_function.function["relay"].handler == "relay.handler" && aws_lambda_function.function["relay"].timeout == 60 && aws_cloudwatch_event_target.sweep["relay"].rule == aws_cloudwatch_event_rule.sweep.name
    error_message = "The relay is started otherwise than it was built, or never looks around."
  }
}

run "can_ask_for_a_signature_too" {
  command = apply

  variables {
    aws_ingress        = "function_url"
    aws_url_principals = ["arn:aws:iam::111122223333:role/edge"]
  }

  assert {
    condition     = aws_lambda_function_url.worker[0].authorization_type == "AWS_IAM" && aws_lambda_function_url.worker[0].qualifier == "live"
    error_message = "The URL asks for no signature."
  }

  assert {
    condition     = output.cell.base_url == "https://abcdefghij.lambda-url.eu-central-1.on.aws" && output.cell.grant_header == "x-cell-grant"
    error_message = "The grant would stand where the signature does."
  }

  assert {
    condition     = length(aws_apigatewayv2_api.cell) == 0
    error_message = "There is a second way in."
  }

  assert {
    condition     = alltrue([for permission in aws_lambda_permission.url : permission.principal != "*" && permission.function_url_auth_type == "AWS_IAM"])
    error_message = "The URL is open to everybody."
  }
}

run "can_do_without_a_network" {
  command = apply

  variables {
    private_network = false
  }

  assert {
    condition     = length(aws_vpc.cell) == 0 && length(aws_lambda_function.function["worker"].vpc_config) == 0
    error_message = "There is a network that was not asked for."
  }
}
