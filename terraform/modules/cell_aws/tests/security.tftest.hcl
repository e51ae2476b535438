# What an attacker, an accident or a careless change may not find. The name of a run is the promise.

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

run "state_is_protected" {
  command = apply

  assert {
    condition     = aws_dynamodb_table.state.deletion_protection_enabled
    error_message = "The table can be deleted."
  }

  assert {
    condition     = aws_dynamodb_table.state.point_in_time_recovery[0].enabled && aws_dynamodb_table.state.point_in_time_recovery[0].recovery_period_in_days == 30
    error_message = "The state cannot be restored."
  }

  assert {
    condition     = aws_dynamodb_table.state.server_side_encryption[0].enabled && aws_dynamodb_table.state.server_side_encryption[0].kms_key_arn == aws_kms_key.cell.arn
    error_message = "The state is not encrypted with the cell's key."
  }

  assert {
    condition     = aws_kms_key.cell.enable_key_rotation && aws_kms_key.cell.deletion_window_in_days == 30
    error_message = "The key is not rotated, or gone in days."
  }
}

run "key_belongs_to_its_account" {
  command = apply

  assert {
    condition     = alltrue([for statement in jsondecode(aws_kms_key.cell.policy).Statement : !strcontains(jsonencode(statement.Principal), "\"*\"")])
    error_message = "Somebody else may use the key."
  }

  assert {
    condition     = alltrue([for statement in jsondecode(aws_kms_key.cell.policy).Statement : contains(keys(statement), "Condition") || statement.Sid == "TheAccountOwnsIt"])
    error_message = "A service may use the key for anybody."
  }
}

run "roles_do_what_the_code_does" {
  command = apply

  assert {
    condition     = alltrue(flatten([for document in data.aws_iam_policy_document.function : [for statement in document.statement : [for action in statement.actions : !strcontains(action, "*")]]]))
    error_message = "A wildcard stands in an action."
  }

  assert {
    condition     = alltrue(flatten([for document in data.aws_iam_policy_document.function : [for statement in document.statement : statement.effect == "Deny" || !contains(statement.resources, "*") || contains(["TracesHaveNoResource", "DescribingInterfacesHasNoResource"], statement.sid)]]))
    error_message = "A statement names every resource."
  }

  assert {
    condition     = toset(flatten([for statement in data.aws_iam_policy_document.function["worker"].statement : statement.actions if statement.sid == "ItemsOfTheState"])) == toset(["dynamodb:BatchGetItem", "dynamodb:DeleteItem", "dynamodb:GetItem", "dynamodb:PutItem", "dynamodb:Query", "dynamodb:UpdateItem"])
    error_message = "The worker may do other things to the state than it does."
  }

  assert {
    condition     = alltrue([for statement in data.aws_iam_policy_document.function["worker"].statement : alltrue([for action in statement.actions : !startswith(action, "s3:")])])
    error_message = "The worker may touch the lake."
  }

  assert {
    condition     = length([for statement in data.aws_iam_policy_document.function["worker"].statement : statement if statement.effect == "Deny" && statement.sid == "NoInterfacesForTheCode"]) == 1
    error_message = "The code may make network interfaces."
  }
}

run "relay_appends_and_reads_no_rows" {
  command = apply

  variables {
    relay_package = { path = "../cell_contract/tests/any.zip", sha256 = "8739c76e681f900923b900c9df0ef75cf421d39cabb54650c4b9ad19b6a76d85" }
  }

  assert {
    condition     = toset(flatten([for statement in data.aws_iam_policy_document.function["relay"].statement : [for action in statement.actions : action if startswith(action, "s3:")]])) == toset(["s3:GetObject", "s3:ListBucket", "s3:PutObject"])
    error_message = "The relay may do more to the lake than append."
  }

  assert {
    condition     = alltrue([for statement in data.aws_iam_policy_document.function["relay"].statement : alltrue([for resource in statement.resources : endswith(resource, "/lake/*")]) if contains(statement.actions, "s3:PutObject")])
    error_message = "The relay may write over the packages."
  }

  assert {
    condition     = alltrue([for statement in data.aws_iam_policy_document.function["relay"].statement : alltrue([for resource in statement.resources : endswith(resource, "/lake/*/_delta_log/*")]) if contains(statement.actions, "s3:GetObject")])
    error_message = "The relay may read rows."
  }
}

run "only_the_gateway_invokes_the_worker" {
  command = apply

  assert {
    condition     = aws_lambda_permission.api[0].principal == "apigateway.amazonaws.com" && aws_lambda_permission.api[0].source_arn == "${aws_apigatewayv2_api.cell[0].execution_arn}/*/*"
    error_message = "Another API may invoke the worker."
  }

  assert {
    condition     = aws_lambda_permission.sweep["worker"].principal == "events.amazonaws.com" && aws_lambda_permission.sweep["worker"].source_arn == aws_cloudwatch_event_rule.sweep.arn
    error_message = "Another rule may invoke the worker."
  }
}

