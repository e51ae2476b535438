# The cell's own network: two private subnets, and private ways to the state and to the lake. There
# is no way in, and no other way out unless main.egress.tf opens one.

resource "aws_vpc" "cell" {
  count = local.with_network ? 1 : 0

  cidr_block           = var.network_cidr
  enable_dns_support   = true
  enable_dns_hostnames = true
  tags                 = merge(local.contract_tags, { Name = var.cell_id })
}

# AWS makes this one and lets all its members talk; it gets no rules.
resource "aws_default_security_group" "none" {
  count = local.with_network ? 1 : 0

  vpc_id = aws_vpc.cell[0].id
  tags   = local.contract_tags
}

resource "aws_subnet" "private" {
  count = local.with_network ? 2 : 0

  vpc_id                  = aws_vpc.cell[0].id
  availability_zone       = "${var.region}${var.aws_zones[count.index]}"
  cidr_block              = cidrsubnet(var.network_cidr, 2, count.index)
  map_public_ip_on_launch = false
  tags                    = merge(local.contract_tags, { Name = "${var.cell_id}-private-${count.index}" })
}

resource "aws_route_table" "private" {
  count = local.with_network ? 1 : 0

  vpc_id = aws_vpc.cell[0].id
  tags   = merge(local.contract_tags, { Name = "${var.cell_id}-private" })
}

resource "aws_route_table_association" "private" {
  count = local.with_network ? 2 : 0

  subnet_id      = aws_subnet.private[count.index].id
  route_table_id = aws_route_table.private[0].id
}

resource "aws_vpc_endpoint" "state" {
  count = local.with_network ? 1 : 0

  vpc_id            = aws_vpc.cell[0].id
  service_name      = "com.amazonaws.${var.region}.dynamodb"
  vpc_endpoint_type = "Gateway"
  route_table_ids   = [aws_route_table.private[0].id]
  policy            = data.aws_iam_policy_document.to_state[0].json
  tags              = local.contract_tags
}

resource "aws_vpc_endpoint" "lake" {
  count = local.with_network ? 1 : 0

  vpc_id            = aws_vpc.cell[0].id
  service_name      = "com.amazonaws.${var.region}.s3"
  vpc_endpoint_type = "Gateway"
  route_table_ids   = [aws_route_table.private[0].id]
  policy            = data.aws_iam_policy_document.to_lake[0].json
  tags              = local.contract_tags
}

# From inside, this table and this bucket, whoever asks: nothing can be carried to another.
data "aws_iam_policy_document" "to_state" {
  count = local.with_network ? 1 : 0

  statement {
    actions   = ["dynamodb:BatchGetItem", "dynamodb:DeleteItem", "dynamodb:GetItem", "dynamodb:PutItem", "dynamodb:Query", "dynamodb:UpdateItem"]
    resources = [aws_dynamodb_table.state.arn]

    principals {
      type        = "AWS"
      identifiers = ["arn:${local.partition}:iam::${local.account}:root"]
    }
  }
}

data "aws_iam_policy_document" "to_lake" {
  count = local.with_network ? 1 : 0

  statement {
    actions   = ["s3:GetObject", "s3:ListBucket", "s3:PutObject"]
    resources = [aws_s3_bucket.cell.arn, "${aws_s3_bucket.cell.arn}/lake/*"]

    principals {
      type        = "AWS"
      identifiers = ["arn:${local.partition}:iam::${local.account}:root"]
    }
  }
}

data "aws_ec2_managed_prefix_list" "gateway" {
  for_each = local.with_network ? toset(["dynamodb", "s3"]) : []
  name     = "com.amazonaws.${var.region}.${each.value}"
}

resource "aws_security_group" "functions" {
  count = local.with_network ? 1 : 0

  name        = "${var.cell_id}-functions"
  description = "Functions of cell ${var.cell_id}: nothing comes in."
  vpc_id      = aws_vpc.cell[0].id
  tags        = local.contract_tags
}

resource "aws_vpc_security_group_egress_rule" "gateway" {
  for_each = data.aws_ec2_managed_prefix_list.gateway

  security_group_id = aws_security_group.functions[0].id
  description       = "To ${each.key}, through its gateway endpoint."
  ip_protocol       = "tcp"
  from_port         = 443
  to_port           = 443
  prefix_list_id    = each.value.id
  tags              = local.contract_tags
}

resource "aws_flow_log" "cell" {
  count = local.with_network ? 1 : 0

  vpc_id                   = aws_vpc.cell[0].id
  traffic_type             = "ALL"
  log_destination_type     = "cloud-watch-logs"
  log_destination          = aws_cloudwatch_log_group.network[0].arn
  iam_role_arn             = aws_iam_role.flow_log[0].arn
  max_aggregation_interval = 600
  tags                     = local.contract_tags
}

resource "aws_iam_role" "flow_log" {
  count = local.with_network ? 1 : 0

  name               = "${var.cell_id}-flow-log"
  description        = "Writes which connections the network of cell ${var.cell_id} saw."
  assume_role_policy = data.aws_iam_policy_document.assume_flow_log[0].json
  tags               = local.contract_tags
}

data "aws_iam_policy_document" "assume_flow_log" {
  count = local.with_network ? 1 : 0

  statement {
    actions = ["sts:AssumeRole"]

    principals {
      type        = "Service"
      identifiers = ["vpc-flow-logs.amazonaws.com"]
    }

    condition {
      test     = "StringEquals"
      variable = "aws:SourceAccount"
      values   = [local.account]
    }
  }
}

resource "aws_iam_role_policy" "flow_log" {
  count = local.with_network ? 1 : 0

  name   = "flow-log"
  role   = aws_iam_role.flow_log[0].id
  policy = data.aws_iam_policy_document.flow_log[0].json
}

data "aws_iam_policy_document" "flow_log" {
  count = local.with_network ? 1 : 0

  statement {
    actions   = ["logs:CreateLogStream", "logs:DescribeLogStreams", "logs:PutLogEvents"]
    resources = ["${aws_cloudwatch_log_group.network[0].arn}:*"]
  }
}
