# How requests reach the worker. In both forms they name the alias, and in both the worker verifies
# the grant, with the code that every cell runs.

resource "aws_apigatewayv2_api" "cell" {
  count = local.with_api ? 1 : 0

  name          = var.cell_id
  description   = "The ingress of cell ${var.cell_id}."
  protocol_type = "HTTP"
  tags          = local.contract_tags
}

check "addresses_of_the_edge" {
  assert {
    condition     = length(var.edge_cidrs) == 0
    error_message = "edge_cidrs have no effect on AWS: neither an HTTP API nor a Function URL has a list of addresses. The worker refuses whoever brings no grant."
  }
}

resource "aws_apigatewayv2_integration" "worker" {
  count = local.with_api ? 1 : 0

  api_id                 = aws_apigatewayv2_api.cell[0].id
  integration_type       = "AWS_PROXY"
  integration_method     = "POST"
  integration_uri        = aws_lambda_alias.live["worker"].invoke_arn
  payload_format_version = "2.0"
  timeout_milliseconds   = min(var.limits.timeout_s * 1000, 30000)
}

resource "aws_apigatewayv2_route" "every" {
  # checkov:skip=CKV_AWS_309:The worker verifies the grant, as on the other cloud. The gateway's JWT authorizer fetches RSA keys from an issuer's URL; a grant's issuer is a word, its key Ed25519, and tenants and epochs are nothing to a gateway.
  count = local.with_api ? 1 : 0

  # One route: which methods and paths exist is the worker's to say, in the same words as elsewhere.
  api_id             = aws_apigatewayv2_api.cell[0].id
  route_key          = "$default"
  target             = "integrations/${aws_apigatewayv2_integration.worker[0].id}"
  authorization_type = "NONE"
}

resource "aws_apigatewayv2_stage" "default" {
  count = local.with_api ? 1 : 0

  api_id      = aws_apigatewayv2_api.cell[0].id
  name        = "$default"
  auto_deploy = true
  tags        = local.contract_tags

  default_route_settings {
    detailed_metrics_enabled = true
    throttling_rate_limit    = var.aws_throttle.rate_per_s
    throttling_burst_limit   = var.aws_throttle.burst
  }

  access_log_settings {
    destination_arn = aws_cloudwatch_log_group.ingress[0].arn
    # Neither path nor query nor address: they name tenants and people.
    format = jsonencode({
      request_id = "$context.requestId"
      time       = "$context.requestTimeEpoch"
      method     = "$context.httpMethod"
      status     = "$context.status"
      bytes      = "$context.responseLength"
      latency_ms = "$context.responseLatency"
      error      = "$context.error.message"
    })
  }
}

resource "aws_lambda_permission" "api" {
  count = local.with_api ? 1 : 0

  statement_id  = "ingress"
  action        = "lambda:InvokeFunction"
  function_name = aws_lambda_function.function["worker"].function_name
  qualifier     = aws_lambda_alias.live["worker"].name
  principal     = "apigateway.amazonaws.com"
  source_arn    = "${aws_apigatewayv2_api.cell[0].execution_arn}/*/*"
}

resource "aws_lambda_function_url" "worker" {
  count = local.with_api ? 0 : 1

  function_name      = aws_lambda_function.function["worker"].function_name
  qualifier          = aws_lambda_alias.live["worker"].name
  authorization_type = "AWS_IAM"
  invoke_mode        = "BUFFERED"
}

resource "aws_lambda_permission" "url" {
  for_each = local.with_api ? [] : toset(var.aws_url_principals)

  statement_id           = "url-${substr(sha256(each.value), 0, 16)}"
  action                 = "lambda:InvokeFunctionUrl"
  function_name          = aws_lambda_function.function["worker"].function_name
  qualifier              = aws_lambda_alias.live["worker"].name
  principal              = each.value
  function_url_auth_type = "AWS_IAM"
}

# Since October 2025 a URL asks for this one as well.
resource "aws_lambda_permission" "url_invocation" {
  for_each = local.with_api ? [] : toset(var.aws_url_principals)

  statement_id  = "invoke-${substr(sha256(each.value), 0, 16)}"
  action        = "lambda:InvokeFunction"
  function_name = aws_lambda_function.function["worker"].function_name
  qualifier     = aws_lambda_alias.live["worker"].name
  principal     = each.value
}
