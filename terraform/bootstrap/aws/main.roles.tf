# Two roles for the repository's workflows, without a key: one that reads, for any plan, and one that
# changes, only in the environment where somebody has agreed.

resource "aws_iam_openid_connect_provider" "github" {
  url            = "https://token.actions.githubusercontent.com"
  client_id_list = ["sts.amazonaws.com"]
  tags           = local.tags
}

locals {
  may = {
    plan = {
      says     = "Plans cell ${var.cell_id}; changes nothing."
      subjects = ["repo:${var.repository}:pull_request", "repo:${var.repository}:ref:refs/heads/main"]
      policies = ["arn:${data.aws_partition.current.partition}:iam::aws:policy/SecurityAudit", "arn:${data.aws_partition.current.partition}:iam::aws:policy/job-function/ViewOnlyAccess"]
    }
    apply = {
      says     = "Applies cell ${var.cell_id}."
      subjects = ["repo:${var.repository}:environment:${var.environment}"]
      # The account is the cell's own; what a deployment may do with roles stands below.
      policies = ["arn:${data.aws_partition.current.partition}:iam::aws:policy/PowerUserAccess"]
    }
  }
}

resource "aws_iam_role" "ci" {
  for_each = local.may

  name                 = "${var.cell_id}-terraform-${each.key}"
  description          = each.value.says
  max_session_duration = 3600
  assume_role_policy   = data.aws_iam_policy_document.assume[each.key].json
  tags                 = local.tags
}

data "aws_iam_policy_document" "assume" {
  for_each = local.may

  statement {
    actions = ["sts:AssumeRoleWithWebIdentity"]

    principals {
      type        = "Federated"
      identifiers = [aws_iam_openid_connect_provider.github.arn]
    }

    condition {
      test     = "StringEquals"
      variable = "token.actions.githubusercontent.com:aud"
      values   = ["sts.amazonaws.com"]
    }

    condition {
      test     = "StringEquals"
      variable = "token.actions.githubusercontent.com:sub"
      values   = each.value.subjects
    }
  }
}

resource "aws_iam_role_policy_attachment" "ci" {
  for_each = merge([
    for role, may in local.may : { for policy in may.policies : "${role}-${basename(policy)}" => { role = role, policy = policy } }
  ]...)

  role       = aws_iam_role.ci[each.value.role].name
  policy_arn = each.value.policy
}

resource "aws_iam_role_policy" "state" {
  for_each = local.may

  name   = "state"
  role   = aws_iam_role.ci[each.key].id
  policy = data.aws_iam_policy_document.state_of[each.key].json
}

data "aws_iam_policy_document" "state_of" {
  for_each = local.may

  statement {
    sid       = "FindTheState"
    actions   = ["s3:ListBucket"]
    resources = [aws_s3_bucket.state.arn]
  }

  statement {
    sid       = "ReadTheState"
    actions   = ["s3:GetObject"]
    resources = ["${aws_s3_bucket.state.arn}/${local.state}"]
  }

  # A plan holds the lock as well, lest it read a state that is being written.
  statement {
    sid       = "HoldTheLock"
    actions   = ["s3:DeleteObject", "s3:GetObject", "s3:PutObject"]
    resources = ["${aws_s3_bucket.state.arn}/${local.state}.tflock"]
  }

  statement {
    sid       = "KeyOfTheState"
    actions   = ["kms:Decrypt", "kms:GenerateDataKey"]
    resources = [aws_kms_key.state.arn]
  }

  dynamic "statement" {
    for_each = each.key == "apply" ? [1] : []

    content {
      sid       = "WriteTheState"
      actions   = ["s3:PutObject"]
      resources = ["${aws_s3_bucket.state.arn}/${local.state}"]
    }
  }

  # Tenants' data is nobody's in a pipeline, whatever the managed policies grant.
  statement {
    sid       = "NoTenantsData"
    effect    = "Deny"
    actions   = ["dynamodb:BatchGetItem", "dynamodb:GetItem", "dynamodb:GetRecords", "dynamodb:PartiQLSelect", "dynamodb:Query", "dynamodb:Scan"]
    resources = ["*"]
  }
}

resource "aws_iam_role_policy" "roles" {
  name   = "roles"
  role   = aws_iam_role.ci["apply"].id
  policy = data.aws_iam_policy_document.roles.json
}

data "aws_iam_policy_document" "roles" {
  statement {
    sid       = "RolesOfTheCell"
    actions   = ["iam:CreateRole", "iam:DeleteRole", "iam:DeleteRolePolicy", "iam:GetRole", "iam:GetRolePolicy", "iam:ListAttachedRolePolicies", "iam:ListInstanceProfilesForRole", "iam:ListRolePolicies", "iam:PutRolePolicy", "iam:TagRole", "iam:UntagRole", "iam:UpdateAssumeRolePolicy", "iam:UpdateRole", "iam:UpdateRoleDescription"]
    resources = [for name in ["worker", "relay", "flow-log"] : "arn:${data.aws_partition.current.partition}:iam::${var.account_id}:role/${var.cell_id}-${name}"]
  }

  statement {
    sid       = "HandThemToTheirServices"
    actions   = ["iam:PassRole"]
    resources = [for name in ["worker", "relay", "flow-log"] : "arn:${data.aws_partition.current.partition}:iam::${var.account_id}:role/${var.cell_id}-${name}"]

    condition {
      test     = "StringEquals"
      variable = "iam:PassedToService"
      values   = ["lambda.amazonaws.com", "vpc-flow-logs.amazonaws.com"]
    }
  }
}
