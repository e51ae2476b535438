# Who may do what: each function has a role of its own, and each role the operations that its code
# calls, on this cell's resources. What AWS cannot restrict to a resource is named below as such.

resource "aws_iam_role" "function" {
  for_each = local.functions

  name               = each.value.name
  description        = each.value.description
  assume_role_policy = data.aws_iam_policy_document.assume.json
  tags               = local.contract_tags
}

data "aws_iam_policy_document" "assume" {
  statement {
    actions = ["sts:AssumeRole"]

    principals {
      type        = "Service"
      identifiers = ["lambda.amazonaws.com"]
    }

    condition {
      test     = "StringEquals"
      variable = "aws:SourceAccount"
      values   = [local.account]
    }
  }
}

resource "aws_iam_role_policy" "function" {
  for_each = local.functions

  name   = "cell"
  role   = aws_iam_role.function[each.key].id
  policy = data.aws_iam_policy_document.function[each.key].json
}

data "aws_iam_policy_document" "function" {
  for_each = local.functions

  statement {
    sid = "ItemsOfTheState"
    # A transaction asks for the action of each of its parts, and has none of its own.
    actions   = ["dynamodb:BatchGetItem", "dynamodb:DeleteItem", "dynamodb:GetItem", "dynamodb:PutItem", "dynamodb:Query", "dynamodb:UpdateItem"]
    resources = [aws_dynamodb_table.state.arn]
  }

  statement {
    sid       = "KeyOfTheCell"
    actions   = ["kms:Decrypt", "kms:GenerateDataKey"]
    resources = [aws_kms_key.cell.arn]
  }

  statement {
    sid       = "OwnLogs"
    actions   = ["logs:CreateLogStream", "logs:PutLogEvents"]
    resources = ["${aws_cloudwatch_log_group.function[each.key].arn}:*"]
  }

  statement {
    sid       = "DeadLetters"
    actions   = ["sqs:SendMessage"]
    resources = [aws_sqs_queue.dead_letters.arn]
  }

  dynamic "statement" {
    for_each = var.aws_tracing ? [1] : []

    content {
      sid       = "TracesHaveNoResource"
      actions   = ["xray:PutTelemetryRecords", "xray:PutTraceSegments"]
      resources = ["*"]
    }
  }

  dynamic "statement" {
    for_each = local.with_network ? [1] : []

    content {
      sid       = "DescribingInterfacesHasNoResource"
      actions   = ["ec2:DescribeNetworkInterfaces", "ec2:DescribeSubnets"]
      resources = ["*"]
    }
  }

  dynamic "statement" {
    for_each = local.with_network ? [1] : []

    content {
      sid       = "InterfacesInTheRegion"
      actions   = ["ec2:AssignPrivateIpAddresses", "ec2:CreateNetworkInterface", "ec2:DeleteNetworkInterface", "ec2:UnassignPrivateIpAddresses"]
      resources = ["arn:${local.partition}:ec2:${var.region}:${local.account}:*/*"]
    }
  }

  # The service makes and removes interfaces with the function's role; its code may not.
  dynamic "statement" {
    for_each = local.with_network ? [1] : []

    content {
      sid       = "NoInterfacesForTheCode"
      effect    = "Deny"
      actions   = ["ec2:AssignPrivateIpAddresses", "ec2:CreateNetworkInterface", "ec2:DeleteNetworkInterface", "ec2:UnassignPrivateIpAddresses"]
      resources = ["*"]

      condition {
        test     = "ArnEquals"
        variable = "lambda:SourceFunctionArn"
        values   = ["arn:${local.partition}:lambda:${var.region}:${local.account}:function:${each.value.name}"]
      }
    }
  }

  dynamic "statement" {
    for_each = each.key == "relay" ? [1] : []

    content {
      sid       = "ChangesOfTheState"
      actions   = ["dynamodb:DescribeStream", "dynamodb:GetRecords", "dynamodb:GetShardIterator", "dynamodb:ListStreams"]
      resources = ["${aws_dynamodb_table.state.arn}/stream/*"]
    }
  }

  dynamic "statement" {
    for_each = each.key == "relay" ? [1] : []

    content {
      sid       = "AppendingToTheLake"
      actions   = ["s3:PutObject"]
      resources = ["${aws_s3_bucket.cell.arn}/lake/*"]
    }
  }

  # What was appended last stands in the table's log; rows are never read.
  dynamic "statement" {
    for_each = each.key == "relay" ? [1] : []

    content {
      sid       = "LogOfTheLake"
      actions   = ["s3:GetObject"]
      resources = ["${aws_s3_bucket.cell.arn}/lake/*/_delta_log/*"]
    }
  }

  dynamic "statement" {
    for_each = each.key == "relay" ? [1] : []

    content {
      sid       = "ListingTheLogOfTheLake"
      actions   = ["s3:ListBucket"]
      resources = [aws_s3_bucket.cell.arn]

      condition {
        test     = "StringLike"
        variable = "s3:prefix"
        values   = ["lake/*/_delta_log/*"]
      }
    }
  }
}
