# One bucket: below lake/ the relay lands what happened, below packages/ lie the functions' zips. The
# log in the table is the truth: a lost lake is written again.

resource "aws_s3_bucket" "cell" {
  # checkov:skip=CKV_AWS_18:Whoever asks for access logs needs a trail of data events, which is the account's, not a cell's.
  # checkov:skip=CKV_AWS_144:The lake can be written again from the state, which is backed up; a second region would hold tenants' data outside this one.
  bucket        = "${var.cell_id}-cell-${local.account}"
  force_destroy = !var.protect
  tags          = local.contract_tags
}

resource "aws_s3_bucket_public_access_block" "cell" {
  bucket = aws_s3_bucket.cell.id

  block_public_acls       = true
  block_public_policy     = true
  ignore_public_acls      = true
  restrict_public_buckets = true
}

resource "aws_s3_bucket_ownership_controls" "cell" {
  bucket = aws_s3_bucket.cell.id

  rule {
    object_ownership = "BucketOwnerEnforced"
  }
}

resource "aws_s3_bucket_versioning" "cell" {
  bucket = aws_s3_bucket.cell.id

  versioning_configuration {
    status = "Enabled"
  }
}

resource "aws_s3_bucket_server_side_encryption_configuration" "cell" {
  bucket = aws_s3_bucket.cell.id

  rule {
    bucket_key_enabled = true

    apply_server_side_encryption_by_default {
      sse_algorithm     = "aws:kms"
      kms_master_key_id = aws_kms_key.cell.arn
    }
  }
}

resource "aws_s3_bucket_lifecycle_configuration" "cell" {
  bucket = aws_s3_bucket.cell.id

  rule {
    id     = "what-was-replaced"
    status = "Enabled"

    filter {}

    noncurrent_version_expiration {
      noncurrent_days = var.retention.backup_days
    }

    abort_incomplete_multipart_upload {
      days_after_initiation = 7
    }
  }

  depends_on = [aws_s3_bucket_versioning.cell]
}

# Whoever has to know of a new object, or of a deleted one, can ask EventBridge.
resource "aws_s3_bucket_notification" "cell" {
  bucket      = aws_s3_bucket.cell.id
  eventbridge = true
}

resource "aws_s3_bucket_policy" "cell" {
  bucket = aws_s3_bucket.cell.id
  policy = data.aws_iam_policy_document.bucket.json

  depends_on = [aws_s3_bucket_public_access_block.cell]
}

data "aws_iam_policy_document" "bucket" {
  statement {
    sid       = "NobodyWithoutTls"
    effect    = "Deny"
    actions   = ["s3:*"]
    resources = [aws_s3_bucket.cell.arn, "${aws_s3_bucket.cell.arn}/*"]

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

  statement {
    sid       = "NobodyWithOldTls"
    effect    = "Deny"
    actions   = ["s3:*"]
    resources = [aws_s3_bucket.cell.arn, "${aws_s3_bucket.cell.arn}/*"]

    principals {
      type        = "AWS"
      identifiers = ["*"]
    }

    condition {
      test     = "NumericLessThan"
      variable = "s3:TlsVersion"
      values   = ["1.2"]
    }
  }
}
