# The tenants' state: one table, on demand. No local index, because one would bound a partition at
# 10 GB, and a stripe is a partition.

resource "aws_dynamodb_table" "state" {
  name                        = "${var.cell_id}-state"
  billing_mode                = "PAY_PER_REQUEST"
  hash_key                    = var.keys.partition
  range_key                   = "sk"
  deletion_protection_enabled = var.protect
  stream_enabled              = true
  stream_view_type            = "NEW_AND_OLD_IMAGES"
  tags                        = local.contract_tags

  attribute {
    name = var.keys.partition
    type = "S"
  }

  attribute {
    name = "sk"
    type = "S"
  }

  ttl {
    attribute_name = "ttl"
    enabled        = true
  }

  point_in_time_recovery {
    enabled                 = true
    recovery_period_in_days = var.retention.backup_days
  }

  server_side_encryption {
    enabled     = true
    kms_key_arn = aws_kms_key.cell.arn
  }
}
