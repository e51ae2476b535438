"""The zip's entry point: Lambda calls `relay.handler`. It decides nothing."""

from cell_relay_aws.bootstrap import bootstrap

handler = bootstrap()
