output "backend" {
  description = "What the cell's root is initialised with: write it to backend.hcl."
  value = {
    bucket     = aws_s3_bucket.state.bucket
    region     = var.region
    kms_key_id = aws_kms_key.state.arn
  }
}

output "roles" {
  description = "The roles that the workflows name: AWS_PLAN_ROLE and AWS_APPLY_ROLE."
  value       = { for name, role in aws_iam_role.ci : name => role.arn }
}
