# One key of the cell's own encrypts its state, settings, logs, queues and lake.

resource "aws_kms_key" "cell" {
  description             = "Everything that cell ${var.cell_id} keeps."
  enable_key_rotation     = true
  deletion_window_in_days = var.protect ? 30 : 7
  tags                    = local.contract_tags

  # In a key's policy "*" means this key.
  policy = jsonencode({
    Version = "2012-10-17"
    Statement = [
      {
        # Without its account as the owner nobody could manage the key again.
        Sid       = "TheAccountOwnsIt"
        Effect    = "Allow"
        Action    = "kms:*"
        Resource  = "*"
        Principal = { AWS = "arn:${local.partition}:iam::${local.account}:root" }
      },
      {
        Sid       = "LogsOfThisCell"
        Effect    = "Allow"
        Action    = ["kms:Decrypt", "kms:DescribeKey", "kms:Encrypt", "kms:GenerateDataKey", "kms:ReEncryptFrom", "kms:ReEncryptTo"]
        Resource  = "*"
        Principal = { Service = "logs.${var.region}.amazonaws.com" }
        Condition = { ArnLike = {
          "kms:EncryptionContext:aws:logs:arn" = "arn:${local.partition}:logs:${var.region}:${local.account}:log-group:/aws/*/${var.cell_id}*"
        } }
      },
      {
        Sid       = "AlarmsBudgetsAndTimersOfThisAccount"
        Effect    = "Allow"
        Action    = ["kms:Decrypt", "kms:GenerateDataKey"]
        Resource  = "*"
        Principal = { Service = ["budgets.amazonaws.com", "cloudwatch.amazonaws.com", "events.amazonaws.com"] }
        Condition = { StringEquals = { "aws:SourceAccount" = local.account } }
      },
    ]
  })
}

resource "aws_kms_alias" "cell" {
  name          = "alias/${var.cell_id}"
  target_key_id = aws_kms_key.cell.key_id
}
