# Who may plan, who may apply, and how the state is kept.

variables {
  account_id = "111122223333"
  region     = "eu-central-1"
  cell_id    = "alpha"
  repository = "example/cells"
}

mock_provider "aws" {
  source = "../../modules/cell_aws/tests"
}

run "state_is_kept_versioned_and_private" {
  command = apply

  assert {
    condition     = aws_s3_bucket_versioning.state.versioning_configuration[0].status == "Enabled" && aws_s3_bucket_public_access_block.state.restrict_public_buckets
    error_message = "A state could be lost, or read by others."
  }

  assert {
    condition     = output.backend.bucket == "alpha-terraform-111122223333" && output.backend.kms_key_id == aws_kms_key.state.arn
    error_message = "The cell's root would look for its state elsewhere."
  }
}

run "only_this_repository_gets_in" {
  command = apply

  assert {
    condition     = alltrue(flatten([for document in data.aws_iam_policy_document.assume : [for statement in document.statement : [for condition in statement.condition : [for value in condition.values : condition.test == "StringEquals" && !strcontains(value, "*")]]]]))
    error_message = "Another repository could assume a role."
  }

  assert {
    condition     = toset(flatten([for condition in data.aws_iam_policy_document.assume["apply"].statement[0].condition : condition.values if endswith(condition.variable, ":sub")])) == toset(["repo:example/cells:environment:production"])
    error_message = "An apply needs nobody's consent."
  }
}

run "a_plan_changes_nothing" {
  command = apply

  assert {
    condition     = toset([for attachment in aws_iam_role_policy_attachment.ci : basename(attachment.policy_arn) if attachment.role == "alpha-terraform-plan"]) == toset(["SecurityAudit", "ViewOnlyAccess"])
    error_message = "The plan's role may do more than look."
  }

  assert {
    condition     = alltrue([for statement in data.aws_iam_policy_document.state_of["plan"].statement : alltrue([for resource in statement.resources : endswith(resource, ".tflock")]) if statement.effect == "Allow" && contains(statement.actions, "s3:PutObject")])
    error_message = "The plan's role may write the state."
  }
}

run "nobody_in_a_pipeline_reads_tenants_data" {
  command = apply

  assert {
    condition     = alltrue([for document in data.aws_iam_policy_document.state_of : length([for statement in document.statement : statement if statement.effect == "Deny" && contains(statement.actions, "dynamodb:Scan")]) == 1])
    error_message = "A pipeline could read tenants' data."
  }
}

run "an_apply_passes_the_cells_roles_and_no_others" {
  command = apply

  assert {
    condition     = alltrue([for statement in data.aws_iam_policy_document.roles.statement : alltrue([for resource in statement.resources : strcontains(resource, ":role/alpha-") && !strcontains(resource, "*")])])
    error_message = "A deployment could make itself an administrator."
  }
}

run "refuses_a_wildcard_for_a_repository" {
  command = plan

  variables {
    repository = "example/*"
  }

  expect_failures = [var.repository]
}