run "ingress_is_throttled_and_logs_no_names" {
  command = apply

  assert {
    condition     = aws_apigatewayv2_stage.default[0].default_route_settings[0].throttling_rate_limit == 1000 && aws_apigatewayv2_stage.default[0].default_route_settings[0].throttling_burst_limit == 500
    error_message = "A flood would go through to the worker."
  }

  assert {
    condition     = !strcontains(aws_apigatewayv2_stage.default[0].access_log_settings[0].format, "path") && !strcontains(aws_apigatewayv2_stage.default[0].access_log_settings[0].format, "sourceIp") && !strcontains(aws_apigatewayv2_stage.default[0].access_log_settings[0].format, "query")
    error_message = "The access log names tenants or people."
  }
}

run "functions_are_bounded_and_encrypted" {
  command = apply

  assert {
    condition     = alltrue([for function in aws_lambda_function.function : function.reserved_concurrent_executions > 0])
    error_message = "One function may take the whole account's concurrency."
  }

  assert {
    condition     = alltrue([for function in aws_lambda_function.function : function.kms_key_arn == aws_kms_key.cell.arn])
    error_message = "Settings are not encrypted with the cell's key."
  }

  assert {
    condition     = alltrue([for function in aws_lambda_function.function : function.dead_letter_config[0].target_arn == aws_sqs_queue.dead_letters.arn])
    error_message = "What fails without a caller is lost."
  }

  assert {
    condition     = alltrue([for function in aws_lambda_function.function : !contains(keys(function.environment[0].variables), "CELL_LOCAL")])
    error_message = "The local world's mercy reaches the cloud."
  }
}

run "logs_stay_a_year_and_encrypted" {
  command = apply

  assert {
    condition     = alltrue([for group in concat(values(aws_cloudwatch_log_group.function), aws_cloudwatch_log_group.ingress, aws_cloudwatch_log_group.network) : group.retention_in_days >= 365 && group.kms_key_id == aws_kms_key.cell.arn])
    error_message = "A log is lost early, or readable."
  }
}

run "network_lets_nothing_in_and_nothing_out" {
  command = apply

  assert {
    condition     = length(aws_lambda_function.function["worker"].vpc_config[0].subnet_ids) == 2
    error_message = "The worker does not stand in the cell's network."
  }

  assert {
    condition     = length(aws_internet_gateway.cell) == 0 && length(aws_nat_gateway.egress) == 0 && length(aws_vpc_security_group_egress_rule.cells) == 0
    error_message = "There is a way out that was not asked for."
  }

  assert {
    condition     = alltrue([for rule in aws_vpc_security_group_egress_rule.gateway : rule.from_port == 443 && rule.to_port == 443 && rule.cidr_ipv4 == null])
    error_message = "Connections may go elsewhere than to the endpoints."
  }

  assert {
    condition     = length(aws_security_group.functions[0].ingress) == 0
    error_message = "Something may come in."
  }

  assert {
    condition     = alltrue([for subnet in aws_subnet.private : !subnet.map_public_ip_on_launch])
    error_message = "Something gets a public address."
  }

  assert {
    condition     = toset(data.aws_iam_policy_document.to_state[0].statement[0].resources) == toset([aws_dynamodb_table.state.arn])
    error_message = "From inside, another table can be reached."
  }

  assert {
    condition     = aws_flow_log.cell[0].traffic_type == "ALL"
    error_message = "Nobody sees which connections there are."
  }
}

run "egress_is_one_port_and_only_if_asked_for" {
  command = apply

  variables {
    aws_standby_egress = true
  }

  assert {
    condition     = aws_vpc_security_group_egress_rule.cells[0].from_port == 443 && aws_vpc_security_group_egress_rule.cells[0].to_port == 443 && aws_vpc_security_group_egress_rule.cells[0].ip_protocol == "tcp"
    error_message = "More than TLS may go out."
  }

  assert {
    condition     = length(aws_nat_gateway.egress) == 1 && aws_route.egress[0].nat_gateway_id == aws_nat_gateway.egress[0].id
    error_message = "Nothing gets out."
  }
}

run "lake_is_private_versioned_and_kept" {
  command = apply

  assert {
    condition     = aws_s3_bucket_public_access_block.cell.block_public_acls && aws_s3_bucket_public_access_block.cell.block_public_policy && aws_s3_bucket_public_access_block.cell.ignore_public_acls && aws_s3_bucket_public_access_block.cell.restrict_public_buckets
    error_message = "The lake could be made public."
  }

  assert {
    condition     = aws_s3_bucket_versioning.cell.versioning_configuration[0].status == "Enabled"
    error_message = "What is overwritten in the lake is lost."
  }

  assert {
    condition     = one(one(aws_s3_bucket_server_side_encryption_configuration.cell.rule).apply_server_side_encryption_by_default).sse_algorithm == "aws:kms"
    error_message = "The lake is not encrypted with the cell's key."
  }

  assert {
    condition     = !aws_s3_bucket.cell.force_destroy
    error_message = "A destroy would take the lake's rows with it."
  }

  assert {
    condition     = toset([for statement in data.aws_iam_policy_document.bucket.statement : statement.sid if statement.effect == "Deny"]) == toset(["NobodyWithoutTls", "NobodyWithOldTls"])
    error_message = "The lake can be reached without TLS 1.2."
  }
}

run "protection_is_given_up_by_saying_so" {
  command = apply

  variables {
    protect = false
  }

  assert {
    condition     = !aws_dynamodb_table.state.deletion_protection_enabled && aws_s3_bucket.cell.force_destroy && output.cell.protected == false
    error_message = "A cell cannot be torn down."
  }
}
