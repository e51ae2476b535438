# The worker and, if there is a package for it, the relay. Callers name the alias `live`, which
# stands on a published version: a deployment that fails leaves the last one serving.

resource "aws_lambda_function" "function" {
  # checkov:skip=CKV_AWS_272:A signature would say who built the zip; the plan already pins which bytes run, by their SHA-256.
  for_each = local.functions

  function_name                  = each.value.name
  description                    = each.value.description
  role                           = aws_iam_role.function[each.key].arn
  s3_bucket                      = aws_s3_object.package[each.key].bucket
  s3_key                         = aws_s3_object.package[each.key].key
  source_code_hash               = filebase64sha256(each.value.package.path)
  handler                        = each.value.handler
  runtime                        = "${var.runtime.language}${var.runtime.version}"
  architectures                  = [local.architecture]
  memory_size                    = var.limits.memory_mb
  timeout                        = each.value.timeout_s
  reserved_concurrent_executions = each.value.concurrency
  kms_key_arn                    = aws_kms_key.cell.arn
  publish                        = true
  tags                           = local.contract_tags

  environment {
    variables = local.environment[each.key]
  }

  logging_config {
    log_format            = "JSON"
    log_group             = aws_cloudwatch_log_group.function[each.key].name
    application_log_level = var.log_level == "WARNING" ? "WARN" : var.log_level
    system_log_level      = "WARN"
  }

  tracing_config {
    mode = var.aws_tracing ? "Active" : "PassThrough"
  }

  dead_letter_config {
    target_arn = aws_sqs_queue.dead_letters.arn
  }

  dynamic "vpc_config" {
    for_each = local.with_network ? [1] : []

    content {
      subnet_ids         = aws_subnet.private[*].id
      security_group_ids = aws_security_group.functions[*].id
    }
  }

  # A function cannot be made before its role may write logs and interfaces.
  depends_on = [aws_iam_role_policy.function]
}

# By way of the bucket, because Lambda takes no more than 50 MB directly. A key names its content.
resource "aws_s3_object" "package" {
  for_each = local.functions

  bucket      = aws_s3_bucket.cell.bucket
  key         = "packages/${each.key}-${each.value.package.sha256}.zip"
  source      = each.value.package.path
  source_hash = each.value.package.sha256
  kms_key_id  = aws_kms_key.cell.arn
  tags        = local.contract_tags

  depends_on = [aws_s3_bucket_versioning.cell]
}

resource "aws_lambda_alias" "live" {
  for_each = local.functions

  name             = "live"
  description      = "What callers name; stands on one published version."
  function_name    = aws_lambda_function.function[each.key].function_name
  function_version = aws_lambda_function.function[each.key].version
}

# What an invocation without a caller (a timer, a stream) could not do in the end.
resource "aws_sqs_queue" "dead_letters" {
  name                      = "${var.cell_id}-dead-letters"
  message_retention_seconds = 1209600
  kms_master_key_id         = aws_kms_key.cell.arn
  tags                      = local.contract_tags
}

resource "aws_sqs_queue_policy" "dead_letters" {
  queue_url = aws_sqs_queue.dead_letters.url
  policy    = data.aws_iam_policy_document.dead_letters.json
}

data "aws_iam_policy_document" "dead_letters" {
  statement {
    sid       = "TheTimerOfThisCell"
    actions   = ["sqs:SendMessage"]
    resources = [aws_sqs_queue.dead_letters.arn]

    principals {
      type        = "Service"
      identifiers = ["events.amazonaws.com"]
    }

    condition {
      test     = "ArnEquals"
      variable = "aws:SourceArn"
      values   = [aws_cloudwatch_event_rule.sweep.arn]
    }
  }

  statement {
    sid       = "NobodyWithoutTls"
    effect    = "Deny"
    actions   = ["sqs:*"]
    resources = [aws_sqs_queue.dead_letters.arn]

    principals {
      type        = "AWS"
      identifiers = ["*"]
    }

    condition {
      test     = "Bool"
      variable = "aws:SecureTransport"
      values   = ["false"]
    }
  }
}
