# The way out to other cells, if it is asked for: one NAT gateway. It stands in one zone; while that
# zone is down, commands that ask a standby to acknowledge are answered as their policy says.

resource "aws_internet_gateway" "cell" {
  count = local.with_egress ? 1 : 0

  vpc_id = aws_vpc.cell[0].id
  tags   = merge(local.contract_tags, { Name = var.cell_id })
}

resource "aws_subnet" "public" {
  count = local.with_egress ? 1 : 0

  vpc_id                  = aws_vpc.cell[0].id
  availability_zone       = "${var.region}${var.aws_zones[0]}"
  cidr_block              = cidrsubnet(var.network_cidr, 2, 2)
  map_public_ip_on_launch = false
  tags                    = merge(local.contract_tags, { Name = "${var.cell_id}-public" })
}

resource "aws_route_table" "public" {
  count = local.with_egress ? 1 : 0

  vpc_id = aws_vpc.cell[0].id
  tags   = merge(local.contract_tags, { Name = "${var.cell_id}-public" })
}

resource "aws_route" "public" {
  count = local.with_egress ? 1 : 0

  route_table_id         = aws_route_table.public[0].id
  destination_cidr_block = "0.0.0.0/0"
  gateway_id             = aws_internet_gateway.cell[0].id
}

resource "aws_route_table_association" "public" {
  count = local.with_egress ? 1 : 0

  subnet_id      = aws_subnet.public[0].id
  route_table_id = aws_route_table.public[0].id
}

resource "aws_eip" "egress" {
  count = local.with_egress ? 1 : 0

  domain = "vpc"
  tags   = merge(local.contract_tags, { Name = var.cell_id })
}

resource "aws_nat_gateway" "egress" {
  count = local.with_egress ? 1 : 0

  allocation_id = aws_eip.egress[0].id
  subnet_id     = aws_subnet.public[0].id
  tags          = merge(local.contract_tags, { Name = var.cell_id })

  depends_on = [aws_internet_gateway.cell]
}

resource "aws_route" "egress" {
  count = local.with_egress ? 1 : 0

  route_table_id         = aws_route_table.private[0].id
  destination_cidr_block = "0.0.0.0/0"
  nat_gateway_id         = aws_nat_gateway.egress[0].id
}

resource "aws_vpc_security_group_egress_rule" "cells" {
  count = local.with_egress ? 1 : 0

  security_group_id = aws_security_group.functions[0].id
  description       = "To other cells, over TLS."
  ip_protocol       = "tcp"
  from_port         = 443
  to_port           = 443
  cidr_ipv4         = "0.0.0.0/0"
  tags              = local.contract_tags
}
